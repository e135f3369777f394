//! `update-apply`: let what was installed boot next. Touches a few bits of the partition table and nothing else.

use host_io::OperationLock;
use signpost::OsDisk;

use crate::after::observe::{self, Keep};
use crate::context::Context;
use crate::decide::guard::Staged;
use crate::decide::recall::{self, Recall};
use crate::decide::standing::{self, Kind};
use crate::error::Error;
use crate::flip::apply::{self, Proof};
use crate::flip::record::Entry;
use crate::flip::review;
use crate::look::rehearsal;
use crate::tell::answer;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// `--reboot`: into what was installed.
    pub reboot: bool,
    /// `--insist`: also against what was told of it.
    pub insist: bool,
}

/// Activates the staged image, unless the settings of this host or the repository, if it answers, speak against it. Needs
/// no network, no configuration and no repository.
///
/// # Errors
/// When nothing is staged, it was taken back, or the partition table or the record cannot be used.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.evidence.begin();
    let result = activate(context, args.insist);
    let outcome = match &result {
        Ok(_) => Outcome::Activated,
        Err(error) if error.is_stop() => Outcome::Cancelled,
        Err(_) => Outcome::Failed,
    };
    context.evidence.end(outcome, result.as_ref().err().map(|error| error as _));
    let staged = result?;
    if args.reboot {
        context.host.reboot().map_err(Error::Reboot)?;
    }
    context.events.tell(&Event::Done(Done {
        command: "update-apply",
        update: answer::installed(staged.entry()),
        set: Some(staged.set().to_string()),
        reboot: args.reboot,
        ..Done::default()
    }));
    Ok(())
}

fn activate(context: &Context, insist: bool) -> Result<Staged, Error> {
    let disk = OsDisk::discover(&context.paths)?;
    let staged = apply::find_staged(context, &disk)?;
    let entry = staged.entry();
    context.evidence.note(|evidence| {
        evidence.to = Some(entry.version.clone());
        (evidence.variant, evidence.arch) = (Some(entry.variant.clone()), Some(entry.arch.clone()));
        evidence.set = Some(staged.set().to_string());
    });
    let running = context.host.os_release()?.version_id;
    let attempts = observe::attempts(context, Keep::No);
    let known = match recall::here(context, &running, &attempts, entry) {
        Some(against) => Recall::Against(against),
        None => recall::ask(context, entry)?,
    };
    let note = match known {
        Recall::Offered => {
            if standing::was_told(entry, Kind::HoldsUnknown) {
                review::note(context, staged.set(), entry, None);
            }
            "the repository still offers it".to_owned()
        }
        Recall::Unknown { why } => {
            tracing::info!(
                "{} boots next, though the repository could not be asked about it: {why}",
                entry.version
            );
            format!("the repository could not be asked whether it still offers it: {why}")
        }
        Recall::Against(against) if insist && standing::was_told(entry, against.kind) => {
            tracing::warn!("{} boots next, as was insisted on: {}", entry.version, against.why);
            let insisted = [entry.insisted.as_slice(), &[against.kind]].concat();
            review::change(context, staged.set(), entry, Entry { insisted, ..entry.clone() });
            format!("insisted on: {}", against.why)
        }
        Recall::Against(against) => {
            review::note(context, staged.set(), entry, Some(&against));
            return Err(Error::Recalled { version: entry.version.clone(), why: against.why });
        }
    };
    context.evidence.note(|evidence| evidence.notes.push(note));
    // Settings may have changed since it was staged, and with them what the migrations make of them.
    rehearsal::again(context, &entry.version)?;
    // From here on nothing but the disk itself can refuse it: whoever waits for the start was told everything else.
    context.events.tell(&Event::Started);
    apply::announce(context, &disk)?;
    apply::activate(&disk, Proof::Recorded(&staged))?;
    Ok(staged)
}
