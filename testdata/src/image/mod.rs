//! The three images of a release, made in the order in which a real build makes them: root, its hash tree, and a BOOT
//! whose command line names the tree's root hash.
//!
//! - [`content`]: what files hold
//! - [`size`]: how large they are
//! - [`model`]: which settings a release knows
//! - [`root`]: the squashfs
//! - [`hash`]: its dm-verity tree
//! - [`boot`]: the FAT file system
//! - [`build`]: all three for one release
//! - [`attack`]: what an attacker could send in the place of one

pub mod attack;
pub mod boot;
pub mod build;
pub mod content;
pub mod hash;
pub mod model;
pub mod root;
pub mod size;

pub use build::Images;
pub use size::Size;
