//! Where images lie.

use std::path::PathBuf;

use super::release::Extent;
use crate::cargo::workspace;

/// Where images lie.
pub(in crate::bench) fn dir(extent: Extent) -> PathBuf {
    workspace().join(match extent {
        Extent::Server => "target/bench/images",
        Extent::Little => "target/bench/images-little",
    })
}
