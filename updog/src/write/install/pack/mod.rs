//! Groups of an image, made of the running image and a pack (`docs/formats.md`, "Packs").
//!
//! Decides which groups are in place and which frames of a pack the others take; it reads the running set checked, and
//! writes a group only once it is what the signed header says. It never says that an image is complete: whoever goes on
//! after it looks with other eyes, at the hash image or the index of frames, and fetches what is missing.
//!
//! - [`header`]: what a pack says of itself, from a signed target
//! - [`base`]: the running image, read checked
//! - [`in_place`]: the groups that are in place
//! - [`look`](mod@look): which groups are in place
//! - [`apply`](mod@apply): frames fetched, groups built, compared and written

pub mod apply;
pub mod base;
pub mod header;
pub mod in_place;
pub mod look;

pub use apply::{Applied, apply};
pub use header::VerifiedPack;
pub use in_place::InPlace;
pub use look::look;
