//! What the kernel makes of a persistent partition as a power cut left it: its journal is replayed by whoever mounts it.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::tree::{Hash, Tree};
use super::raw::Raw;
use crate::bench::tools::{command, said};

/// What is written at once; what is empty is left out.
const PIECE: usize = 1 << 16;

/// How often, and in what time, what is mounted is left.
const TRIES: u32 = 100;
const MOMENT: Duration = Duration::from_millis(50);

/// Mounts persistent partitions, each different one once.
pub(super) struct Mounts {
    dir: PathBuf,
    known: HashMap<Hash, Result<Tree, String>>,
    /// How many were mounted.
    pub(super) count: usize,
    /// How many of these only once `e2fsck` had mended them, as the initramfs lets it.
    pub(super) mended: usize,
}

impl Mounts {
    /// Mounts below `dir`.
    pub(super) fn below(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("mounted"))?;
        Ok(Self { dir: dir.to_owned(), known: HashMap::new(), count: 0, mended: 0 })
    }

    /// What lies on a disk's persistent partition once the kernel has replayed its journal; what is wrong with it is the
    /// inner error.
    pub(super) fn tree(&mut self, raw: &Raw) -> io::Result<Result<Tree, String>> {
        let key = raw.persistent_key();
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        self.count += 1;
        let file = self.dir.join("persistent");
        copy(raw.persistent(), &file)?;
        let tree = self.mount(&file);
        fs::remove_file(file)?;
        self.known.insert(key, tree.clone());
        Ok(tree)
    }

    fn mount(&mut self, file: &Path) -> Result<Tree, String> {
        let mounted = self.dir.join("mounted");
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let mount = || said(tool("mount").args(["-t", "ext4", "-o", "loop"]).arg(file).arg(&mounted));
        if mount().is_err() {
            // Half of a superblock: what the initramfs does then (dist/initramfs) is done here. Its exit code tells that
            // something was mended; whether that was enough the kernel tells.
            let mended = said(tool("e2fsck").arg("-y").arg(file));
            mount().map_err(|error| {
                let words = mended.unwrap_or_else(|error| error.to_string());
                failed("the persistent partition is not mounted, and e2fsck has not mended it", &error)
                    + ": "
                    + words.trim()
            })?;
            self.mended += 1;
        }
        let tree = Tree::scan(&mounted);
        let left = leave(&mounted);
        let tree = tree.map_err(|error| failed("not all of the persistent partition can be read", &error))?;
        left.map_err(|error| failed("the persistent partition cannot be left", &error))?;
        // The kernel has replayed the journal: whatever is wrong now it would not have noticed.
        said(tool("e2fsck").arg("-fn").arg(file))
            .map_err(|error| failed("e2fsck finds fault with the persistent partition", &error))?;
        Ok(tree)
    }
}

/// Leaves what is mounted. Whoever is being started by another thread has our open directories until it is another program.
fn leave(mounted: &Path) -> Result<(), Box<dyn Error>> {
    let mut left = said(tool("umount").arg(mounted));
    for _ in 0..TRIES {
        if left.is_ok() {
            break;
        }
        std::thread::sleep(MOMENT);
        left = said(tool("umount").arg(mounted));
    }
    left.map(drop)
}

/// A call of a tool by its whole path. One that is looked for in a path of ours is started by a fork, which copies all tables
/// of our memory, and there is much of that here.
fn tool(name: &str) -> Command {
    let dirs = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Path::new);
    let found = dirs.iter().map(|dir| dir.join(name)).find(|path| path.exists());
    command(&found.unwrap_or_else(|| PathBuf::from(name)).to_string_lossy())
}

/// Writes bytes to a file of its own, with holes where there is nothing.
fn copy(bytes: &[u8], to: &Path) -> io::Result<()> {
    static NOTHING: [u8; PIECE] = [0; PIECE];
    let file = File::create_new(to)?;
    file.set_len(bytes.len() as u64)?;
    for (place, piece) in (0..).zip(bytes.chunks(PIECE)) {
        if *piece != NOTHING[..piece.len()] {
            file.write_all_at(piece, place * PIECE as u64)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::Node;
    use super::*;

    /// The initramfs does what is done here: `dist/initramfs/initramfs-tools/scripts/local-bottom/update-stack`.
    #[test]
    fn half_of_a_superblock_is_mended_and_what_was_synced_is_there() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can mount");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (file, mounted) = (dir.path().join("data"), dir.path().join("mounted"));
        File::create_new(&file).unwrap().set_len(32 << 20).unwrap();
        said(tool("mkfs.ext4").args(["-q", "-F"]).arg(&file)).unwrap();
        let sectors = || fs::read(&file).unwrap()[1024..2048].to_vec();
        let before = sectors();
        let mut mounts = Mounts::below(dir.path()).unwrap();
        said(tool("mount").args(["-o", "loop"]).arg(&file).arg(&mounted)).unwrap();
        let var = mounted.join("var");
        fs::create_dir(&var).unwrap();
        fs::write(var.join("setting"), "kept").unwrap();
        for synced in [var.join("setting"), var, mounted.clone()] {
            File::open(synced).and_then(|synced| synced.sync_all()).unwrap();
        }
        // As a cut leaves it: mounted, with its journal not replayed.
        let cut = fs::read(&file).unwrap();
        leave(&mounted).unwrap();
        for half in [0..512, 512..1024] {
            let mut torn = cut.clone();
            torn[1024..2048][half.clone()].copy_from_slice(&before[half.clone()]);
            assert_ne!(torn, cut, "a mount writes both halves");
            fs::write(&file, torn).unwrap();
            let tree = mounts.mount(&file).unwrap();
            let found = tree.nodes.get("var/setting");
            assert!(
                matches!(found, Some(Node::File { content, .. }) if *content.bytes == *b"kept"),
                "{found:?}"
            );
        }
        assert_eq!(mounts.mended, 2);
        fs::write(&file, vec![0; 32 << 20]).unwrap();
        let error = mounts.mount(&file).unwrap_err();
        assert!(error.contains("e2fsck has not mended it"), "{error}");
    }
}
