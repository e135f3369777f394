//! All migrations in turn, each on a copy.
//!
//! The first reads the live store, each later one what its predecessor wrote, and none changes what it reads. What the
//! last one wrote is then read by our own rules and written once more, synced, under a new name: a broken value, a link
//! or a missing sync in a migration's work ends here, with the live store as it was.

use std::ffi::OsString;
use std::path::Path;

use datastore::links::Chain;
use datastore::store_dir::{self, Contents};
use host_io::{Fs, swap};

use crate::args::Request;
use crate::cached::Cached;
use crate::course::Direction;
use crate::error::Error;

/// Runs the migrations on copies of the store that `live` leads to, and returns the chain to the store that came out.
/// It is whole and durable, and no link leads to it yet. Where no migration is needed, it is the store that is there.
///
/// # Errors
/// When a migration cannot be verified or run, ends badly, or writes what is no store. Its work is removed then.
pub async fn carry(
    fs: &dyn Fs,
    request: &Request,
    cached: &Cached,
    live: &Chain,
    direction: Direction,
) -> Result<Chain, Error> {
    if cached.names().is_empty() {
        return Ok(Chain { version: request.target.clone(), data_dir: live.data_dir.clone() });
    }
    let mut copies = Copies { fs, base: &request.base, made: Vec::new() };
    let mut source = live.data_dir.clone();
    for (index, name) in cached.names().iter().enumerate() {
        tracing::info!("running migration {name} ({} of {})", index + 1, cached.names().len());
        let program = cached.program(name).await?;
        let target = copies.next(request);
        let arguments = [
            OsString::from(match direction {
                Direction::Forward => "--forward",
                Direction::Backward => "--backward",
            }),
            "--source-datastore".into(),
            request.base.join(&source).into(),
            "--target-datastore".into(),
            request.base.join(&target).into(),
        ];
        let said = program
            .run(&arguments, request.limits)
            .await
            .map_err(|source| Error::Migration { name: name.clone(), source })?;
        tell(name, &said.out, &said.err);
        // Each copy is short-lived: a partition has room for two, however long the way is.
        copies.keep_only(&target);
        source = target;
    }
    let contents = read_work(fs, &request.base, &source, cached)?;
    let chain = Chain::fresh(&request.target);
    let dir = request.base.join(&chain.data_dir);
    copies.made.push(chain.data_dir.clone());
    store_dir::write(fs, &dir, &contents).map_err(Error::Datastore)?;
    copies.keep_only(&chain.data_dir);
    copies.made.clear();
    Ok(chain)
}

/// Reads what the last migration wrote, by the rules for stores.
fn read_work(fs: &dyn Fs, base: &Path, dir: &str, cached: &Cached) -> Result<Contents, Error> {
    store_dir::read(fs, &base.join(dir))
        .map_err(|source| Error::Work { name: cached.names().last().cloned().unwrap_or_default(), source })
}

fn tell(name: &str, out: &str, err: &str) {
    for line in out.lines() {
        tracing::debug!("{name}: {line}");
    }
    // It ended well; what it says on the way is for a person all the same.
    for line in err.lines() {
        tracing::warn!("{name}: {line}");
    }
}

/// Directories without a link that migrations write to. Those that are left when this is dropped are removed; a cut
/// leaves them for the next writer of the store.
struct Copies<'a> {
    fs: &'a dyn Fs,
    base: &'a Path,
    made: Vec<String>,
}

impl Copies<'_> {
    /// The name of a directory that does not exist.
    fn next(&mut self, request: &Request) -> String {
        let name = Chain::fresh(&request.target).data_dir;
        self.made.push(name.clone());
        name
    }

    fn keep_only(&mut self, keep: &str) {
        let (kept, gone) = self.made.drain(..).partition(|name| name == keep);
        self.made = kept;
        gone.iter().for_each(|name| self.remove(name));
    }

    fn remove(&self, name: &str) {
        let dir = self.base.join(name);
        if let Err(error) = swap::discard(self.fs, &dir) {
            tracing::warn!("{} stays for now: {error}", dir.display());
        }
    }
}

impl Drop for Copies<'_> {
    fn drop(&mut self) {
        self.made.iter().for_each(|name| self.remove(name));
    }
}
