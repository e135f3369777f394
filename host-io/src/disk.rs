//! Disks: a block device, or an image file that stands for one.
//!
//! Nothing is ever opened with "create" or "truncate": a missing node is an error, and an image file keeps its length.
//! A new image file is made by a door of its own, never over anything.
//! Reads and writes are exact (all of it, or an error), and every range is checked before the first byte moves.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, OFlags, fadvise};

use crate::buffer::{ALIGNMENT, Buffer, suits_direct};

/// How much is read in one direct read.
const DIRECT_CHUNK: usize = 1 << 20;

/// Where a read-back came from, which says how much it proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A block device, read around the page cache: what the device itself answers.
    Device,
    /// An image file, synced and dropped from the cache: advisory, the kernel may still answer from memory.
    ImageFile,
}

/// A disk or a part of one, addressed in bytes from its start.
pub trait Disk: Send + Sync {
    /// Its size in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes per logical sector: the unit that is written whole or not at all.
    fn sector_size(&self) -> u32;

    /// Fills `buf` from `offset`. Whole blocks into a [`Buffer`] may come around the page cache: who reads a whole partition
    /// once pushes nothing else out of it.
    ///
    /// # Errors
    /// When the range is outside of the disk, or the device refuses.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. Durable only after [`Disk::sync`]. Whole blocks from a [`Buffer`] may go around the
    /// page cache.
    ///
    /// # Errors
    /// When the range is outside of the disk, or the device refuses.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes all earlier writes durable. After an error nothing may be assumed of any of them.
    ///
    /// # Errors
    /// When the device refuses.
    fn sync(&self) -> io::Result<()>;

    /// Fills `buf` from `offset` with what is on the medium, not in the page cache. Call it after [`Disk::sync`].
    ///
    /// # Errors
    /// When the range is outside of the disk, or the device refuses.
    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// What [`Disk::read_back_at`] reads from.
    fn medium(&self) -> Medium;
}

/// What a disk is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A block device node or an image file.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    direct: Option<File>,
    path: PathBuf,
    len: u64,
    sector_size: u32,
    medium: Medium,
}

impl FileDisk {
    /// Opens a block device or an image file that exists.
    ///
    /// # Errors
    /// When it is missing, or neither a block device nor a regular file.
    pub fn open(path: &Path, access: Access) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(access == Access::ReadWrite).open(path)?;
        Self::over(file, path, access)
    }

    /// Opens a disk for reading and writing that nothing else uses, and keeps it so: on a block device neither the disk
    /// nor one of its partitions may be mounted, mapped or swapped to. An image file is only opened.
    ///
    /// # Errors
    /// As [`FileDisk::open`]; [`io::ErrorKind::ResourceBusy`] when the device is in use.
    pub fn open_unused(path: &Path) -> io::Result<Self> {
        // Without O_CREAT the kernel gives O_EXCL a meaning for block devices only: a claim on the whole disk.
        let claim = i32::try_from(OFlags::EXCL.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).write(true).custom_flags(claim).open(path)?;
        Self::over(file, path, Access::ReadWrite)
    }

    /// Makes a new, sparse image file of `len` bytes. Its name is durable when this returns.
    ///
    /// # Errors
    /// When there is anything at `path` already, or the file cannot be made.
    pub fn create_image(path: &Path, len: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()?;
        Self::over(file, path, Access::ReadWrite)
    }

    fn over(file: File, path: &Path, access: Access) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        let medium = if kind.is_block_device() {
            Medium::Device
        } else if kind.is_file() {
            Medium::ImageFile
        } else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is neither a block device nor an image file",
            ));
        };
        let direct = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .custom_flags(i32::try_from(OFlags::DIRECT.bits()).unwrap_or_default())
            // By descriptor, so that it is this device even if the node's name moved on.
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let (len, sector_size, direct) = match medium {
            // Not every file system has direct I/O; then an image file goes through the page cache.
            Medium::ImageFile => (file.metadata()?.len(), 512, direct.ok()),
            Medium::Device => {
                let len = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
                (len, rustix::fs::ioctl_blksszget(&file)?, Some(direct?))
            }
        };
        Ok(Self { file, direct, path: path.to_owned(), len, sector_size, medium })
    }

    /// An image file read as a disk with another sector size (4096 for "4Kn" disks).
    #[must_use]
    pub fn with_sector_size(mut self, bytes: u32) -> Self {
        self.sector_size = bytes;
        self
    }

    /// The node or file that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a step, and with the feature `explore` notes it where the environment asks for a record.
    #[cfg(feature = "explore")]
    fn recorded(&self, step: Step<'_>, take: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        use crate::explore::record::{Line, Record};
        let Some(record) = Record::own() else { return take() };
        let path = self.path.clone();
        match step {
            Step::Write(at, bytes) => {
                record.change(bytes, take, |(), bytes| Line::DiskWrite { path, at, bytes })
            }
            Step::Sync => record.change(&[], take, |(), _| Line::DiskSync { path }),
        }
    }

    #[cfg(not(feature = "explore"))]
    #[expect(clippy::unused_self, reason = "with the feature its path is noted")]
    fn recorded(&self, _: Step<'_>, take: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        take()
    }
}

