//! The subcommands, one file each: what it was asked, and what it does.
//!
//! - [`check_update`]: which update this host would take, or all that are offered
//! - [`prepare`]: kept for scripts that call it; does nothing and says so
//! - [`plan`]: what the update would fetch, copy, leave alone and write
//! - [`update`]: install the chosen update and let it boot next
//! - [`update_image`]: install it and stop there
//! - [`update_apply`]: let what was installed boot next
//! - [`update_revert`]: let the running set boot next after all
//! - [`status`]: which version is in which set
//! - [`explain`]: what this host makes of every version, and why
//! - [`history`]: what was done lately
//! - [`confirm_boot`]: mark this boot good, once the system does what it should
//! - [`reboot_in_turn`]: reboot into the update when it is this host's turn; [`end_turn`]: what follows the boot
//! - [`clear_failed`]: let releases be tried again that did not stay
//! - [`rollback`]: go back to the release in the other set
//! - [`trust`]: which roles are trusted, and forgetting them
//! - [`tuf`]: the same trust code as a client of any TUF repository

pub mod check_update;
pub mod clear_failed;
pub mod confirm_boot;
pub mod end_turn;
pub mod explain;
pub mod history;
pub mod install;
pub mod metrics;
pub mod plan;
pub mod prepare;
pub mod reboot_in_turn;
pub mod rollback;
pub mod status;
pub mod trust;
pub mod tuf;
pub mod update;
pub mod update_apply;
pub mod update_image;
pub mod update_revert;
