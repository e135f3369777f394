//! `update-revert`: let the running set boot next after all. What was installed stays and can be applied again.

use host_io::{Access, OperationLock};
use signpost::{OsDisk, Role};

use crate::context::Context;
use crate::decide::guard;
use crate::error::Error;
use crate::flip::apply;
use crate::flip::record::{self, Record};
use crate::tell::answer;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;

/// Takes the flip back. Needs no network, no configuration and no repository.
///
/// # Errors
/// When nothing was activated, or the partition table cannot be used.
pub fn run(context: &Context) -> Result<(), Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    let disk = OsDisk::discover(&context.paths)?;
    context.evidence.begin();
    let reverted = match guard::activated(&disk.status()?) {
        Ok(_) => {
            context.events.tell(&Event::Started);
            apply::revert(context, &disk)
        }
        // What is typed again after a kill comes to the same end.
        Err(refusal) => apply::end_revert(context, &disk)?.ok_or_else(|| refusal.into()),
    };
    context.evidence.note(|evidence| {
        evidence.set = reverted.as_ref().ok().map(|set| set.name.to_string());
    });
    let outcome = if reverted.is_ok() { Outcome::Reverted } else { Outcome::Failed };
    context.evidence.end(outcome, reverted.as_ref().err().map(|error| error as _));
    let set = reverted?;
    // What it holds is only told; by now the bits are right, whatever the record says.
    let update = disk
        .open_partition(set.name, Role::Hash, Access::Read)
        .ok()
        .map(|hash| record::top_hash_if_known(&*hash))
        .and_then(|found| {
            Record::load_or_empty(&*context.fs, &context.paths).holds(set.name, found).map(answer::installed)
        });
    context.events.tell(&Event::Done(Done {
        command: "update-revert",
        update: update.unwrap_or_default(),
        set: Some(set.name.to_string()),
        ..Done::default()
    }));
    Ok(())
}
