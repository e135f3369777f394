//! What a scenario needs, made in a directory: releases, a signed repository, a server that can misbehave, and hosts
//! that boot. Developers only.
//!
//! ```no_run
//! use testdata::{Release, World};
//!
//! let world = World::new();
//! world.publish(Release::new("1.1.0"));
//! let mut host = world.host("1.0.0");
//! host.boot();
//! assert!(host.run("updog", &["update", "--reboot"]).ok());
//! assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
//! ```
//!
//! Nothing here asks for privileges or leaves the machine, and everything that can be is the same bytes each time. The
//! fixtures panic when they cannot be made; what is under test comes back as data.
//!
//! - [`noise`](mod@noise): bytes that do not compress
//! - [`image`]: ROOT, HASH and BOOT of one release
//! - [`disk`]: a disk image with a partition table, looked at without `signpost`
//! - [`release`]: a release as a test describes it
//! - [`server`]: a web server over a directory that misbehaves on request
//! - [`fleet_lock`]: a lock server that hosts ask before they reboot
//! - [`world`]: keys, a repository, its server, and hosts
//! - [`staged`]: migrations that are staged for a host's next boot, without images or a server
//! - [`frozen_store`]: a reader of stores that never changes; beside it stores of every age lie in `stores`
//! - [`host`]: a simulated host with a firmware of its own and the real programs
//! - [`program`](mod@program): where the programs under test lie

pub mod disk;
mod elf;
pub mod fleet_lock;
pub mod frozen_store;
pub mod host;
pub mod image;
pub mod noise;
pub mod program;
pub mod release;
pub mod server;
pub mod staged;
pub mod world;

pub use disk::{Banks, BootBits, DiskImage, Layout, Set, Table};
pub use host::{Attempt, BootReport, Ear, Host, HostOptions, Outcome, Ran, Running, Stage};
pub use image::{Images, Size};
pub use noise::noise;
pub use program::program;
pub use release::{BootFault, Release};
pub use server::{ClosedPort, Fault, FaultyServer, Habit, Http2Server, Relay};
/// The directories of `testdata/stores`, one for each store that a host may still have: `datastore` as it lay there, and
/// `holds.json`, what is in it.
///
/// # Panics
/// When they cannot be listed.
#[must_use]
pub fn dated_stores() -> Vec<std::path::PathBuf> {
    let stores = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("stores");
    let listed = std::fs::read_dir(&stores).expect("a directory of the source tree");
    let mut all: Vec<_> = listed.map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

pub use world::{VARIANT, World, WorldOptions};
