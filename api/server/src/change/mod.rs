//! A request body, checked and turned into keys and values.
//!
//! Nothing is taken over in part: the first thing that is wrong refuses the whole request, with the setting's name and
//! what it takes.
//!
//! - [`asked`]: what a request asks for
//! - [`resolve`](mod@resolve): what changes where that meets the settings
//! - [`error`]: why nothing does

pub mod asked;
pub mod error;
pub mod resolve;
#[cfg(test)]
mod testing;

pub use asked::{Asked, Nulls, from_json, from_pairs, full_key};
pub use error::ChangeError;
pub use resolve::{Named, resolve};
