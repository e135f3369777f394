//! How well a release is.

/// What a release is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) enum Health {
    /// As it should be.
    Good,
    /// It has a health check that says no.
    Unhealthy,
    /// It takes all that is free on the persistent partition, and has a health check that wants some of it.
    Filling,
}

impl Health {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Good, Self::Unhealthy, Self::Filling];
}
