//! One release's images as files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use verity::RootHash;

use super::boot::{self, Boot, Kernel};
use super::hash;
use super::root::{self, Root};

/// The raw images of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The BOOT image.
    pub boot: PathBuf,
    /// The ROOT image.
    pub root: PathBuf,
    /// The HASH image.
    pub hash: PathBuf,
    /// The root hash of HASH; BOOT names it too, unless the release is broken in just that.
    pub root_hash: RootHash,
}

/// Which root hash BOOT's command line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedRoot {
    /// The one of the root beside it.
    Right,
    /// Another one, so that the root is corrupt as far as a boot can tell.
    Wrong,
}

/// Makes the images below `dir`, which is created.
///
/// # Errors
/// When a file cannot be written.
pub fn build(dir: &Path, root: &Root<'_>, kernel: Kernel, named: NamedRoot) -> io::Result<Images> {
    fs::create_dir_all(dir)?;
    let path = |name: &str| dir.join(name);
    root::write(root, &path("root.squashfs"))?;
    let tree = hash::build(&path("root.squashfs"))?;
    fs::write(path("root.verity"), &tree.bytes)?;
    let root_hash = match named {
        NamedRoot::Right => tree.root_hash,
        NamedRoot::Wrong => "00".repeat(32).parse().expect("64 hexadecimal digits"),
    };
    let boot = Boot { version: root.version, root_hash, size: root.size, kernel };
    fs::write(path("boot.fat"), boot::build(&boot)?)?;
    Ok(Images {
        boot: path("boot.fat"),
        root: path("root.squashfs"),
        hash: path("root.verity"),
        root_hash: tree.root_hash,
    })
}