/// What changes a disk, or makes changes durable.
#[cfg_attr(not(feature = "explore"), expect(dead_code, reason = "only a record reads it"))]
enum Step<'a> {
    /// Bytes at an offset.
    Write(u64, &'a [u8]),
    /// A sync.
    Sync,
}

impl Disk for FileDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector_size(&self) -> u32 {
        self.sector_size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_range(self.len, offset, buf.len())?;
        match self.direct.as_ref().filter(|_| suits_direct(offset, buf)) {
            Some(direct) => direct.read_exact_at(buf, offset),
            None => self.file.read_exact_at(buf, offset),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check_range(self.len, offset, bytes.len())?;
        self.recorded(Step::Write(offset, bytes), || {
            match self.direct.as_ref().filter(|_| suits_direct(offset, bytes)) {
                Some(direct) => direct.write_all_at(bytes, offset),
                None => self.file.write_all_at(bytes, offset),
            }
        })
    }

    fn sync(&self) -> io::Result<()> {
        // The descriptor that wrote: an error of the write-back is reported to it, once. What was written directly has
        // told its errors already, and is in the device's own cache, which this empties too.
        self.recorded(Step::Sync, || self.file.sync_data())
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_range(self.len, offset, buf.len())?;
        let reach = match self.medium {
            Medium::Device => self.len,
            // The last piece of a file may not be a whole block, and direct reads of files want whole ones.
            Medium::ImageFile => self.len / ALIGNMENT as u64 * ALIGNMENT as u64,
        };
        match self.direct.as_ref().filter(|_| offset + buf.len() as u64 <= reach) {
            Some(direct) if suits_direct(offset, buf) => direct.read_exact_at(buf, offset),
            Some(direct) => read_direct(direct, reach, offset, buf),
            None => {
                fadvise(
                    &self.file,
                    offset,
                    std::num::NonZeroU64::new(u64::try_from(buf.len()).unwrap_or(u64::MAX)),
                    Advice::DontNeed,
                )?;
                self.file.read_exact_at(buf, offset)
            }
        }
    }

    fn medium(&self) -> Medium {
        self.medium
    }
}

/// Reads `buf` through a descriptor opened with `O_DIRECT`, by whole aligned pieces.
fn read_direct(file: &File, len: u64, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    let mut piece = Buffer::new(DIRECT_CHUNK.min(buf.len().next_multiple_of(ALIGNMENT) + ALIGNMENT));
    let alignment = ALIGNMENT as u64;
    let mut done = 0usize;
    while done < buf.len() {
        let at = offset + done as u64;
        let start = at / alignment * alignment;
        // The last piece of a device whose size is no multiple of the alignment is shorter.
        let want = usize::try_from((len - start).min(piece.len() as u64)).unwrap_or(piece.len());
        file.read_exact_at(&mut piece[..want], start)?;
        let from = usize::try_from(at - start).unwrap_or_default();
        let count = (want - from).min(buf.len() - done);
        buf[done..done + count].copy_from_slice(&piece[from..from + count]);
        done += count;
    }
    Ok(())
}

/// A part of a disk, such as one partition. Offsets count from the part's start and never leave it.
#[derive(Clone)]
pub struct DiskRange {
    disk: Arc<dyn Disk>,
    start: u64,
    len: u64,
}

impl DiskRange {
    /// The `len` bytes of `disk` from `start`.
    ///
    /// # Errors
    /// When that range is not inside of the disk.
    pub fn new(disk: Arc<dyn Disk>, start: u64, len: u64) -> io::Result<Self> {
        if start.checked_add(len).is_none_or(|end| end > disk.len()) {
            return Err(outside(disk.len(), start, len));
        }
        Ok(Self { disk, start, len })
    }
}

