//! Whether hosts can live with a repository: everything that can be told from outside, before they find out.
//!
//! - [`finding`]: what is wrong, and what is worth a thought
//! - [`rules`]: what the metadata and the manifest say, as values
//! - [`images`]: images streamed, decoded and held against their hash tree
//! - [`frames`]: frames streamed, decoded and held against the whole image
//! - `migrations`: what the migrations of a step lose, and what they need; `steps`: lists of steps against both settings
//!   models
//! - `once`: what was read already, for another manifest
//! - [`packs`]: packs applied to the release that they lead on from
//! - `delegated`: the roles of teams
//! - [`walk`]: the whole repository, from its first root role to the last byte of its targets

pub(crate) mod delegated;
pub mod finding;
pub mod frames;
pub mod images;
mod migrations;
mod once;
pub mod packs;
pub mod rules;
mod steps;
pub mod walk;

pub use finding::{CheckReport, Finding, RoleReport};
pub use rules::Sizes;
pub use walk::{CheckOptions, check};
