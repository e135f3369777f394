//! The machine's own file system behind the trait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::fs::{Entry, Fs, Kind, NewFile};

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
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(kind_of(metadata.file_type()))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, kind: kind_of(entry.file_type()?) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
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
        // Without O_NONBLOCK opening a pipe waits for its writer; regular files take no notice of it.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let custom = i32::try_from(flags.bits()).expect("flags of open are small");
        let mut file = OpenOptions::new().read(true).custom_flags(custom).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let too_long =
            || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes"));
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
        if got != length
            && file.take(limit + 1 - got as u64).read_to_end(&mut bytes)? as u64 + got as u64 > limit
        {
            return Err(too_long());
        }
        Ok(bytes)
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

fn kind_of(kind: fs::FileType) -> Kind {
    if kind.is_symlink() {
        Kind::Link
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
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
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        fs::create_dir(at("dir")).unwrap();
        for name in ["link", "pipe", "dir", "missing"] {
            assert!(SystemFs.read_regular(&at(name), 1 << 20).is_err(), "{name}");
        }
        assert!(SystemFs.read_regular(Path::new("/dev/zero"), 1 << 20).is_err());
    }
}
