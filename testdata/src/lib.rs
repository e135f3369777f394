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
//! - [`image`]: ROOT, HASH and BOOT of one release
//! - [`disk`]: a disk image with a partition table, looked at without `signpost`
//! - [`release`]: a release as a test describes it
//! - [`server`]: a web server over a directory that misbehaves on request
//! - [`world`]: keys, a repository, its server, and hosts
//! - [`staged`]: migrations that are staged for a host's next boot, without images or a server
//! - [`host`]: a simulated host with a firmware of its own and the real programs
//! - [`program`](mod@program): where the programs under test lie

pub mod disk;
pub mod host;
pub mod image;
pub mod program;
pub mod release;
pub mod server;
pub mod staged;
pub mod world;

pub use disk::{Banks, BootBits, DiskImage, Layout, Set, Table};
pub use host::{Attempt, BootReport, Ear, Host, HostOptions, Outcome, Ran, Running, Stage};
pub use image::{Images, Size};
pub use program::program;
pub use release::{BootFault, Release};
pub use server::{ClosedPort, Fault, FaultyServer, Habit, Http2Server, Relay};
pub use world::{VARIANT, World, WorldOptions};
