//! `update apply`: installing the chosen update.

use api_model::schedule::Turn;
use api_model::{CommandType, UpdateState, UpdateStatus};
use chrono::{DateTime, Utc};
use host_io::{Clock, say};
use serde_json::json;

use crate::api::Api;
use crate::error::Error;
use crate::tell;
use crate::update::form::Form;
use crate::update::turn::{later, turn};
use crate::update::{in_turn, live::Live, plan, summary::summary, wait};

/// How to apply.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "With --json, stdout has one object a line: the events of the work and at the end \"done\" or \"error\".

Examples:
  apiclient update apply --check --reboot
  apiclient update apply --json | tail -1"
)]
pub struct Args {
    /// Look for updates first, and stop when there is nothing to do
    #[arg(short, long)]
    pub check: bool,

    /// Reboot into the update when it is applied and it is this host's turn
    #[arg(short, long)]
    pub reboot: bool,

    /// Do nothing outside the window of settings.updates, or while updates are held; timers say this
    #[arg(long)]
    pub if_in_window: bool,

    #[command(flatten)]
    pub(super) form: Form,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// It is not the time for it.
    Later(DateTime<Utc>),
    /// The update starts with the next boot.
    Applied,
    /// Which is now.
    Rebooting,
}

/// Applies it.
///
/// # Errors
/// When the server refuses, does not answer, or its work fails.
pub async fn run(api: &Api, args: &Args, clock: &dyn Clock) -> Result<(), Error> {
    let voice = Voice(args.form);
    if let Some(outcome) = wait_for_window(api, args, clock).await? {
        return voice.done(outcome, None);
    }
    let mut live = Live::new(args.form);
    let mut status = if args.check {
        Some(wait::run(api, CommandType::Refresh, &mut live).await?)
    } else {
        wait::status(api).await?
    };
    // As `update check` prints it: whoever reads stdout sees what was found.
    if let (true, false, Some(status)) = (args.check, args.form.is_json(), &status) {
        tell::answer_json(status)?;
    }
    let commands = match plan::apply(status.as_ref(), args.check)? {
        plan::Apply::Nothing => {
            voice.say(&status.as_ref().map_or_else(String::new, summary));
            // A timer that got as far as this the last time, and could not reboot.
            let is_ready = status.as_ref().is_some_and(|status| status.update_state == UpdateState::Ready);
            return if args.if_in_window && args.reboot && is_ready {
                reboot_into(api, &voice, args, status.as_ref()).await
            } else {
                voice.done(Outcome::Nothing, status.as_ref())
            };
        }
        plan::Apply::Commands(commands) => commands,
    };
    for command in commands {
        // Fetching may have taken longer than the window is open: what is installed then waits for the next one.
        if *command == CommandType::Activate
            && let Some(outcome) = wait_for_window(api, args, clock).await?
        {
            return voice.done(outcome, status.as_ref());
        }
        voice.say(match command {
            CommandType::Prepare => "Installing the update to the other partition set",
            _ => "Letting the next boot start it",
        });
        status = Some(wait::run(api, *command, &mut live).await?);
    }
    if args.reboot {
        return reboot_into(api, &voice, args, status.as_ref()).await;
    }
    voice.say("Update applied; it starts with the next boot: apiclient reboot");
    voice.done(Outcome::Applied, status.as_ref())
}

/// What to say instead of going on, when this is not the time.
async fn wait_for_window(api: &Api, args: &Args, clock: &dyn Clock) -> Result<Option<Outcome>, Error> {
    if !args.if_in_window {
        return Ok(None);
    }
    match turn(api, clock.now()).await? {
        Turn::Now => Ok(None),
        Turn::Later { at, why } => {
            Voice(args.form).say(&later(at, why));
            Ok(Some(Outcome::Later(at)))
        }
    }
}

async fn reboot_into(
    api: &Api,
    voice: &Voice,
    args: &Args,
    status: Option<&UpdateStatus>,
) -> Result<(), Error> {
    voice.say("Update applied; rebooting into it");
    in_turn::reboot(api, args.if_in_window, || {
        voice.say("Waiting for the lock server, or for the hooks that drain this host");
    })
    .await?;
    voice.done(Outcome::Rebooting, status)
}

/// People hear sentences, programs the outcome.
struct Voice(Form);

impl Voice {
    fn say(&self, sentence: &str) {
        if !self.0.is_json() {
            say::line(sentence);
        }
    }

    fn done(&self, outcome: Outcome, status: Option<&UpdateStatus>) -> Result<(), Error> {
        if !self.0.is_json() {
            return Ok(());
        }
        let (word, at) = match outcome {
            Outcome::Nothing => ("nothing", None),
            Outcome::Later(at) => ("later", Some(at)),
            Outcome::Applied => ("applied", None),
            Outcome::Rebooting => ("rebooting", None),
        };
        let done =
            json!({"event": "done", "command": "apply", "outcome": word, "not_before": at, "status": status});
        tell::outcome(&done.to_string());
        Ok(())
    }
}
