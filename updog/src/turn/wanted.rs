//! Whether an update waits for its reboot: asked before anybody is troubled, and once more when the host is drained, as it
//! may have been taken back meanwhile.

use signpost::OsDisk;

use super::refused::Refused;
use crate::after::observe::{self, Keep};
use crate::context::Context;
use crate::decide::recall;
use crate::error::Error;
use crate::flip::next_boot::{self, Why};
use crate::flip::record::{Entry, Record};
use crate::look::sets;

/// The update that boots next.
///
/// # Errors
/// When something else boots next, when the update may not run any more, and when the disk cannot be looked at.
pub fn update(context: &Context) -> Result<Entry, Error> {
    let no = |why: String| Error::from(Refused::NotWanted { why });
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let set = match next_boot::other(&status) {
        Some((set, Why::Update)) => set.name,
        Some((set, Why::Rollback)) => {
            return Err(no(format!(
                "a person goes back to set {} with the next boot, at a time of their own",
                set.name
            )));
        }
        Some((_, Why::FallbackExpected)) => return Err(no("this boot is not proven yet".to_owned())),
        None => return Err(no("no update waits for its reboot".to_owned())),
    };
    let record = Record::load_or_empty(&*context.fs, &context.paths);
    let entry = sets::held_by(&disk, &record, set)?;
    let entry = entry.ok_or_else(|| no(format!("what set {set} holds is not what was installed there")))?;
    let running = context.host.os_release()?.version_id;
    let attempts = observe::attempts(context, Keep::No);
    match recall::here(context, &running, &attempts, &entry) {
        None => Ok(entry),
        Some(against) => {
            Err(no(format!("{} boots next, and it may not run any more: {}", entry.version, against.why)))
        }
    }
}
