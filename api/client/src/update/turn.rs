//! Whether an update may start by itself now.

use api_model::schedule::{Turn, Why, may_start};
use chrono::{DateTime, Utc};

use crate::api::Api;
use crate::error::Error;
use crate::screen::time;

/// What the window and the hold of this host say about `now`.
///
/// # Errors
/// When the server does not answer, or the settings make no sense.
pub async fn turn(api: &Api, now: DateTime<Utc>) -> Result<Turn, Error> {
    let settings = api
        .get("/settings?keys=settings.updates.window,settings.updates.hold-until")
        .await
        .map_err(Error::call("read when updates may start"))?;
    let text = |name: &str| settings["updates"][name].as_str().unwrap_or_default().to_owned();
    may_start(&text("window"), &text("hold-until"), now).map_err(Error::Schedule)
}

/// Why not now, in one line.
#[must_use]
pub fn later(at: DateTime<Utc>, why: Why) -> String {
    match why {
        Why::Hold => format!("Updates are held until {}: settings.updates.hold-until", time(at)),
        Why::Window => format!("The next window for updates opens at {}: settings.updates.window", time(at)),
    }
}
