//! How large a release is.

/// How large a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Size {
    /// About 3 MB of root: what tests want.
    #[default]
    Small,
    /// About 40 MB of root: what one wants to see move.
    Demo,
}
