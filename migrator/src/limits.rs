//! What a program may use.

use std::time::Duration;

use crate::amount::Amount;

/// What a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to end, with all that it started. Of a processor it gets as many seconds.
    pub time: Duration,
    /// Bytes of memory that it may write to.
    pub memory: u64,
    /// Bytes of each file that it writes.
    pub file_size: u64,
    /// What all that it leaves in its directory may be more than the store that it reads and one as large.
    pub growth: Amount,
}

impl Limits {
    /// Enough for the largest store, and little for a machine.
    pub const USUAL: Self = Self {
        time: Duration::from_secs(300),
        memory: 512 << 20,
        file_size: 64 << 20,
        // Twice the settings that the API takes.
        growth: Amount { bytes: 32 << 20, files: 32_768 },
    };
}
