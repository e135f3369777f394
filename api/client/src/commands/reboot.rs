//! `reboot`: rebooting the host.

use crate::api::Api;
use crate::error::Error;

/// Asks for it.
///
/// # Errors
/// When the server refuses or does not answer.
pub async fn run(api: &Api) -> Result<(), Error> {
    api.post("/actions/reboot").await.map_err(Error::call("reboot the host"))
}
