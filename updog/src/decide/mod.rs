//! Which release this host takes, and why: rules over values. Nothing here touches a disk, a file or the network, and
//! no rule may depend on what a run has already changed.
//!
//! - [`machine`]: what is known of the host
//! - [`choice`]: what can be asked, and answered
//! - [`choose`]: which update
//! - [`why`]: why none
//! - [`explain`]: every version and its reason
//! - [`standing`]: whether what was chosen still stands
//! - [`withheld`]: what a fleet's roles for holds withhold
//! - [`attempts`]: releases that did not stay, and when one may be tried again
//! - [`recall`]: whether what is staged is still offered
//! - [`guard`]: what is refused before anything changes

pub mod attempts;
pub mod choice;
pub mod choose;
pub mod explain;
pub mod guard;
pub mod machine;
pub mod recall;
pub mod standing;
pub mod why;
pub mod withheld;
