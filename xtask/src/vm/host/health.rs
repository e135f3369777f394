//! How well a release is.

/// What a release is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) enum Health {
    /// As it should be.
    Good,
    /// It has a health check that says no.
    Unhealthy,
}
