//! `update`: looking for, installing, taking back an update, and what became of earlier ones.
//!
//! - [`command`]: which of them, and in which form
//! - [`check`]: looking for updates
//! - [`apply`]: installing the chosen one
//! - [`status`]: how far it is
//! - [`cancel`]: taking it back, or stopping it
//! - [`rollback`]: returning to the other set
//! - [`explain`]: every known version and what speaks for or against it
//! - [`history`]: what became of earlier attempts
//! - [`clear_failed`]: giving a failed release another chance

pub mod apply;
pub mod cancel;
pub mod check;
pub mod clear_failed;
pub mod command;
pub mod explain;
pub mod history;
pub mod rollback;
pub mod status;

pub use command::{Command, run};
