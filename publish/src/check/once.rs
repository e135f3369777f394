//! What was read already. The same release stands in the manifest of all hosts and in that of a team: it is read for the
//! first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use semver::Version;
use verity::HashTree;

use super::migrations::{Image, Migration};

/// What was read already, and what it turned out to be.
#[derive(Default)]
pub(super) struct Once {
    /// Targets, by their names.
    pub(super) targets: BTreeSet<String>,
    /// Whole images: those of hash, boot and root, by their names.
    pub(super) images: BTreeMap<[String; 3], Seen>,
    /// Frames and packs, each with the names of what it was held against.
    pub(super) held: BTreeSet<Vec<String>>,
    /// Migrations, by their names.
    pub(super) migrations: BTreeMap<String, Migration>,
    /// Steps from one version to the next, with the names of their migrations.
    pub(super) steps: BTreeSet<(Version, Version, Vec<String>)>,
    /// Root images that migrations ask something of, by release and name.
    pub(super) roots: BTreeMap<(Version, String), Arc<Image>>,
}

/// What the whole images of an update turned out to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The tree over root.
    pub(super) tree: Option<Arc<HashTree>>,
    /// The SHA-256 of the raw boot image.
    pub(super) boot: Option<[u8; 32]>,
}

impl Once {
    /// Whether `what` is held against that for the first time.
    pub(super) fn hold<const N: usize>(&mut self, what: [&str; N]) -> bool {
        self.held.insert(what.map(str::to_owned).to_vec())
    }
}
