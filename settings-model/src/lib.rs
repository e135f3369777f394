//! Which settings this image knows, what each of them takes, and which services follow them.
//!
//! It decides what a value may be and touches the model's files only, which are part of the image: so the same programs
//! serve releases with different settings, and adding a setting is one entry there. `apiserver` holds requests and what
//! it finds on the disk against it, `migrator` what migrations leave behind (step 8 of the walk). The rules are in
//! `docs/settings.md`.
//!
//! - [`name`]: the name of a setting, which may hold an id
//! - [`mod@format`]: what a text means
//! - `proxy`: what a proxy is, and what is reached without one
//! - [`kind`]: the type of a setting and which values it takes
//! - [`service`]: which service follows which settings, with which files
//! - [`entry`]: one setting of the model's files, as it is written and as it is meant
//! - [`model`]: the settings and services of an image
//! - [`mod@file`]: the model's files
//! - [`known`]: the settings that programs of ours have a hand in
//! - [`mod@fit`]: the settings of a store, held against the model
//! - [`tree`]: keys and values as the nested object that callers see

pub mod entry;
pub mod file;
pub mod fit;
pub mod format;
pub mod kind;
pub mod known;
pub mod model;
pub mod name;
mod proxy;
pub mod service;
mod sound;
pub mod tree;

pub use entry::Setting;
pub use file::ModelError;
pub use fit::{Fitted, Misfit, fit, fitting};
pub use format::Format;
pub use kind::Kind;
pub use model::{Exec, Model};
pub use name::Name;
pub use service::Service;
