//! From images and keys to a signed repository of paced updates.
//!
//! This crate decides what a release consists of and whether it may be published; it touches a directory that a web
//! server serves, and a directory of keys that nobody serves. It makes what every step of the walk in
//! `docs/walkthrough.md` consumes. The formats are those of `docs/compatibility.md`, "Publishing".
//!
//! - [`layout`]: where things lie, and what targets are called
//! - [`mod@init`]: keys, root role, an empty repository
//! - [`mod@add`]: a release: plan it, make its targets, sign it
//! - [`release`]: what a release is made of, checked before anything is written
//! - [`image`]: boot, root and hash image; the hash tree built, or checked
//! - [`frame`]: LZ4 frames, made as a stream
//! - [`progress`]: who is told how far it is
//! - [`report`]: what was done, for people and programs
//! - [`error`]: what can go wrong
//! - [`command`]: the command line of `pubrepo`

pub mod add;
pub mod command;
pub mod error;
pub mod frame;
pub mod image;
pub mod init;
pub mod layout;
pub mod progress;
pub mod release;
pub mod report;

pub use add::{AddOptions, Lifetimes, MissingMigrations, add, add_with};
pub use error::Error;
pub use image::ImagePaths;
pub use init::{InitOptions, init};
pub use report::{AddReport, InitReport};
