//! The disk of a host as others see it: what of it must not change while the host runs.

use std::error::Error;
use std::path::{Path, PathBuf};

use testdata::DiskImage;
use testdata::disk::Partition;
use testdata::disk::layout::types;

use crate::bench::tools::{command, said};

/// The bits of a BOOT's entry that starts and updates change: priority, tries, successful, and the count of starts.
const OF_BOOT: u64 = 0xfff << 48;
/// Of the private partition: that some boot was marked good.
const OF_PRIVATE: u64 = 1 << 57;

/// A disk as it was.
pub(in crate::vm) struct Kept {
    copy: PathBuf,
}

impl Kept {
    /// Keeps it beside the disk. The machine must be off.
    pub(super) fn keep(disk: &Path) -> Result<Self, Box<dyn Error>> {
        let copy = disk.with_extension("kept");
        said(command("cp").arg("--sparse=always").args([disk, copy.as_path()]))?;
        Ok(Self { copy })
    }

    /// What is not as it was: the table but for those bits, and every partition but the persistent one.
    pub(super) fn changed(&self, disk: &Path) -> Result<Vec<String>, Box<dyn Error>> {
        let (was, is) = (DiskImage::at(&self.copy).partitions(), DiskImage::at(disk).partitions());
        let mut changed = entries_changed(&was, &is);
        for partition in was.iter().filter(|partition| partition.type_guid != types::DATA) {
            let (start, len) = (partition.start.to_string(), partition.len.to_string());
            let mut compare = command("cmp");
            compare.args(["--silent", "--ignore-initial", &start, "--bytes", &len]);
            match compare.arg(&self.copy).arg(disk).status()?.code() {
                Some(0) => {}
                Some(1) => changed.push(format!("{} has other bytes", partition.label)),
                _ => return Err(format!("compare {} with cmp", partition.label).into()),
            }
        }
        Ok(changed)
    }
}

/// The entries of a table that say something else, but for the bits that are there to be changed.
fn entries_changed(was: &[Partition], is: &[Partition]) -> Vec<String> {
    if was.len() != is.len() {
        return vec![format!("the table has {} entries instead of {}", is.len(), was.len())];
    }
    let fixed = |partition: &Partition| {
        let free = match partition.type_guid {
            types::BOOT => OF_BOOT,
            types::PRIVATE => OF_PRIVATE,
            _ => 0,
        };
        Partition { attributes: partition.attributes & !free, ..partition.clone() }
    };
    let pairs = was.iter().zip(is).filter(|(was, is)| fixed(was) != fixed(is));
    pairs.map(|(was, _)| format!("the table's entry of {} says something else", was.label)).collect()
}

#[cfg(test)]
mod tests {
    use testdata::Layout;

    use super::*;

    #[test]
    fn starts_may_change_their_bits_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk.img");
        let image = DiskImage::create(&disk, &Layout::default(), "kept").unwrap();
        let kept = Kept::keep(&disk).unwrap();
        image.set_bits(testdata::Set::B, testdata::BootBits { priority: 2, tries: 1, successful: false });
        let data =
            image.partitions().into_iter().find(|partition| partition.type_guid == types::DATA).unwrap();
        image.write(&data.label, 0, b"what a host writes");
        assert_eq!(kept.changed(&disk).unwrap(), Vec::<String>::new());
        image.write("BOTTLEROCKET-ROOT-B", 4096, b"!");
        assert_eq!(kept.changed(&disk).unwrap(), ["BOTTLEROCKET-ROOT-B has other bytes"]);

        let was = image.partitions();
        let mut is = was.clone();
        is[1].attributes ^= 1;
        assert_eq!(entries_changed(&was, &is).len(), 1);
        is.pop();
        assert_eq!(entries_changed(&was, &is).len(), 1);
    }
}
