//! Asking until a command has ended.
//!
//! The server answers a command once it is under way, and questions for the state with 423 until its end is recorded.
//! How often to ask, and how many failed answers to bear, is as callers know it; how long to wait is longer where one
//! slow request of the server alone would use up the time.

use std::time::Duration;

use api_model::{CommandType, UpdateStatus};
use tokio::time::Instant;

use super::watch::{Seen, judge};
use crate::api::{Api, CallError};
use crate::error::Error;

/// Where the state is.
const STATUS: &str = "/updates/status";
/// How many failed answers are borne.
const FLAWS: u32 = 5;
/// How often a person who waits is told so.
const NOTICE: Duration = Duration::from_secs(5);

/// How to wait for one command.
struct Manner {
    uri: &'static str,
    every: Duration,
    patience: Duration,
}

fn manner(command: CommandType) -> Manner {
    let often = Duration::from_millis(100);
    match command {
        // A repository that does not answer takes half a minute to give up on.
        CommandType::Refresh => {
            Manner { uri: "/actions/refresh-updates", every: often, patience: Duration::from_secs(120) }
        }
        // A slow line takes its time; the server notices a dead one.
        CommandType::Prepare => Manner {
            uri: "/actions/prepare-update",
            every: Duration::from_millis(500),
            patience: Duration::from_secs(3600),
        },
        CommandType::Activate => {
            Manner { uri: "/actions/activate-update", every: often, patience: Duration::from_secs(30) }
        }
        CommandType::Deactivate => {
            Manner { uri: "/actions/deactivate-update", every: often, patience: Duration::from_secs(30) }
        }
    }
}

/// The state of updates; `None` on a host on which no command has ever ended.
///
/// # Errors
/// When the server does not answer, also because a command runs.
pub async fn status(api: &Api) -> Result<Option<UpdateStatus>, Error> {
    match ask(api).await {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.code() == 404 => Ok(None),
        Err(error) => Err(Error::call("look at the state of updates")(error)),
    }
}

/// Starts a command and waits for its end. A line every five seconds says that it still runs.
///
/// # Errors
/// When the server refuses it, it fails, or its end is not seen.
pub async fn run(api: &Api, command: CommandType) -> Result<UpdateStatus, Error> {
    let Manner { uri, every, patience } = manner(command);
    let before = status(api).await?.map(|status| status.most_recent_command.timestamp);
    api.post(uri).await.map_err(Error::call("start an update command"))?;
    let began = Instant::now();
    let mut noticed = began;
    let mut flaws = 0;
    loop {
        tokio::time::sleep(every).await;
        let unsure = |reason: &str, source| Error::Unsure { command, reason: reason.to_owned(), source };
        match judge(command, before, ask(api).await) {
            Seen::Running => {}
            Seen::Ended(status) => return Ok(*status),
            Seen::Failed { reason, help } => return Err(Error::Update { command, reason, help }),
            Seen::Overtaken => return Err(unsure("another update command ended after it", None)),
            Seen::Flaw(error) if flaws == FLAWS => {
                return Err(unsure("the server stopped answering", Some(Box::new(error))));
            }
            Seen::Flaw(_) => flaws += 1,
        }
        let now = Instant::now();
        if now.duration_since(began) >= patience {
            return Err(unsure(&format!("it has not ended after {} s", patience.as_secs()), None));
        }
        if now.duration_since(noticed) >= NOTICE {
            noticed = now;
            eprintln!("{command} still runs after {} s", now.duration_since(began).as_secs());
        }
    }
}

async fn ask(api: &Api) -> Result<UpdateStatus, CallError> {
    let value = api.get(STATUS).await?;
    serde_json::from_value(value).map_err(|error| CallError::Nonsense {
        code: 200,
        method: reqwest::Method::GET,
        uri: STATUS.to_owned(),
        reason: error.to_string(),
    })
}
