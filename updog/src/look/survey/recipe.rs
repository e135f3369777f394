//! How the images of one update are made, as far as that is known before anything changes.

use std::sync::Arc;

use verity::RootHash;

use super::pack::Packed;
use crate::look::plan::{Origins, Parts, Plan};
use crate::write::install::receipt::Receipts;
use crate::write::install::scan::BootInPlace;
use crate::write::install::{VerifiedIndex, VerifiedTree};

/// How root is made.
pub enum RootRecipe {
    /// From what the disk has, and from frames where there is an index.
    Parts(Parts, Option<Arc<VerifiedIndex>>),
    /// From its stream, except the blocks that are in place.
    Stream(Origins),
}

/// How root and its hash image are made.
pub enum SystemRecipe {
    /// The hash image is at hand: what root must be, and how it is made.
    Known(Arc<VerifiedTree>, RootRecipe),
    /// Both come of a pack.
    Packed(Box<Packed>),
}

impl SystemRecipe {
    /// The root hash of what comes out.
    #[must_use]
    pub fn root_hash(&self) -> RootHash {
        match self {
            Self::Known(tree, _) => tree.root_hash(),
            Self::Packed(packed) => packed.pack.root_hash().expect("a pack of root has one"),
        }
    }
}

/// How boot is made.
pub enum BootRecipe {
    /// It is there.
    InPlace(BootInPlace),
    /// From what the disk has, and from frames.
    Parts(Parts, Arc<VerifiedIndex>),
    /// By a pack, and what that does not make from frames.
    Packed(Box<Packed>, Arc<VerifiedIndex>),
    /// From its stream.
    Stream,
}

/// All that is known before anything changes.
pub struct Survey {
    /// What it will take.
    pub plan: Plan,
    /// How it is done.
    pub recipes: Recipes,
}

/// How the images of one update are made.
pub struct Recipes {
    /// How root and its hash image are made.
    pub system: SystemRecipe,
    /// How boot is made.
    pub boot: BootRecipe,
    /// What is known of signed targets.
    pub receipts: Receipts,
}
