//! How much is asked.

/// How many settings the host has.
pub(super) const KEYS: usize = 5000;
/// How many callers ask at the same time.
pub(super) const CALLERS: u32 = 50;
/// How many answers the errors are counted over.
pub(super) const REQUESTS: u32 = 100_000;
/// How often the client is started.
pub(super) const STARTS: usize = 50;
