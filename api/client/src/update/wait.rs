//! Asking until a command has ended.
//!
//! The server answers a command once it is under way, and questions for the state with 423 until its end is recorded.
//! How often to ask, and how many failed answers to bear, is as callers know it; how long to wait is longer where one
//! slow request of the server alone would use up the time, and counts from the last sign of life.

use std::time::Duration;

use api_model::update::REFRESH_PATIENCE;
use api_model::{CommandType, UpdateStatus};
use tokio::time::Instant;

use super::live::Live;
use super::progress::latest;
use super::watch::{BUSY, Seen, judge};
use crate::api::{Api, CallError};
use crate::error::Error;

/// Where the state is.
const STATUS: &str = "/updates/status";
/// How many failed answers are borne.
const FLAWS: u32 = 5;
/// How often to ask for the end of something short, and how long.
const OFTEN: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(30);

/// How to wait for one command.
struct Manner {
    uri: &'static str,
    every: Duration,
    patience: Duration,
}

fn manner(command: CommandType) -> Manner {
    match command {
        // The server ends it before that, and says why.
        CommandType::Refresh => {
            Manner { uri: "/actions/refresh-updates", every: OFTEN, patience: REFRESH_PATIENCE }
        }
        // A slow line takes its time; the server notices a dead one.
        CommandType::Prepare => Manner {
            uri: "/actions/prepare-update",
            every: Duration::from_millis(500),
            patience: Duration::from_secs(3600),
        },
        CommandType::Activate => Manner { uri: "/actions/activate-update", every: OFTEN, patience: SOON },
        CommandType::Deactivate => Manner { uri: "/actions/deactivate-update", every: OFTEN, patience: SOON },
    }
}

/// What the server says of its update commands.
#[derive(Debug)]
pub enum State {
    /// One runs.
    Running,
    /// The last one has ended.
    Ended(Box<UpdateStatus>),
    /// There was none on this host yet.
    NeverRun,
}

/// Whether an update command runs, and else the state of updates.
///
/// # Errors
/// When the server does not answer.
pub async fn state(api: &Api) -> Result<State, Error> {
    match ask(api).await {
        Ok(status) => Ok(State::Ended(Box::new(status))),
        Err(error) if error.code() == BUSY => Ok(State::Running),
        Err(error) if error.code() == 404 => Ok(State::NeverRun),
        Err(error) => Err(Error::call("look at the state of updates")(error)),
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

/// Starts a command and waits for its end, shown by `live`.
///
/// # Errors
/// When the server refuses it, it fails, or its end is not seen.
pub async fn run(api: &Api, command: CommandType, live: &mut Live) -> Result<UpdateStatus, Error> {
    let Manner { uri, every, patience } = manner(command);
    let before = status(api).await?.map(|status| status.most_recent_command.timestamp);
    // Only the long command tells how far it is: for the others the question would take longer than the answer.
    let tells = command == CommandType::Prepare;
    live.begin(if tells { latest(api).await } else { None }.as_ref());
    api.post(uri).await.map_err(Error::call("start an update command"))?;
    let began = Instant::now();
    let mut alive = began;
    let mut flaws = 0;
    let outcome = loop {
        tokio::time::sleep(every).await;
        let unsure = |reason: &str, source| Error::Unsure { command, reason: reason.to_owned(), source };
        match judge(command, before, ask(api).await) {
            Seen::Running => {}
            Seen::Ended(status) => break Ok(*status),
            Seen::Failed { reason, help } => break Err(Error::Update { command, reason, help }),
            Seen::Overtaken => break Err(unsure("another update command ended after it", None)),
            Seen::Flaw(error) if flaws == FLAWS => {
                break Err(unsure("the server stopped answering", Some(Box::new(error))));
            }
            Seen::Flaw(_) => flaws += 1,
        }
        let news = if tells { latest(api).await } else { None };
        if live.show(command, began, news.as_ref()) {
            alive = Instant::now();
        }
        if alive.elapsed() >= patience {
            break Err(unsure(&format!("nothing has happened for {} s", patience.as_secs()), None));
        }
    };
    live.end();
    outcome
}

/// Waits until no update command runs; `what` is what runs, for the sentence when that takes too long.
///
/// # Errors
/// When it goes on, or the server does not answer.
pub async fn until_idle(api: &Api, what: &'static str) -> Result<(), Error> {
    let began = Instant::now();
    while matches!(state(api).await?, State::Running) {
        if began.elapsed() >= SOON {
            return Err(Error::StillRuns { what, seconds: SOON.as_secs() });
        }
        tokio::time::sleep(OFTEN).await;
    }
    Ok(())
}

async fn ask(api: &Api) -> Result<UpdateStatus, CallError> {
    let value = api.get(STATUS).await?;
    serde_json::from_value(value).map_err(|error| Api::nonsense(STATUS, &error))
}
