//! One update of a manifest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::extensions::UpdateExtensions;
use crate::read;

/// One release of one variant for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Which flavour of the system it is for.
    pub variant: String,
    /// Which processor it is for.
    pub arch: String,
    /// The version that a host has after it.
    pub version: Version,
    /// The newest version that hosts should run. An update above it is not offered; a host above it goes back.
    pub max_version: Version,
    /// When the update opens, by seed: see [`crate::waves`]. Empty means at once for everybody.
    #[serde(deserialize_with = "read::waves")]
    pub waves: BTreeMap<u32, DateTime<Utc>>,
    /// The images, as names of TUF targets.
    pub images: Images,
    /// What only our hosts know.
    #[serde(default, skip_serializing_if = "UpdateExtensions::is_empty")]
    pub extensions: UpdateExtensions,
}

/// The images of an update, as names of TUF targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Kernel, initrd and command line.
    pub boot: String,
    /// The root file system.
    pub root: String,
    /// The hash tree of the root file system.
    pub hash: String,
}

impl Images {
    /// The three names, each with the role of its partition.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &str); 3] {
        [("boot", &self.boot), ("root", &self.root), ("hash", &self.hash)]
    }
}
