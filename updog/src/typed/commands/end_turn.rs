//! `end-turn`: what follows a reboot in turn, once the boot was confirmed: hooks bring the host back, and the lock server gets
//! its slot. Run again and again by a timer; where no turn was taken there is nothing to do.

use std::time::Duration;

use host_io::lock;
use serde_json::json;
use update_metadata::explain::instant;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;
use crate::turn::end::{self, Left};
use crate::turn::note::Desk;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  updog end-turn                         bring this host back and give its slot back, if that is due\n  updog end-turn --json                  what is left of the turn, in fields"
)]
pub struct Args {
    /// How many seconds each hook may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub hook_within: u64,
}

/// Ends this host's turn, as far as that is due.
///
/// # Errors
/// When a hook fails or the server does not take the slot back: the next run tries again.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    // Most runs find no turn, and leave nothing behind.
    if context.fs.kind(&context.paths.reboot_turn()).ok().flatten().is_none() {
        return tell(context, &Left::Nothing);
    }
    let desk = match Desk::take(&*context.fs, &context.paths) {
        Ok(desk) => desk,
        Err(lock::Error::Held { .. }) => {
            return tell(context, &Left::Waits("another process is at it just now".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    context.evidence.begin();
    let result = end::settle(context, &desk, Duration::from_secs(args.hook_within));
    match &result {
        Ok(Left::Ended) => context.evidence.end(Outcome::TurnEnded, None),
        Err(error) if error.is_stop() => context.evidence.end(Outcome::Cancelled, Some(error as _)),
        Err(error) => context.evidence.end(Outcome::Failed, Some(error as _)),
        // Nothing was done that the history does not have.
        Ok(Left::Keeps { new: true, .. }) => context.evidence.end(Outcome::Nothing, None),
        Ok(Left::Nothing | Left::Rests | Left::Coming | Left::Waits(_) | Left::Keeps { .. }) => {}
    }
    tell(context, &result?)
}

fn tell(context: &Context, left: &Left) -> Result<(), Error> {
    let (word, said) = match left {
        Left::Nothing => ("nothing", "This host has no turn to end".to_owned()),
        Left::Ended => ("ended", "The turn of this host has ended".to_owned()),
        Left::Rests => ("rests", "The lock server did not let this host go; nothing is held".to_owned()),
        Left::Coming => ("reboots", "The reboot of this turn is on its way".to_owned()),
        Left::Waits(why) => ("waits", format!("The turn of this host has not ended: {why}")),
        Left::Keeps { why, until, .. } => (
            "kept",
            format!(
                "The slot stays with this host until {}, or \"updog clear-failed\": {why}",
                instant(*until)
            ),
        ),
    };
    if context.format == Format::Text {
        answer::done([said.clone()]);
    }
    context.events.tell(&Event::Done(Done {
        command: "end-turn",
        why: (*left != Left::Ended).then_some(said),
        more: [("turn".to_owned(), json!(word))].into_iter().collect(),
        ..Done::default()
    }));
    Ok(())
}
