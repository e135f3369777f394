//! `update-apply`: let what was installed boot next. Touches a few bits of the partition table and nothing else.

use host_io::OperationLock;
use signpost::OsDisk;

use crate::answer;
use crate::apply::{self, Proof};
use crate::context::Context;
use crate::error::Error;
use crate::events::{Done, Event};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// `--reboot`: into what was installed.
    pub reboot: bool,
}

/// Activates the staged image. Needs no network, no configuration and no repository.
///
/// # Errors
/// When nothing is staged, or the partition table or the record cannot be used.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.events.tell(&Event::Started);
    let disk = OsDisk::discover(&context.paths)?;
    let staged = apply::find_staged(context, &disk)?;
    apply::activate(&disk, Proof::Recorded(&staged))?;
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
