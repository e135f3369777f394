//! Whether an update is for a host at all, before its schedule is looked at (`docs/compatibility.md`, "Manifest").

use std::fmt;

use semver::Version;
use serde::Serialize;

use crate::{Update, safe_target_name};

/// What keeps an update from a host of its variant and architecture, whatever the schedule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obstacle {
    /// It is above the newest version that may run.
    TakenBack {
        /// That version.
        max_version: Version,
    },
    /// It names a target with characters that no target name may have.
    UnsafeName {
        /// The name.
        name: String,
    },
    /// It restricts who may take it in a way that is not understood.
    Misread {
        /// The field.
        field: &'static str,
    },
    /// It has to be installed by a newer `updog`.
    Updater {
        /// The oldest one that may.
        min_updater: Version,
    },
    /// Another version comes first.
    Barrier {
        /// That version.
        first: Version,
    },
}

impl Update {
    /// What keeps this update from a host of its variant and architecture. `updater` is the version of the host's
    /// `updog`, `barrier` what [`crate::barrier::next_barrier`] says of the host.
    #[must_use]
    pub fn obstacle(&self, updater: &Version, barrier: Option<&Version>) -> Option<Obstacle> {
        if self.version > self.max_version {
            return Some(Obstacle::TakenBack { max_version: self.max_version.clone() });
        }
        if let Some((_, name)) = self.images.named().into_iter().find(|(_, name)| !safe_target_name(name)) {
            return Some(Obstacle::UnsafeName { name: name.to_owned() });
        }
        if let Some(field) = self.extensions.misread() {
            return Some(Obstacle::Misread { field });
        }
        if let Some(min_updater) = self.extensions.min_updater.as_ref().filter(|least| *least > updater) {
            return Some(Obstacle::Updater { min_updater: min_updater.clone() });
        }
        let first = barrier.filter(|barrier| **barrier < self.version)?;
        Some(Obstacle::Barrier { first: first.clone() })
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenBack { max_version } => {
                write!(f, "it was taken back: nothing above {max_version} may run")
            }
            Self::UnsafeName { name } => {
                write!(f, "it names the target {name:?}, with characters that no target name may have")
            }
            Self::Misread { field } => write!(f, "its field {field:?} cannot be read"),
            Self::Updater { min_updater } => write!(f, "it needs updog {min_updater} or newer"),
            Self::Barrier { first } => write!(f, "{first} has to run first"),
        }
    }
}