impl Disk for DiskRange {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_range(self.len, offset, buf.len())?;
        self.disk.read_at(self.start + offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check_range(self.len, offset, bytes.len())?;
        self.disk.write_at(self.start + offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check_range(self.len, offset, buf.len())?;
        self.disk.read_back_at(self.start + offset, buf)
    }

    fn medium(&self) -> Medium {
        self.disk.medium()
    }
}

fn check_range(len: u64, offset: u64, count: usize) -> io::Result<()> {
    let count = count as u64;
    if offset.checked_add(count).is_none_or(|end| end > len) {
        return Err(outside(len, offset, count));
    }
    Ok(())
}

fn outside(len: u64, offset: u64, count: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{count} bytes at offset {offset} do not lie within its {len} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(len: u64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        file.as_file().set_len(len).expect("sparse");
        file
    }

    #[test]
    fn a_missing_node_is_an_error_and_is_not_created() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("vda6");
        assert!(FileDisk::open(&path, Access::ReadWrite).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_new_image_file_is_never_made_over_something() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("disk.img");
        let disk = FileDisk::create_image(&path, 8192).expect("new");
        assert_eq!((disk.len(), disk.medium()), (8192, Medium::ImageFile));
        disk.write_at(0, &[7; 512]).expect("open for writing");
        assert!(FileDisk::create_image(&path, 4096).is_err());
        let again = FileDisk::open_unused(&path).expect("nobody uses it");
        let mut kept = [0; 512];
        again.read_at(0, &mut kept).expect("still there");
        assert_eq!((kept, again.len()), ([7; 512], 8192));
        assert!(FileDisk::open_unused(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn a_directory_is_not_a_disk() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(FileDisk::open(dir.path(), Access::Read).is_err());
    }

    #[test]
    fn a_range_never_reaches_its_neighbours() {
        let file = image(4096);
        let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(file.path(), Access::ReadWrite).expect("opened"));
        let part = DiskRange::new(Arc::clone(&disk), 1024, 1024).expect("inside");
        part.write_at(0, &[7; 1024]).expect("fits");
        let error = part.write_at(1, &[9; 1024]).expect_err("one byte too many");
        assert!(error.to_string().contains("offset 1"), "{error}");
        part.sync().expect("synced");
        let mut back = [0; 1024];
        part.read_back_at(0, &mut back).expect("read back");
        assert_eq!(back, [7; 1024]);
        let mut whole = vec![0; 4096];
        disk.read_at(0, &mut whole).expect("whole disk");
        assert!(whole[..1024].iter().chain(&whole[2048..]).all(|&byte| byte == 0));
        assert!(DiskRange::new(Arc::clone(&disk), 4096, 1).is_err());
        assert!(DiskRange::new(disk, u64::MAX, 2).is_err());
    }

    #[test]
    fn what_goes_around_the_page_cache_is_what_is_read_through_it() {
        let file = image(5 * 4096 + 512);
        let disk = FileDisk::open(file.path(), Access::ReadWrite).expect("opened");
        disk.write_at(0, &[1; 5 * 4096 + 512]).expect("through the cache");
        let mut block = Buffer::new(8192);
        block.fill(2);
        disk.write_at(4096, &block).expect("around it");
        disk.write_at(4096 + 512, &[3; 512]).expect("through it again");
        disk.write_at(4 * 4096, &block[..4096]).expect("around it");
        disk.sync().expect("synced");
        let mut expected = vec![1; 5 * 4096 + 512];
        expected[4096..3 * 4096].fill(2);
        expected[4608..5120].fill(3);
        expected[4 * 4096..5 * 4096].fill(2);
        let mut seen = vec![0; expected.len()];
        disk.read_at(0, &mut seen).expect("read");
        assert!(seen == expected);
        seen.fill(0);
        disk.read_back_at(0, &mut seen).expect("its end is no whole block");
        assert!(seen == expected);
        let mut part = Buffer::new(4 * 4096);
        disk.read_back_at(4096, &mut part).expect("whole blocks");
        assert!(part[..] == expected[4096..5 * 4096]);
        let reader = FileDisk::open(file.path(), Access::Read).expect("opened");
        assert!(reader.write_at(0, &block).is_err(), "opened for reading only");
    }

    #[test]
    fn a_direct_read_returns_the_bytes_that_were_asked_for() {
        let len = 2 * DIRECT_CHUNK as u64 + 512;
        let file = image(len);
        let disk = FileDisk::open(file.path(), Access::ReadWrite).expect("opened");
        let pattern: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        disk.write_at(0, &pattern).expect("written");
        for (offset, count) in [(0, 1), (4095, 2), (1, DIRECT_CHUNK + 5000), (len - 1, 1)] {
            let mut buf = vec![0; count];
            read_direct(&disk.file, len, offset, &mut buf).expect("read");
            let at = usize::try_from(offset).expect("small");
            assert_eq!(buf, pattern[at..at + count]);
        }
    }
}
