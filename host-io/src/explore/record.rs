//! Every change that programs make through [`Disk`](crate::Disk) and [`Fs`], in the order in which they made them.
//!
//! A program whose environment names a directory in [`VARIABLE`] writes each change into it as it makes it, under a lock
//! that all such programs share: the log's order is the order of the changes, whichever process made them. Bytes lie in a
//! file of their own. What a program looks at is noted too, without an order: whoever finds the same answers at all those
//! places finds the same program doing the same.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::killing::Killing;
use super::room::{DIRECTORY, Room};
use crate::fs::{Entry, Fs, Kind, NewFile};
use crate::system_fs::SystemFs;

/// The environment's name for the directory of a record.
pub const VARIABLE: &str = "HOST_IO_RECORD";

/// Where bytes lie in the record's own file for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Their first byte's place.
    pub from: u64,
    /// How many.
    pub len: u64,
}

/// One line of a record. Files are told apart by their inode: a name may change while they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A file was created.
    Create {
        /// Its name.
        path: PathBuf,
        /// Its inode.
        inode: u64,
        /// Its mode.
        mode: u32,
    },
    /// Bytes were added to a file.
    Write {
        /// Its inode.
        inode: u64,
        /// Where.
        at: u64,
        /// What.
        bytes: Bytes,
    },
    /// A file was synced.
    Sync {
        /// Its inode.
        inode: u64,
        /// The name under which it was made.
        path: PathBuf,
    },
    /// A directory was made.
    MakeDir {
        /// Its name.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A link was made.
    MakeLink {
        /// Where it leads.
        target: PathBuf,
        /// Its name.
        path: PathBuf,
    },
    /// A name was moved, over whatever had the new one.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
    },
    /// A file's or a link's name was taken away.
    Remove {
        /// The name.
        path: PathBuf,
    },
    /// An empty directory was removed.
    RemoveDir {
        /// Its name.
        path: PathBuf,
    },
    /// The names in a directory were synced.
    SyncDir {
        /// The directory.
        path: PathBuf,
    },
    /// A whole file system was synced.
    SyncAll {
        /// A directory on it.
        path: PathBuf,
    },
    /// Bytes were written to a disk.
    DiskWrite {
        /// The device node or image file.
        path: PathBuf,
        /// Where on it.
        at: u64,
        /// What.
        bytes: Bytes,
    },
    /// A disk was synced.
    DiskSync {
        /// The device node or image file.
        path: PathBuf,
    },
    /// A program looked at something.
    Look {
        /// For what.
        what: Look,
        /// Where.
        path: PathBuf,
    },
}

/// What a program wanted to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The content of what a path leads to.
    Content,
    /// What lies at a path, links not followed.
    Kind,
    /// The names in the directory that a path leads to.
    Names,
    /// Where the link at a path points.
    Target,
}

/// A record that changes are added to.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    looked: Mutex<BTreeSet<(Look, PathBuf)>>,
}

static OWN: LazyLock<Option<Record>> =
    LazyLock::new(|| std::env::var_os(VARIABLE).map(|dir| Record::at(Path::new(&dir))));

