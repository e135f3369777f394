//! File systems with fixed identities, and the hash image over each ROOT.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use verity::{BLOCK_SIZE, Salt, TreeBuilder};

use super::tree::{EPOCH, Tree};
use crate::bench::tools::{command, said};

const UUID: &str = "5ca1ab1e-0000-4000-8000-000000000001";
const HASH_SEED: &str = "5ca1ab1e-0000-4000-8000-000000000002";
/// The same for all releases, as `pubrepo add` keeps it.
const SALT: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";
const MIB: u64 = 1 << 20;
/// The size of BOOT.
const BOOT: u64 = 96 * MIB;

/// A file system of ROOT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Blocks as they are.
    Ext4,
    /// Compressed, as read-only systems have it.
    Erofs,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Ext4, Self::Erofs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Erofs => "erofs",
        }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// Builds the images of a release in `dir`.
pub(super) fn build(tree: &Tree, dir: &Path, largest: u64) -> Result<Vec<ImageFile>, Box<dyn Error>> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(dir)?;
    ext4(&tree.boot, &dir.join("boot.img"), BOOT)?;
    ext4(&tree.root, &dir.join("root.ext4"), ext4_size(largest))?;
    erofs(&tree.root, &dir.join("root.erofs"))?;
    for kind in Kind::ALL {
        hash(&dir.join(format!("root.{}", kind.name())), &dir.join(format!("hash.{}", kind.name())))?;
    }
    let mut files = Vec::new();
    for name in ["boot.img", "root.ext4", "hash.ext4", "root.erofs", "hash.erofs"] {
        files.push(ImageFile { name: name.to_owned(), bytes: fs::metadata(dir.join(name))?.len() });
    }
    Ok(files)
}

/// Room for so many bytes of files, and what the file system itself needs.
fn ext4_size(bytes: u64) -> u64 {
    (bytes + bytes / 20 + 32 * MIB).next_multiple_of(16 * MIB)
}

/// A tree as an ext4 of this size, the same bytes each time.
pub(in crate::bench) fn ext4(tree: &Path, out: &Path, size: u64) -> Result<(), Box<dyn Error>> {
    File::create(out)?.set_len(size)?;
    said(
        command("mkfs.ext4")
            .env("E2FSPROGS_FAKE_TIME", EPOCH.to_string())
            .args(["-q", "-F", "-b", "4096", "-m", "0", "-O", "^has_journal,^resize_inode", "-U", UUID])
            .args(["-E", &format!("hash_seed={HASH_SEED},lazy_itable_init=0,nodiscard"), "-d"])
            .arg(tree)
            .arg(out),
    )?;
    // The times of files are those of the folder that they were taken from; only `mtime` is the package's.
    let script = out.with_extension("debugfs");
    let about = said(command("dumpe2fs").arg("-h").arg(out))?;
    let inodes = used_inodes(&about).ok_or("read what dumpe2fs says")?;
    let mut lines = String::new();
    for inode in (1..=inodes).filter(|inode| *inode == 2 || *inode > 10) {
        for field in ["atime", "ctime", "crtime"] {
            let _ = writeln!(lines, "sif <{inode}> {field} @{EPOCH}");
            let _ = writeln!(lines, "sif <{inode}> {field}_extra 0");
        }
    }
    fs::write(&script, lines)?;
    said(
        command("debugfs")
            .env("E2FSPROGS_FAKE_TIME", EPOCH.to_string())
            .arg("-w")
            .arg("-f")
            .arg(&script)
            .arg(out),
    )?;
    fs::remove_file(script)?;
    Ok(())
}

/// The last inode that is in use: a new file system hands them out one after another.
fn used_inodes(about: &str) -> Option<u64> {
    let field =
        |name: &str| about.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    field("Inode count:")?.checked_sub(field("Free inodes:")?)
}

fn erofs(tree: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    said(
        command("mkfs.erofs")
            .args(["-z", "lz4hc,12", "-C", "262144", "--all-root", "-U", UUID])
            .arg(format!("-T{EPOCH}"))
            .arg(out)
            .arg(tree),
    )?;
    // ROOT is a number of whole blocks.
    let file = File::options().write(true).open(out)?;
    file.set_len(file.metadata()?.len().next_multiple_of(BLOCK_SIZE as u64))?;
    Ok(())
}

fn hash(root: &Path, out: &PathBuf) -> Result<(), Box<dyn Error>> {
    let mut builder = TreeBuilder::new(SALT.parse::<Salt>()?, [7; 16]);
    let mut file = File::open(root)?;
    let mut buffer = vec![0; 256 * BLOCK_SIZE];
    let mut left = file.metadata()?.len();
    while left > 0 {
        let piece = left.min(buffer.len() as u64);
        let piece = &mut buffer[..usize::try_from(piece)?];
        file.read_exact(piece)?;
        left -= piece.len() as u64;
        piece.chunks(BLOCK_SIZE).try_for_each(|block| builder.push(block))?;
    }
    fs::write(out, builder.finish().bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inodes_in_use_are_counted_from_what_dumpe2fs_says() {
        let about = "Filesystem features: x\nInode count:              1000\nFree inodes:              900\n";
        assert_eq!(used_inodes(about), Some(100));
        assert_eq!(used_inodes("Inode count: 5\n"), None);
    }

    #[test]
    fn a_root_file_system_has_some_room_and_a_round_size() {
        assert_eq!(ext4_size(800 * MIB), 880 * MIB);
        assert_eq!(ext4_size(1) % (16 * MIB), 0);
    }
}
