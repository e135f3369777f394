//! Which settings this image knows, and what each of them takes.
//!
//! The model is a file in the image, so the same programs serve releases with different settings; adding a setting is
//! one entry in that file. All rules here are pure functions of the model and of what a caller sent
//! (`docs/compatibility.md`, "Settings").
//!
//! - [`kind`]: the type of a setting and which values it takes
//! - [`mod@file`]: the model's file, read strictly
//! - [`known`]: what the settings that this server itself understands take beyond their type
//! - [`change`]: a request body, checked and turned into keys and values
//! - [`tree`]: keys and values as the nested object that callers see

pub mod change;
pub mod file;
pub mod kind;
pub mod known;
pub mod tree;

pub use change::ChangeError;
pub use file::{Model, ModelError, Setting};
pub use kind::Kind;
