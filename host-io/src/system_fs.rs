//! The machine's own file system behind the trait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::mem::MaybeUninit;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::Arg;

use crate::fs::{Entry, Fs, HeldDir, Kind, NewFile};

/// Without `O_NONBLOCK` opening a pipe waits for its writer; regular files take no notice of it.
const REGULAR: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);
/// How many bytes of names the kernel is asked for at one time.
const NAMES: usize = 8 << 10;

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFs;

impl NewFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Fs for SystemFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_at(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(kind_of(FileType::from_raw_mode(stat.st_mode)))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        Held(open(CWD, dir, DIRECTORY)?).list()
    }

    fn hold(&self, dir: &Path) -> io::Result<Box<dyn HeldDir + '_>> {
        Ok(Box::new(Held(open(CWD, dir, DIRECTORY.union(OFlags::NOFOLLOW))?)))
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        fs::read_link(link)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::DirBuilder::new().mode(mode).create(path)
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        symlink(target, link)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(dir)?)?)
    }

    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        read_regular_at(CWD, path, limit)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn free_files(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        // Where files are made of bytes there is no table of them, and no number.
        Ok(if stat.f_files == 0 { u64::MAX } else { stat.f_favail })
    }
}

/// A directory by its descriptor.
struct Held(OwnedFd);

impl HeldDir for Held {
    fn list(&self) -> io::Result<Vec<Entry>> {
        // Whoever listed it before left off at its end.
        rustix::fs::seek(&self.0, rustix::fs::SeekFrom::Start(0))?;
        let mut entries = Vec::new();
        let mut names = [const { MaybeUninit::uninit() }; NAMES];
        let mut found = RawDir::new(&self.0, &mut names);
        while let Some(entry) = found.next() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not say it here.
                FileType::Unknown => {
                    let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                kind => kind,
            };
            entries.push(Entry { name: name.to_owned(), kind: kind_of(kind) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read_regular(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        read_regular_at(&self.0, name, limit)
    }

    fn hold(&self, name: &str) -> io::Result<Box<dyn HeldDir + '_>> {
        Ok(Box::new(Self(open(&self.0, name, DIRECTORY.union(OFlags::NOFOLLOW))?)))
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn open(dir: impl AsFd, name: impl Arg + Copy, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(retry_on_intr(|| rustix::fs::openat(&dir, name, flags, Mode::empty()))?)
}

fn read_regular_at(dir: impl AsFd, name: impl Arg + Copy, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = File::from(open(dir, name, REGULAR)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes"));
    let length = usize::try_from(metadata.len().min(limit)).map_err(|_| too_long())?;
    if metadata.len() > limit {
        return Err(too_long());
    }
    // One byte more is asked for: where it does not come, this was the end, and nobody has to ask again.
    let mut bytes = vec![0; length + 1];
    let got = loop {
        match file.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            got => break got?,
        }
    };
    bytes.truncate(got);
    // The length may change while it is read, so it is not only asked for.
    if got != length && file.take(limit + 1 - got as u64).read_to_end(&mut bytes)? as u64 + got as u64 > limit
    {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_from_any_byte_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        for (offset, rest) in [(0, &b"0123456789"[..]), (7, b"789"), (10, b""), (1 << 40, b"")] {
            let mut read = Vec::new();
            SystemFs.open_at(&path, offset).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, rest, "from {offset}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_neither_followed_nor_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), b"0123456789").unwrap();
        assert_eq!(SystemFs.read_regular(&at("file"), 10).unwrap(), b"0123456789");
        let too_long = SystemFs.read_regular(&at("file"), 9).unwrap_err();
        assert_eq!(too_long.kind(), io::ErrorKind::FileTooLarge);
        symlink("/dev/zero", at("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
        fs::create_dir(at("dir")).unwrap();
        for name in ["link", "pipe", "dir", "missing"] {
            assert!(SystemFs.read_regular(&at(name), 1 << 20).is_err(), "{name}");
        }
        assert!(SystemFs.read_regular(Path::new("/dev/zero"), 1 << 20).is_err());
    }

    #[test]
    fn a_directory_that_is_held_stays_the_one_that_was_meant_and_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (held, elsewhere) = (dir.path().join("held"), dir.path().join("elsewhere"));
        for (place, content) in [(&held, "here"), (&elsewhere, "there")] {
            fs::create_dir_all(place.join("below")).unwrap();
            fs::write(place.join("below/file"), content).unwrap();
        }
        symlink(&elsewhere, held.join("link")).unwrap();
        symlink(elsewhere.join("below/file"), held.join("link-to-file")).unwrap();
        assert!(SystemFs.hold(&held.join("link")).is_err(), "a link is no directory");
        assert!(SystemFs.hold(&held.join("below/file")).is_err());

        let of_held = SystemFs.hold(&held).unwrap();
        let below = of_held.hold("below").unwrap();
        fs::rename(&held, dir.path().join("moved")).unwrap();
        symlink(&elsewhere, &held).unwrap();
        assert_eq!(below.read_regular("file", 100).unwrap(), b"here");
        let named = |names: &dyn HeldDir| {
            names.list().unwrap().into_iter().map(|entry| (entry.name, entry.kind)).collect::<Vec<_>>()
        };
        let of = |name: &str, kind| (name.to_owned(), kind);
        let all = [of("below", Kind::Directory), of("link", Kind::Link), of("link-to-file", Kind::Link)];
        assert_eq!(named(&*of_held), all);
        assert_eq!(named(&*of_held), all, "as often as it is asked");
        assert!(of_held.hold("link").is_err());
        assert!(of_held.read_regular("link-to-file", 100).is_err());
    }
}
