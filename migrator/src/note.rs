//! What this boot writes down for the set that may have to return.
//!
//! Only a boot that is not proven yet has something to say: whoever reads it wants to know why that boot never was.

use host_io::boot_note::{root_hash_of, stage};
use host_io::{BootNote, Clock as _, Fs, Host as _, Paths, SystemClock, SystemHost, report};
use signpost::OsDisk;

use crate::args::Request;
use crate::error::Error;

/// The note of a boot that is not proven yet.
#[derive(Debug)]
pub struct Note(BootNote);

impl Note {
    /// Notes that migrating begins. `None` where the running set is proven, or nobody knows which one it is.
    #[must_use]
    pub fn begin(fs: &dyn Fs, request: &Request) -> Option<Self> {
        let status = OsDisk::discover(&request.paths).and_then(|disk| disk.status()).ok()?;
        if status.active().bits.successful {
            return None;
        }
        let command_line = SystemHost::new(request.paths.clone()).command_line().unwrap_or_default();
        let note = Self(BootNote {
            version: request.target.clone(),
            root_hash: root_hash_of(&command_line),
            stage: stage::MIGRATE.to_owned(),
            failed: None,
            at: Some(SystemClock.now()),
        });
        note.write(fs, &request.paths);
        Some(note)
    }

    /// Notes how migrating ended.
    pub fn end(self, fs: &dyn Fs, paths: &Paths, error: Option<&Error>) {
        let note = match error {
            // A reader that knows the word takes it for no evidence, and an older one for a boot without a word.
            Some(error) if error.is_want_of_room() => BootNote { stage: stage::NO_ROOM.to_owned(), ..self.0 },
            Some(error) => self.0.failed(&format!("failed to {}", report::chain(error))),
            None => BootNote { stage: stage::SYSTEM.to_owned(), ..self.0 },
        };
        Self(BootNote { at: Some(SystemClock.now()), ..note }).write(fs, paths);
    }

    /// A boot goes on without its note.
    fn write(&self, fs: &dyn Fs, paths: &Paths) {
        if let Err(error) = self.0.write(fs, paths) {
            tracing::warn!("the other set will not learn how far this boot came: {error}");
        }
    }
}
