//! Which settings this image knows, what each of them takes, and which services follow them.
//!
//! The model is files in the image, so the same programs serve releases with different settings; adding a setting is
//! one entry there. All rules here are pure functions of the model and of what a caller sent (`docs/settings.md`).
//!
//! - [`name`]: the name of a setting, which may hold an id
//! - [`mod@format`]: what a text means
//! - [`kind`]: the type of a setting and which values it takes
//! - [`service`]: which service follows which settings, with which files
//! - [`entry`]: one setting of the model's files, as it is written and as it is meant
//! - [`mod@file`]: the model's files, read strictly
//! - [`known`]: the settings that this server itself has a hand in
//! - [`change`]: a request body, checked and turned into keys and values
//! - [`tree`]: keys and values as the nested object that callers see

pub mod change;
pub mod entry;
pub mod file;
pub mod format;
pub mod kind;
pub mod known;
pub mod name;
pub mod service;
pub mod tree;

pub use change::ChangeError;
pub use entry::Setting;
pub use file::{Exec, Model, ModelError};
pub use format::Format;
pub use kind::Kind;
pub use name::Name;
pub use service::Service;
