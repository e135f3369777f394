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
}

impl Mounts {
    /// Mounts below `dir`.
    pub(super) fn below(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("mounted"))?;
        Ok(Self { dir: dir.to_owned(), known: HashMap::new(), count: 0 })
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

    fn mount(&self, file: &Path) -> Result<Tree, String> {
        let mounted = self.dir.join("mounted");
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        said(tool("mount").args(["-t", "ext4", "-o", "loop"]).arg(file).arg(&mounted))
            .map_err(|error| failed("the persistent partition is not mounted", &error))?;
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
