//! The reboot in this host's turn: `updog` asks the lock server and runs hooks, which may take its time. Whoever asked is
//! answered within moments all the same, and follows it by its number; it goes on without them, and without this server.

use std::time::Duration;

use tokio::sync::watch;

use super::dispatcher::Dispatcher;
use super::refusal::{Errand, Refusal};
use super::underway::{Begun, End, Said};

/// How long one question is held back for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How it is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Begin, or join what has begun.
    Begin {
        /// A timer asks: a server that did not answer is left alone for a while.
        patient: bool,
    },
    /// How the one of this number went.
    Follow(u64),
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTurn {
    /// The host reboots.
    Reboots,
    /// Ask again for this number.
    Underway(u64),
}

impl Dispatcher {
    /// Reboots into the update that is applied, in this host's turn.
    ///
    /// # Errors
    /// When there is no reboot, as `updog` says it; [`Refusal::Forbidden`] for a number that nobody knows.
    pub async fn reboot_in_turn(
        &self,
        ask: Ask,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<InTurn, Refusal> {
        let (number, mut end) = match ask {
            Ask::Follow(number) => (number, self.0.underway.of(number).ok_or_else(lost)?),
            Ask::Begin { patient } => self.begin_turn(patient),
        };
        // What it returns is a lock on the value: not to be held over a wait.
        let ended = async { end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()) };
        let ended = tokio::select! {
            ended = ended => ended,
            () = tokio::time::sleep(ANSWER) => return Ok(InTurn::Underway(number)),
            // It goes on in a child of its own: whoever follows it asks the next server in vain, and looks at the status.
            _ = crate::stop::asked(&mut stopping) => return Ok(InTurn::Underway(number)),
        };
        match ended {
            Some(Ok(())) => Ok(InTurn::Reboots),
            Some(Err(said)) => Err(Refusal::said(Errand::RebootInTurn, &said.code, said.reason, said.help)),
            None => Err(lost()),
        }
    }

    fn begin_turn(&self, patient: bool) -> (u64, watch::Receiver<End>) {
        let Begun { number, end, told } = self.0.underway.begin();
        // Another one asked before, and it goes on.
        let Some(told) = told else { return (number, end) };
        let words: &'static [&'static str] =
            if patient { &["reboot-in-turn", "--patient"] } else { &["reboot-in-turn"] };
        let updog = self.0.updog.clone();
        tracing::info!("asked to reboot in this host's turn");
        // Apart from the request: a caller that hangs up leaves nothing half begun.
        tokio::spawn(async move {
            // Nobody stops it: what it has begun, it undoes by itself.
            let (_nobody, never) = watch::channel(false);
            let ended = match updog.begin(words).await {
                Ok(work) => work.end(never).await.map(drop),
                Err(error) => Err(error),
            };
            let ended = ended.map_err(|error| {
                let (reason, help) = error.reason();
                tracing::warn!("no reboot in this host's turn: {reason}");
                Said { code: error.code().unwrap_or_default().to_owned(), reason, help }
            });
            told.send_replace(Some(ended));
        });
        (number, end)
    }
}

fn lost() -> Refusal {
    Refusal::Forbidden {
        errand: Errand::RebootInTurn,
        reason: "how it went is not known any more".to_owned(),
        help: Some("see how far it is: \"apiclient update status\", or the log of this server".to_owned()),
    }
}
