//! Migrations that most releases need, ready to be named in a `main`.
//!
//! - [`settings`]: settings that come or go
//! - [`values`]: a value that is replaced by another one
//! - [`metadata`]: the same for what is noted about settings
//!
//! What each does in which direction: `docs/compatibility.md`, "Migration helpers".

pub mod metadata;
pub mod settings;
pub mod values;

pub use metadata::{
    AddMetadata, MetadataListReplacement, MetadataReplacement, RemoveMetadata, ReplaceMetadata,
};
pub use metadata::{ReplaceMetadataLists, SettingMetadata};
pub use settings::{AddPrefixes, AddSettings, NoOp, RemoveSettings, RenameSettings};
pub use values::{ListReplacement, ReplaceLists, ReplaceString};
