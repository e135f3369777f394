//! Where everything lies that is made.

use std::path::PathBuf;

use crate::cargo::workspace;

/// The directory of all of it, below the one that cargo builds in.
pub(crate) fn home() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace().join(target).join("vm")
}
