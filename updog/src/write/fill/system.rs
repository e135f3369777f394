//! What becomes of root and its hash image.

use std::sync::Arc;

use crate::look::plan::Way;
use crate::look::survey::RootRecipe;
use crate::write::install::VerifiedTree;
use crate::write::install::target::Tally;

/// How an image really came: not always as it was planned.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) way: Way,
    /// Bytes received for it.
    pub(super) fetched: u64,
}

/// What root must be, and what is left to be done for it.
pub(super) struct System {
    pub(super) tree: Arc<VerifiedTree>,
    pub(super) root: RootRecipe,
    /// What the pack did to root.
    pub(super) earlier: Tally,
    /// How root and hash came, as far as the pack goes.
    pub(super) came: Option<(Came, Came)>,
}