impl Record {
    /// The record in `dir`, which is there already.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), looked: Mutex::default() }
    }

    /// The one that this process's environment asks for.
    #[must_use]
    pub fn own() -> Option<&'static Self> {
        OWN.as_ref()
    }

    /// Makes a change, and adds what it was when it has gone well. Nobody else changes anything meanwhile.
    ///
    /// # Errors
    /// Those of the change.
    ///
    /// # Panics
    /// When the record cannot be written: what goes on unrecorded proves nothing.
    pub fn change<T>(
        &self,
        bytes: &[u8],
        change: impl FnOnce() -> io::Result<T>,
        line: impl FnOnce(&T, Bytes) -> Line,
    ) -> io::Result<T> {
        let mut log = self.append("log");
        flock(&log, FlockOperation::LockExclusive).expect("a record can be locked");
        self.killing().count();
        let done = change()?;
        let mut data = self.append("data");
        let from = data.metadata().expect("an open file").len();
        data.write_all(bytes).expect("a record takes bytes");
        let line = line(&done, Bytes { from, len: bytes.len() as u64 });
        self.add(&mut log, &line);
        Ok(done)
    }

    fn look(&self, what: Look, path: &Path) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.insert((what, path.to_owned())) {
            self.add(&mut self.append("log"), &Line::Look { what, path: path.to_owned() });
        }
    }

    fn add(&self, log: &mut File, line: &Line) {
        let mut text = serde_json::to_vec(line).expect("a line is plain data");
        text.push(b'\n');
        log.write_all(&text).expect("a record takes lines");
    }

    fn append(&self, name: &str) -> File {
        let path = self.dir.join(name);
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        opened.unwrap_or_else(|error| panic!("open the record {}: {error}", path.display()))
    }

    /// How much may still be written by programs that are recorded here.
    #[must_use]
    pub fn room(&self) -> Room {
        Room::beside(&self.dir)
    }

    /// Who is killed of those that are recorded here, and when.
    #[must_use]
    pub fn killing(&self) -> Killing {
        Killing::beside(&self.dir)
    }

    /// From now on programs that are recorded here do not ask the guard of this name, or ask all of them.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn leave_out(&self, guard: Option<&str>) -> io::Result<()> {
        fs::write(self.dir.join("left-out"), guard.unwrap_or_default())
    }

    pub(crate) fn leaves_out(&self, guard: &str) -> bool {
        fs::read_to_string(self.dir.join("left-out")).is_ok_and(|left_out| left_out == guard)
    }

    /// All lines so far.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn lines(&self) -> io::Result<Vec<Line>> {
        let log = self.read("log")?;
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?)
    }

    /// The bytes that lines speak of.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        self.read("data")
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match fs::read(self.dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }
}

/// The machine's file system, with every change and every look recorded. Syncs of files are only noted: the record says
/// what would be durable, so thousands of runs need not wait for a medium.
#[derive(Debug, Clone, Copy)]
pub struct RecordedFs(pub &'static Record);

struct RecordedFile {
    file: Box<dyn NewFile>,
    path: PathBuf,
    inode: u64,
    at: u64,
    record: &'static Record,
}

impl Write for RecordedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { file, path, inode, at, record } = self;
        record.change(
            bytes,
            || record.room().take(bytes.len(), path).and_then(|()| file.write_all(bytes)),
            |(), bytes| Line::Write { inode: *inode, at: *at, bytes },
        )?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for RecordedFile {
    fn sync(&mut self) -> io::Result<()> {
        let Self { path, inode, record, .. } = self;
        record.change(&[], || Ok(()), |(), _| Line::Sync { inode: *inode, path: path.clone() })
    }
}

impl RecordedFs {
    fn simple(&self, change: impl FnOnce() -> io::Result<()>, line: Line) -> io::Result<()> {
        self.0.change(&[], change, |(), _| line)
    }
}

impl Fs for RecordedFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.look(Look::Content, path);
        SystemFs.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.0.look(Look::Content, path);
        SystemFs.open(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.0.look(Look::Kind, path);
        SystemFs.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.0.look(Look::Names, dir);
        SystemFs.list(dir)
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        self.0.look(Look::Target, link);
        SystemFs.read_link(link)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile>> {
        self.0.look(Look::Kind, path);
        let create = || Ok((SystemFs.create(path, mode)?, fs::symlink_metadata(path)?.ino()));
        let line = |(_, inode): &(_, u64), _| Line::Create { path: path.to_owned(), inode: *inode, mode };
        let (file, inode) = self.0.change(&[], create, line)?;
        Ok(Box::new(RecordedFile { file, path: path.to_owned(), inode, at: 0, record: self.0 }))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.0.look(Look::Kind, path);
        let make = || self.0.room().take(DIRECTORY, path).and_then(|()| SystemFs.make_dir(path, mode));
        self.simple(make, Line::MakeDir { path: path.to_owned(), mode })
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.0.look(Look::Kind, link);
        let line = Line::MakeLink { target: target.to_owned(), path: link.to_owned() };
        self.simple(|| SystemFs.make_link(target, link), line)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.look(Look::Kind, from);
        self.0.look(Look::Kind, to);
        let line = Line::Rename { from: from.to_owned(), to: to.to_owned() };
        self.simple(|| SystemFs.rename(from, to), line)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.look(Look::Kind, path);
        self.simple(|| SystemFs.remove_file(path), Line::Remove { path: path.to_owned() })
    }

    /// Name by name: a file system promises nothing of a tree.
    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        for entry in self.list(dir)? {
            let path = dir.join(&entry.name);
            match entry.kind {
                Kind::Directory => self.remove_tree(&path)?,
                _ => self.remove_file(&path)?,
            }
        }
        self.remove_dir(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.look(Look::Names, dir);
        self.simple(|| SystemFs.remove_dir(dir), Line::RemoveDir { path: dir.to_owned() })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.simple(|| Ok(()), Line::SyncDir { path: dir.to_owned() })
    }

    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        self.simple(|| Ok(()), Line::SyncAll { path: dir.to_owned() })
    }

    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.0.look(Look::Kind, path);
        self.0.look(Look::Content, path);
        SystemFs.read_regular(path, limit)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let free = SystemFs.free_bytes(path)?;
        Ok(self.0.room().left(path).map_or(free, |left| left.min(free)))
    }

    fn free_files(&self, path: &Path) -> io::Result<u64> {
        SystemFs.free_files(path)
    }
}

