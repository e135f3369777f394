//! What an update will move, as data, before it moves anything.
//!
//! Everything here is a rule over values: what is signed, what the disk holds, and what comes out of the two. So a plan
//! can be printed, weighed and refused while nothing has changed (`docs/design.md`, "Images").
//!
//! - [`origin`]: where each block of an image comes from; [`bits`]: yes or no for each
//! - [`running_root`]: where in the running root a block lies
//! - [`frames`]: which frames have to be fetched for that, and what is copied beside them
//! - [`budget`]: how much may be fetched at all
//! - [`update`]: the plan of one update, which adds it up

pub mod bits;
pub mod budget;
pub mod frames;
pub mod origin;
pub mod running_root;
pub mod update;

pub use budget::{Budget, OverBudget};
pub use frames::{Cut, Parts};
pub use origin::{Bytes, Origin, Origins};
pub use running_root::Lookup;
pub use update::{FilePlan, ImagePlan, Plan, Unsigned, Way, target_of};
