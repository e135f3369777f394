//! An image file as a block device of the kernel, with its partitions: there direct I/O and sync are real, and what is
//! read back comes from the device. Only root may make one.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::bench::tools::{Tool, all_there, command, said, tool};

/// What makes them.
pub(crate) const TOOLS: [Tool; 2] = [tool("losetup", "mount"), tool("addpart", "util-linux")];
/// `addpart` counts in these, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// Where a partition is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// A loop device. The kernel takes it down when this is dropped, or when the process ends in whichever way.
pub(crate) struct LoopDisk {
    node: PathBuf,
    _open: File,
}

impl LoopDisk {
    /// The device over `image`, with these partitions.
    pub(crate) fn over(image: &Path, places: &[Place]) -> Result<Self, Box<dyn Error>> {
        all_there(&TOOLS)?;
        // With a scan for partitions its own go away with it, also where the kernel finds none in the table.
        let node = said(command("losetup").args(["--find", "--show", "--partscan"]).arg(image))?;
        let node = PathBuf::from(node.trim());
        let opened = File::open(&node);
        // While it is open it stays, and goes by itself after that.
        said(command("losetup").arg("--detach").arg(&node))?;
        let disk = Self { _open: opened?, node };
        // Around the page cache of the image as well, where its file system can do that.
        let direct = said(command("losetup").arg("--direct-io=on").arg(&disk.node));
        if let Err(error) = direct {
            eprintln!("the loop device reads and writes through the page cache: {error}");
        }
        for place in places {
            disk.show(*place)?;
        }
        Ok(disk)
    }

    /// Its node.
    pub(crate) fn node(&self) -> &Path {
        &self.node
    }

    /// Tells the kernel of a partition, if it has not found it in the table itself.
    fn show(&self, place: Place) -> Result<(), Box<dyn Error>> {
        let Place { number, start, len } = place;
        let node = PathBuf::from(format!("{}p{number}", self.node.display()));
        if fs::exists(&node)? {
            return Ok(());
        }
        let extent = [number, start / SECTOR, len / SECTOR].map(|count| count.to_string());
        said(command("addpart").arg(&self.node).args(extent))?;
        if fs::exists(&node)? { Ok(()) } else { Err(format!("find {}", node.display()).into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_partitions_as_devices_and_they_go_with_it() {
        let image = tempfile::NamedTempFile::new().expect("temporary file");
        image.as_file().set_len(4 << 20).expect("sparse");
        let place = Place { number: 3, start: 1 << 20, len: 2 << 20 };
        let disk = match LoopDisk::over(image.path(), &[place]) {
            Ok(disk) => disk,
            Err(error) => {
                eprintln!("SKIPPED: no loop device can be made here: {error}; root may make one");
                return;
            }
        };
        let name = disk.node().file_name().expect("a node has a name").to_string_lossy().into_owned();
        let partition = format!("/sys/block/{name}/{name}p3");
        let size = fs::read_to_string(format!("{partition}/size")).expect("the kernel knows it");
        assert_eq!(size.trim(), "4096");
        drop(disk);
        assert!(!Path::new(&partition).exists());
    }
}
