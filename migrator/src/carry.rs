//! All migrations in turn, each on a copy.
//!
//! The first reads a copy of the live store, each later one what its predecessor wrote, and none sees the live store.
//! What the last one wrote is then read by our own rules, so a broken value, a link or a missing directory in a
//! migration's work ends here, with the live store as it was.

use std::ffi::OsString;
use std::path::PathBuf;

use datastore::store_dir::{self, Contents};
use host_io::SystemFs;

use crate::args::Request;
use crate::cached::Cached;
use crate::course::Direction;
use crate::error::Error;
use crate::exec::{Place, Said};
use crate::scratch::{Room, Scratch};

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
    let Some(last) = cached.names().last() else { return Ok(contents) };
    let mut scratch = Scratch::make(request, room)?;
    let mut source = scratch.lay_out(&contents)?;
    for (index, name) in cached.names().iter().enumerate() {
        tracing::info!("running migration {name} ({} of {})", index + 1, cached.names().len());
        let program = cached.program(name).await?;
        let target = scratch.another();
        let place = Place { launcher: &request.launcher, scratch: scratch.dir(), user: scratch.user() };
        let said = program
            .run(&arguments(direction, &source, &target), place, request.limits)
            .await
            .map_err(|source| Error::Migration { name: name.clone(), source })?;
        tell(name, &said, index);
        scratch.remove(&source);
        source = target;
    }
    let work = |source| Error::Work { name: last.clone(), source };
    store_dir::read(&SystemFs, &source).map_err(work)
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

fn tell(name: &str, said: &Said, index: usize) {
    // It is the same for all of them.
    if index == 0 {
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
