//! The reboot in this host's turn, followed until the host reboots or it is known why not.

use reqwest::Method;
use serde::Deserialize;

use crate::api::Api;
use crate::error::Error;

const ERRAND: &str = "reboot the host in its turn";

/// An answer that says to ask again.
#[derive(Deserialize)]
struct Underway {
    follow: u64,
}

/// Reboots in this host's turn; where no lock server and no hooks are configured that is now. `patient` says that a timer
/// asks. `waits` is called once, when it takes longer.
///
/// # Errors
/// When there is no reboot, or the server does not answer.
pub async fn reboot(api: &Api, patient: bool, waits: impl FnOnce()) -> Result<(), Error> {
    let mut waits = Some(waits);
    let mut uri = format!("/actions/reboot-in-turn{}", if patient { "?patient=true" } else { "" });
    loop {
        let answer = api.send(Method::POST, &uri, None).await.map_err(Error::call(ERRAND))?;
        if answer.code != 202 {
            return Ok(());
        }
        let Underway { follow } = serde_json::from_str(&answer.body)
            .map_err(|error| Api::nonsense(&uri, &error))
            .map_err(Error::call(ERRAND))?;
        uri = format!("/actions/reboot-in-turn?follow={follow}");
        if let Some(waits) = waits.take() {
            waits();
        }
    }
}
