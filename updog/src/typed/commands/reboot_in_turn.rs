//! `reboot-in-turn`: reboot into the update that waits for it, when the lock server lets this host go and its hooks have
//! drained it. A person who wants no such thing has `reboot`, which asks nobody.

use std::time::Duration;

use serde_json::json;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;
use crate::turn::note::Desk;
use crate::turn::take::{self, Asked};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  updog reboot-in-turn                   ask, drain, reboot; or say why not\n  updog reboot-in-turn --patient         as a timer does: a silent server is left alone for a while"
)]
pub struct Args {
    /// How many seconds each hook may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub hook_within: u64,
    /// Do not ask a lock server again so soon that did not answer
    #[arg(long)]
    pub patient: bool,
}

/// Takes this host's turn, and reboots.
///
/// # Errors
/// When there is no reboot. The next run tries again.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let desk = Desk::take(&*context.fs, &context.paths)?;
    context.events.tell(&Event::Started);
    context.evidence.begin();
    context.evidence.note(|evidence| {
        evidence.from = context.host.os_release().ok().map(|os| os.version_id);
    });
    let asked = Asked { limit: Duration::from_secs(args.hook_within), patient: args.patient };
    let result = take::reboot(context, &desk, asked);
    let outcome = match &result {
        Ok(_) => Outcome::Rebooting,
        Err(error) if error.is_stop() => Outcome::Cancelled,
        Err(_) => Outcome::Failed,
    };
    context.evidence.end(outcome, result.as_ref().err().map(|error| error as _));
    let version = result?;
    if context.format == Format::Text {
        answer::done([format!("It is this host's turn: it reboots into {version}")]);
    }
    context.events.tell(&Event::Done(Done {
        command: "reboot-in-turn",
        reboot: true,
        more: [("version".to_owned(), json!(version))].into_iter().collect(),
        ..Done::default()
    }));
    Ok(())
}
