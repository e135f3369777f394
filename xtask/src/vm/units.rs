//! Units of sizes.

/// Bytes of a mebibyte.
pub(super) const MIB: u64 = 1 << 20;