/// The machine's file system as this process is to use it.
pub(crate) fn file_system() -> Arc<dyn Fs> {
    match Record::own() {
        Some(record) => Arc::new(RecordedFs(record)),
        None => Arc::new(SystemFs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swap;

    #[test]
    fn a_record_tells_a_replaced_file_step_by_step_and_what_was_looked_at() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let record: &'static Record = Box::leak(Box::new(Record::at(dir.path())));
        let path = dir.path().join("file");
        swap::replace_file(&RecordedFs(record), &path, b"content", 0o600).expect("replaced");
        let (lines, bytes) = (record.lines().expect("a record"), record.bytes().expect("a record"));
        let changes: Vec<&Line> = lines.iter().filter(|line| !matches!(line, Line::Look { .. })).collect();
        let [
            Line::Create { path: new, inode, mode: 0o600 },
            Line::Write { inode: written, at: 0, bytes: Bytes { from: 0, len: 7 } },
            Line::Sync { inode: synced, .. },
            Line::Rename { from, to },
            Line::SyncDir { path: above },
        ] = changes[..]
        else {
            panic!("{changes:#?}")
        };
        assert_eq!((written, synced, from, to, above), (inode, inode, new, &path, &dir.path().to_owned()));
        assert_eq!(bytes, b"content");
        let looked = Line::Look { what: Look::Kind, path: path.clone() };
        assert_eq!(
            lines.iter().filter(|line| **line == looked).count(),
            1,
            "once, however often: {lines:#?}"
        );
    }

    #[test]
    fn what_was_refused_is_no_change() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let record: &'static Record = Box::leak(Box::new(Record::at(dir.path())));
        let fs = RecordedFs(record);
        fs.remove_file(&dir.path().join("missing")).expect_err("nothing is there");
        let lines = record.lines().expect("a record");
        assert!(lines.iter().all(|line| matches!(line, Line::Look { .. })), "{lines:#?}");
    }

    #[test]
    fn a_partition_that_is_full_refuses_bytes_and_directories_and_still_renames_and_removes() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let record: &'static Record = Box::leak(Box::new(Record::at(dir.path())));
        let (fs, path) = (RecordedFs(record), dir.path().join("file"));
        record.room().leave(7, dir.path()).expect("a record can be written");
        swap::replace_file(&fs, &path, b"content", 0o600).expect("there is room");
        assert_eq!(fs.free_bytes(dir.path()).expect("a file system"), 0);
        let refused = swap::replace_file(&fs, &path, b"more", 0o600).expect_err("it is full");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs.read(&path).expect("the old file"), b"content");
        let refused = fs.make_dir(&dir.path().join("dir"), 0o700).expect_err("it is full");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        fs.rename(&path, &dir.path().join("other")).expect("a name takes nothing");
        record.room().free().expect("a record can be written");
        fs.make_dir(&dir.path().join("dir"), 0o700).expect("there is room again");
    }
}
