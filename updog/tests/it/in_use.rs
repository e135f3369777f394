//! A partition of the inactive set that somebody uses, on a disk of the kernel's: refused through the whole program before
//! anything is cleared, with who uses it. Only root may make the disk; where it cannot be made, that is said loudly.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use signpost::OsDisk;
use testdata::{Host, Set};

use crate::support::{Snapshot, failure, offered};

/// The host's disk as a block device with nodes for its partitions, taken down when dropped.
struct Disk(String);

impl Disk {
    fn of(host: &Host) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: not root, so the host's disk cannot be one of the kernel's");
            return None;
        }
        let mut said = String::new();
        // Others look for a free device at the same moment, and only one of them gets it.
        for _ in 0..8 {
            let made = Command::new("losetup").args(["--find", "--show"]).arg(host.disk().path()).output();
            match made {
                Ok(made) if made.status.success() => {
                    let disk = Self(String::from_utf8(made.stdout).unwrap().trim().to_owned());
                    // The kernel keeps partitions that were given to a loop device, even when it gets another file.
                    let _there_may_be_none = run("partx -d $0", &disk.0);
                    if let Err(said) = run("partx -a $0 && test -b $0p1", &disk.0) {
                        eprintln!("SKIPPED: no nodes appear for the partitions of a block device: {said}");
                        return None;
                    }
                    return Some(disk);
                }
                Ok(made) => said = String::from_utf8_lossy(&made.stderr).into_owned(),
                Err(error) => said = error.to_string(),
            }
        }
        eprintln!("SKIPPED: no block device can be made of the host's disk: {}", said.trim());
        None
    }

    /// The host finds it, and the machine's devices.
    fn give_to(&self, host: &Host) {
        let root = host.paths().root();
        for dir in ["sys", "dev"] {
            symlink(format!("/{dir}"), root.join(dir)).unwrap();
        }
        fs::write(host.paths().signpost_config(), format!("disk = \"{}\"\n", self.0)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _they_may_be_gone = run("partx -d $0; losetup -d $0", &self.0);
    }
}

/// Runs a line of shell with `$0`; what it said, where it failed.
fn run(line: &str, argument: &str) -> Result<(), String> {
    run_with(line, argument, Path::new(""))
}

/// The same with a place as `$1`.
fn run_with(line: &str, argument: &str, place: &Path) -> Result<(), String> {
    let ran = Command::new("sh")
        .args(["-c", line, argument])
        .arg(place)
        .output()
        .map_err(|error| error.to_string())?;
    if ran.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned()) }
}

/// How a partition is used, how it is called, and how that is undone. Whatever is written for it is there beforehand.
type Use = (&'static str, &'static str, &'static str, &'static str);

const USES: [Use; 5] = [
    ("mkfs.ext4 -qF $0", "mkdir -p $1 && mount -o ro $0 $1", "mounted at ", "umount $0"),
    ("mkswap -q $0", "swapon $0", "a swap area (swapoff ", "swapoff $0"),
    (
        "true",
        "losetup --find $0",
        "below the loop device /dev/loop",
        "losetup -j $0 | cut -d: -f1 | xargs losetup -d",
    ),
    (
        "true",
        "dmsetup create user-of-$(basename $0) --table \"0 $(blockdev --getsz $0) linear $0 0\"",
        "a part of /dev/",
        "dmsetup remove user-of-$(basename $0)",
    ),
    (
        "true",
        "mdadm --build /dev/md/user-of-$(basename $0) --level=linear --force --raid-devices=1 $0",
        "a part of /dev/",
        "mdadm --stop /dev/md/user-of-$(basename $0)",
    ),
];

#[test]
fn a_partition_that_somebody_uses_is_refused_before_the_clear_and_the_user_is_named() {
    let (_world, host) = offered();
    let Some(disk) = Disk::of(&host) else { return };
    disk.give_to(&host);
    let place = host.paths().root().join("here");
    let set = OsDisk::discover(host.paths()).unwrap().status().unwrap().b.expect("two sets");
    for (role, number) in [("BOOT", set.boot.number), ("ROOT", set.root.number), ("HASH", set.hash.number)] {
        let node = format!("{}p{number}", disk.0);
        for (ready, begin, said, end) in USES {
            // A little partition has no room for a file system.
            if let Err(why) = run(ready, &node).and_then(|()| run_with(begin, &node, &place)) {
                eprintln!("SKIPPED: {begin:?} with {role}: {why}");
                continue;
            }
            run("blockdev --flushbufs $0", &disk.0).unwrap();
            let before = Snapshot::with_swap(&host, (begin == "swapon $0").then_some(role));
            let ran = host.run("updog", &["update", "--json"]);
            run(end, &node).unwrap();
            let refused = failure(&ran);
            assert!(
                refused.message.contains(&node) && refused.message.contains(said),
                "{role}: {}",
                refused.message
            );
            assert!(refused.help.contains("nothing was written; let go of it"), "{}", refused.help);
            before.assert_disk_unchanged(&host);
        }
    }
    let _ = host.run("updog", &["update"]).expect_ok();
    run("blockdev --flushbufs $0", &disk.0).unwrap();
    assert_eq!((host.bits(Set::B).priority, host.bits(Set::B).tries), (2, 1));
}
