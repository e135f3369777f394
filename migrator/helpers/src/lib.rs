//! For people who write migrations: programs that carry settings from one release's shape to the next one's, and back.
//!
//! A migration says what changes; this crate reads the source store, calls the migration for the live settings and for
//! every pending transaction, and writes a new target store. It never changes the source. It serves step 8 of the walk
//! (migrate). A whole migration is
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use migration_helpers::{migrate, helpers::AddSettings};
//!
//! fn main() -> ExitCode {
//!     // The default of a new setting comes from the settings model; going back, the setting must be gone.
//!     migrate(AddSettings(&["settings.metrics.send-metrics"]))
//! }
//! ```
//!
//! Two rules for authors: never assume that a key exists, and never create one unconditionally. The same code sees
//! transactions, which hold only what somebody is about to change.
//!
//! - [`args`]: the command line that `migrator` calls a migration with
//! - [`migration`]: what a migration is, and the data that it sees
//! - [`frame`]: the program around it
//! - [`helpers`]: migrations that most releases need
//! - [`declared`]: migrations without a program of their own, as a list of steps
//! - [`desk`]: the command line of the program that makes them
//! - [`error`]: why a migration fails

pub mod args;
pub mod declared;
pub mod desk;
pub mod error;
pub mod frame;
pub mod helpers;
pub mod migration;

pub use error::Error;
pub use frame::migrate;
pub use migration::{Migration, MigrationData};
