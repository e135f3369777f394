//! The machine itself, for the edges of programs.

use std::sync::Arc;

use crate::fs::Fs;
#[cfg(not(feature = "explore"))]
use crate::system_fs::SystemFs;

/// The file system of the machine, for the edges of programs. With the feature `explore` it can be one that is recorded.
#[must_use]
pub fn file_system() -> Arc<dyn Fs> {
    #[cfg(feature = "explore")]
    return crate::explore::record::file_system();
    #[cfg(not(feature = "explore"))]
    Arc::new(SystemFs)
}
