//! The same on block devices of the kernel, where direct I/O and sync are real. Each partition is a loop device of its own,
//! by offset and size in one file: kernels need not show partitions of loop devices. Only root may make them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use host_io::{Access, FileDisk, Medium};
use signpost::Role;
use testdata::noise;
use verity::BLOCK_SIZE;

use super::{Image, tree_over};
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::durable::Synced;
use crate::write::install::plain::{write_boot, write_hash, write_root};
use crate::write::install::target::Tally;
use crate::write::install::{Crew, Error, ReadBack, Target, VerifiedTree, WriteCount, scan};

const MIB: usize = 1 << 20;

/// A part of a file as a block device, for as long as this lives.
struct Loop(PathBuf);

impl Loop {
    fn new(file: &Path, offset: usize, len: usize) -> Option<Self> {
        let made = Command::new("losetup")
            .args(["--find", "--show", "--offset", &offset.to_string(), "--sizelimit", &len.to_string()])
            .arg(file)
            .output()
            .ok()?;
        let node = String::from_utf8(made.stdout).ok()?;
        made.status.success().then(|| Self(PathBuf::from(node.trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _it_may_be_gone = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

/// Boot, root and hash of one set.
struct Devices([Loop; 3]);

impl Devices {
    fn new(file: &Path) -> Option<Self> {
        std::fs::File::create(file).ok()?.set_len(8 * MIB as u64).ok()?;
        let made = Self([
            Loop::new(file, MIB, 2 * MIB)?,
            Loop::new(file, 3 * MIB, 4 * MIB)?,
            Loop::new(file, 7 * MIB, MIB)?,
        ]);
        // Some kernels make loop devices that their nodes cannot be opened for.
        FileDisk::open(&made.0[0].0, Access::ReadWrite).ok()?;
        Some(made)
    }

    fn target(&self, image: Role) -> Target {
        let node = &self.0[Role::ALL.iter().position(|role| *role == image).unwrap()].0;
        let disk = FileDisk::open(node, Access::ReadWrite).unwrap();
        Target {
            image,
            disk: Arc::new(disk),
            device: node.display().to_string(),
            count: WriteCount::default(),
        }
    }

    fn install(&self, boot: &[u8], root: &[u8], tree: &Arc<VerifiedTree>) -> Result<ReadBack, Error> {
        let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
        let crew = Crew::new(&waiter, &events);
        let hash = write_hash(self.target(Role::Hash), tree, crew)?;
        let boot = write_boot(self.target(Role::Boot), Image::signed(boot), crew)?;
        let target = self.target(Role::Root);
        let origins = scan::blocks_in_place(&*target.disk, tree.tree(), crew)?;
        let root = write_root(target, tree, &origins, Image::signed(root), crew)?;
        Synced::new(boot, root, hash, crew)?.read_back(crew)
    }
}

#[test]
fn a_release_goes_onto_block_devices_and_is_read_back_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk.img");
    let Some(devices) = Devices::new(&file) else {
        eprintln!("SKIPPED: loop devices cannot be made here; root may, where the kernel has them");
        return;
    };
    // Boot ends in the middle of a block.
    let (boot, root) = (noise(3, MIB + 5 * BLOCK_SIZE + 100), noise(5, 3 * MIB + 7 * BLOCK_SIZE));
    let tree = tree_over(&root);
    let proof = devices.install(&boot, &root, &tree).unwrap();
    assert_eq!(proof.medium(), Medium::Device);
    let total = (boot.len() + root.len() + tree.raw().len()) as u64;
    assert_eq!(proof.tally(), Tally { written: total, copied: 0, skipped: 0 });
    let again = devices.install(&boot, &root, &tree).unwrap();
    assert_eq!(again.tally(), Tally { written: 0, copied: 0, skipped: total });
    drop(devices);
    let disk = std::fs::read(&file).unwrap();
    assert!(disk[MIB..][..boot.len()] == boot);
    assert!(disk[3 * MIB..][..root.len()] == root);
    assert!(disk[7 * MIB..][..tree.raw().len()] == *tree.raw());
    // Nothing around them was touched.
    let rest =
        [&disk[..MIB], &disk[MIB + boot.len()..3 * MIB], &disk[3 * MIB + root.len()..7 * MIB]].concat();
    assert!(rest.iter().all(|byte| *byte == 0));
}
