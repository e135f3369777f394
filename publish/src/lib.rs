//! From images and keys to a signed repository of paced updates.
//!
//! This crate decides what a release consists of and whether it may be published; it touches a directory that a web
//! server serves, and a directory of keys that nobody serves. It makes what every step of the walk in
//! `docs/walkthrough.md` consumes. The formats are those of `docs/compatibility.md`, "Publishing".
//!
//! - [`layout`]: where things lie, and what targets are called
//! - [`mod@init`]: keys, root role, an empty repository
//! - [`keys`]: where the keys lie that sign, and how they are opened
//! - [`passphrase`]: of keys that are encrypted
//! - [`mod@add`]: a release: plan it, make its targets, sign it
//! - [`release`]: what a release is made of, checked before anything is written
//! - [`doubts`]: what hosts will stumble over; [`boot`]: the root hash that BOOT names
//! - `root_files`: what lies in a root image; `os_release`: what it calls itself; `elf`: what a program needs
//! - [`mod@hash`]: a root hash before anything is published
//! - [`image`]: boot, root and hash image; the hash tree built, or checked
//! - [`frame`]: LZ4 frames, made as a stream
//! - [`framing`]: images once more, cut into frames with an index
//! - [`mod@pack`]: what hosts with one of the last releases fetch instead
//! - [`session`]: one publisher at a time
//! - [`lifetimes`]: how long the roles hold; [`expiration`]: from a policy file
//! - [`mod@refresh`]: new dates for what is published
//! - [`mod@rollout`]: a rollout under way: pause it, go on, take it back
//! - [`root`]: the next root role, signed by one key holder at a time
//! - [`delegate`]: teams that sign a role of their own
//! - [`hold`]: releases that are withheld from hosts
//! - [`guard`]: a rollout that stops by itself
//! - [`mod@mirror`]: a copy for places without a network
//! - [`place`]: a repository as others see it; [`mod@list`]: what it has
//! - [`mod@prune`]: files that nobody asks for any more
//! - [`mod@check`]: whether hosts can live with it
//! - [`store`]: a repository in an object store
//! - [`mod@simulate`]: what a rollout will look like, before it is one
//! - [`progress`]: who is told how far it is
//! - [`mod@page`]: a page about a repository, for people
//! - [`report`]: what was done, for people and programs
//! - [`error`]: what can go wrong
//! - [`command`]: the command line of `pubrepo`

pub mod add;
pub mod boot;
pub mod check;
pub mod command;
pub mod delegate;
pub mod doubts;
mod elf;
pub mod error;
pub mod expiration;
pub mod frame;
pub mod framing;
mod ground;
pub mod guard;
pub mod hash;
pub mod hold;
pub mod image;
pub mod init;
pub mod keys;
pub mod layout;
pub mod lifetimes;
pub mod list;
pub mod mirror;
mod os_release;
pub mod pack;
pub mod page;
pub mod passphrase;
pub mod place;
pub mod progress;
pub mod prune;
pub mod refresh;
pub mod release;
pub mod report;
pub mod rollout;
pub mod root;
mod root_files;
pub mod session;
pub mod simulate;
pub mod store;
mod worker;

pub use add::{AddOptions, MissingMigrations, add, add_with};
pub use blocks::{FrameSize, Level};
pub use check::{CheckOptions, CheckReport, check};
pub use doubts::Doubts;
pub use error::Error;
pub use framing::Framing;
pub use image::ImagePaths;
pub use init::{InitOptions, init};
pub use keys::Keys;
pub use lifetimes::Lifetimes;
pub use pack::Bases;
pub use passphrase::Passphrase;
pub use place::Place;
pub use report::{AddReport, InitReport};
pub use session::Desk;
pub use update_metadata::Pace;
