//! How much of a manifest is read.

/// The longest manifest that is read, in bytes.
pub const MAX_LEN: usize = 16 << 20;
/// The most updates that one manifest may list.
pub const MAX_UPDATES: usize = 4096;
/// The most wave bounds of one update: one for each seed.
pub const MAX_WAVES: usize = 2049;
