//! The subcommands, one file each: what it was asked, and what it does.
//!
//! - [`check_update`]: which update this host would take, or all that are offered
//! - [`prepare`]: kept for scripts that call it; does nothing and says so
//! - [`update`]: install the chosen update and let it boot next
//! - [`update_image`]: install it and stop there
//! - [`update_apply`]: let what was installed boot next
//! - [`update_revert`]: let the running set boot next after all
//! - [`status`]: which version is in which set
//! - [`trust`]: which roles are trusted, and forgetting them
//! - [`tuf`]: the same trust code as a client of any TUF repository

pub mod check_update;
pub mod prepare;
pub mod status;
pub mod trust;
pub mod tuf;
pub mod update;
pub mod update_apply;
pub mod update_image;
pub mod update_revert;
