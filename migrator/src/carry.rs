//! All migrations in turn, each on a copy.
//!
//! The first reads a copy of the live store, each later one what its predecessor wrote, and none sees the live store.
//! What the last one wrote is then read by our own rules, so a broken value, a link or a missing directory in a
//! migration's work ends here, with the live store as it was.

use std::ffi::OsString;
use std::path::PathBuf;

use datastore::store_dir::{self, Contents};
use host_io::{SystemFs, report};
use migration_helpers::declared::Declaration;

use crate::amount::Amount;
use crate::args::Request;
use crate::cached::{Cached, Program};
use crate::course::Direction;
use crate::error::Error;
use crate::exec::{self, Place, Said, Sealed};
use crate::need;
use crate::scratch::{Room, STORES, Scratch};

/// Runs the migrations on copies of `contents` and returns what comes out. Nothing but the scratch directory changes.
///
/// # Errors
/// When a migration cannot be verified or run, ends badly, or writes what is no store.
pub async fn carry(
    request: &Request,
    cached: &Cached,
    contents: Contents,
    direction: Direction,
    room: Room,
) -> Result<Contents, Error> {
    let store = need::store(&contents)?;
    let mut work = Work { request, room, store, state: State::Known(contents), scratch: None };
    for (index, name) in cached.names().iter().enumerate() {
        tracing::info!("running migration {name} ({} of {})", index + 1, cached.names().len());
        match cached.program(name).await? {
            Program::Listed(list) => work.take(name, &list, direction)?,
            Program::Sealed(program) => work.run(name, &program, direction).await?,
        }
    }
    work.contents()
}

/// Settings on their way.
struct Work<'a> {
    request: &'a Request,
    room: Room,
    /// What a store like the first one takes.
    store: Amount,
    state: State,
    scratch: Option<Scratch>,
}

/// Where they are. Steps change them in memory, programs from one copy to the next.
enum State {
    Known(Contents),
    Written { by: String, dir: PathBuf },
}

impl Work<'_> {
    /// What may lie in the directory of a program.
    fn most(&self) -> Amount {
        self.request.limits.growth.plus(self.store.times(STORES))
    }

    fn take(&mut self, name: &str, list: &Declaration, direction: Direction) -> Result<(), Error> {
        let mut contents = self.contents()?;
        let way = match direction {
            Direction::Forward => migration_helpers::args::Direction::Forward,
            Direction::Backward => migration_helpers::args::Direction::Backward,
        };
        list.apply(&mut contents, way).map_err(|source| Error::Steps { name: name.to_owned(), source })?;
        self.state = State::Known(contents);
        Ok(())
    }

    async fn run(&mut self, name: &str, program: &Sealed, direction: Direction) -> Result<(), Error> {
        let (first, most) = (self.scratch.is_none(), self.most());
        let scratch = match self.scratch.take() {
            Some(scratch) => self.scratch.insert(scratch),
            None => self.scratch.insert(Scratch::make(self.request, self.room)?),
        };
        let source = match &self.state {
            State::Known(contents) => scratch.lay_out(contents)?,
            State::Written { dir, .. } => dir.clone(),
        };
        let target = scratch.another();
        let place = Place {
            launcher: &self.request.launcher,
            scratch: scratch.dir(),
            user: scratch.user(),
            free: scratch.free(),
            most,
        };
        let ended = program.run(&arguments(direction, &source, &target), place, self.request.limits).await;
        // No program is to blame for what it does where there is no room, and none to be believed that it has written
        // everything; but for one that took all that there was.
        let has_taken_it = matches!(ended, Err(exec::Error::Overfilled { .. }));
        let ended = ended.map_err(|source| Error::Migration { name: name.to_owned(), source });
        if !has_taken_it && let Err(want) = scratch.room_for(self.store.half()) {
            if let Err(error) = ended {
                tracing::warn!("failed to {}", report::chain(&error));
            }
            return Err(want);
        }
        let said = ended?;
        tell(name, &said, first);
        // Neither what it has read nor what else it left is the next one's business.
        scratch.keep_only(&target);
        self.state = State::Written { by: name.to_owned(), dir: target };
        Ok(())
    }

    /// What there is by now, read by the rules for stores where a program wrote it.
    fn contents(&mut self) -> Result<Contents, Error> {
        match std::mem::replace(&mut self.state, State::Known(Contents::default())) {
            State::Known(contents) => Ok(contents),
            State::Written { by, dir } => {
                // Also where what it wrote takes nothing of the file system, as long files without content do.
                let most = self.most();
                if Amount::below(&dir, most).exceeds(most) {
                    return Err(Error::Migration { name: by, source: exec::Error::Overfilled { most } });
                }
                let contents = store_dir::read(&SystemFs, &dir);
                if let Some(scratch) = &self.scratch {
                    scratch.remove(&dir);
                }
                contents.map_err(|source| Error::Work { name: by, source })
            }
        }
    }
}

fn arguments(direction: Direction, source: &PathBuf, target: &PathBuf) -> [OsString; 5] {
    [
        OsString::from(match direction {
            Direction::Forward => "--forward",
            Direction::Backward => "--backward",
        }),
        "--source-datastore".into(),
        source.into(),
        "--target-datastore".into(),
        target.into(),
    ]
}

fn tell(name: &str, said: &Said, first: bool) {
    // It is the same for all of them.
    if first {
        tracing::info!("migrations have {}", said.confined.in_force.join("; "));
        if !said.confined.missing.is_empty() {
            tracing::warn!("this system does not give them {}", said.confined.missing.join("; "));
        }
    }
    for line in said.out.lines() {
        tracing::info!("{name}: {line}");
    }
    // It ended well; what it says on the way is for a person all the same.
    for line in said.err.lines() {
        tracing::warn!("{name}: {line}");
    }
}
