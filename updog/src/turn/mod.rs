//! One host of a group after another: a turn is asked for before a reboot into an update, and given back after the boot.
//!
//! It decides whether this host may reboot by itself now. It touches a note on the partition that both sets share, a lock
//! server that speaks the FleetLock protocol, and the hooks of the image and the host. Nothing else that reboots a host
//! comes here: a deadline, a fallback and a person neither ask nor wait (`docs/fleets.md`, "One after another").
//!
//! - [`identity`]: under which name a host asks, which tells nobody its machine id
//! - [`note`]: what is kept of a turn, over cuts and from set to set
//! - [`confirmed`]: whether the boot at hand is a good one
//! - [`due`]: what is to be done about a turn that was taken: a rule over values
//! - [`lock`]: the lock server
//! - [`hooks`]: what drains a host and brings it back
//! - [`wanted`]: whether an update waits for its reboot at all
//! - [`take`]: everything before the reboot, in the one order that is safe
//! - [`end`]: everything after the boot
//! - [`told`]: how a turn is told
//! - [`refused`]: why there is no reboot, or no end of a turn

pub mod confirmed;
pub mod due;
pub mod end;
pub mod hooks;
pub mod identity;
pub mod lock;
pub mod note;
pub mod refused;
pub mod take;
pub mod told;
pub mod wanted;
