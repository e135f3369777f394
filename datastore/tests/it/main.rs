//! What a store promises, told from outside.
//!
//! - `layout`: the files that other programs rely on, and what is refused
//! - `model`: any sequence of changes, against a map in memory
//! - `switching`: from any version to any other, and what is kept
//! - `cost`: what a change costs at the seam to the file system
//! - `lost`: a store in which something cannot be read, or whose link is gone
//! - `power_cut`: every change, stopped after every operation

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod cost;
mod layout;
mod lost;
mod model;
mod power_cut;
mod switching;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datastore::store_dir::Settings;
use datastore::{Datastore, Key, Value};
use host_io::explore::CutFs;
use host_io::fs::Kind;
use host_io::{Fs, SystemFs};
use semver::Version;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn settings<const N: usize>(pairs: [(&str, Value); N]) -> Settings {
    pairs.into_iter().map(|(name, value)| (key(name), value)).collect::<BTreeMap<_, _>>()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// The machine's file system without the wait for syncs.
fn quick() -> Arc<CutFs> {
    Arc::new(CutFs::counting())
}

fn create(base: &Path, text: &str) -> Datastore {
    Datastore::create(quick(), base, &version(text)).unwrap()
}

fn open(base: &Path) -> Datastore {
    Datastore::open(quick(), base).unwrap()
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    SystemFs.list(dir).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// How many data directories there are.
fn data_dirs(base: &Path) -> usize {
    data_dirs_of(&SystemFs, base)
}

/// The same in any file system.
fn data_dirs_of(fs: &dyn Fs, base: &Path) -> usize {
    let is_one = |name: &str| fs.kind(&base.join(name).join("live")).unwrap() == Some(Kind::Directory);
    fs.list(base).unwrap().iter().filter(|entry| entry.name.contains('_') && is_one(&entry.name)).count()
}
