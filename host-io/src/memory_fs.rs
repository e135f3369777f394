//! Files in memory behind the same trait as the machine's own, for whatever is to leave nothing on a disk: tests over any
//! number of stores, and fuzzing.
//!
//! It answers as the machine does, errors included; nobody but its holders sees it, nothing is lost, there is no end of
//! room, and rights count for nothing.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Cursor, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::fs::{Entry, Fs, HeldDir, Kind, NewFile};

/// How many links the kernel follows on one way.
const MOST_LINKS: usize = 40;

/// One file system. Clones are the same; a path that does not begin at the root begins there all the same.
#[derive(Clone, Default)]
pub struct MemoryFs {
    root: Directory,
    /// Held through each change and each look, so that nobody sees half of a change.
    change: Arc<Mutex<()>>,
}

#[derive(Clone, Default)]
struct Directory(Arc<Mutex<BTreeMap<OsString, Node>>>);

/// Clones are the same file.
#[derive(Clone)]
enum Node {
    Directory(Directory),
    File(Arc<Mutex<Vec<u8>>>),
    Link(PathBuf),
}

/// Where a path leads.
struct Place {
    /// From the root down to the directory that has the name, which is the last one.
    way: Vec<Directory>,
    /// Nothing for the root and what ends in `..`.
    name: Option<OsString>,
    node: Option<Node>,
}

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    Follow,
    Stay,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    fn get(&self, name: &OsString) -> Option<Node> {
        held(&self.0).get(name).cloned()
    }

    fn put(&self, name: OsString, node: Node) {
        drop(held(&self.0).insert(name, node));
    }

    fn take(&self, name: &OsString) {
        drop(held(&self.0).remove(name));
    }

    fn is_empty(&self) -> bool {
        held(&self.0).is_empty()
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn list(&self) -> Vec<Entry> {
        let names = held(&self.0);
        let entry = |(name, node): (&OsString, &Node)| {
            Some(Entry { name: name.to_str()?.to_owned(), kind: node.kind() })
        };
        names.iter().filter_map(entry).collect()
    }
}

impl Node {
    fn kind(&self) -> Kind {
        match self {
            Self::Directory(_) => Kind::Directory,
            Self::File(_) => Kind::File,
            Self::Link(_) => Kind::Link,
        }
    }

    fn content(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File(content) => Ok(held(content).clone()),
            Self::Directory(_) => Err(Errno::ISDIR.into()),
            Self::Link(_) => Err(Errno::LOOP.into()),
        }
    }

    fn regular(&self, limit: u64) -> io::Result<Vec<u8>> {
        if let Self::Directory(_) = self {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let content = self.content()?;
        if content.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is longer than {limit} bytes"),
            ));
        }
        Ok(content)
    }

    fn directory(self) -> io::Result<Directory> {
        match self {
            Self::Directory(directory) => Ok(directory),
            Self::File(_) | Self::Link(_) => Err(Errno::NOTDIR.into()),
        }
    }
}

impl Place {
    fn there(self) -> io::Result<Node> {
        self.node.ok_or_else(|| Errno::NOENT.into())
    }

    /// The directory and the name in it, where there must be nothing yet.
    fn free(mut self) -> io::Result<(Directory, OsString)> {
        match (self.way.pop(), self.name, self.node) {
            (Some(above), Some(name), None) => Ok((above, name)),
            _ => Err(Errno::EXIST.into()),
        }
    }

    /// The directory, the name in it, and what that names.
    fn named(mut self) -> io::Result<(Directory, OsString, Node)> {
        let node = self.node.ok_or(Errno::NOENT)?;
        // Neither the root nor what is on the way to here can be moved or taken away.
        let above = self.way.pop().ok_or(Errno::BUSY)?;
        Ok((above, self.name.ok_or(Errno::BUSY)?, node))
    }
}

impl MemoryFs {
    /// Puts a file, and the directories above it where they are missing.
    #[must_use]
    pub fn with(self, path: &str, content: &[u8]) -> Self {
        self.put(Path::new(path), Node::File(Arc::new(Mutex::new(content.to_vec()))));
        self
    }

    /// Puts a link in the same way.
    #[must_use]
    pub fn with_link(self, path: &str, target: &str) -> Self {
        self.put(Path::new(path), Node::Link(target.into()));
        self
    }

    /// Makes a directory in the same way; one that is there is left as it is.
    #[must_use]
    pub fn with_dir(self, path: &str) -> Self {
        if !matches!(self.kind(Path::new(path)), Ok(Some(Kind::Directory))) {
            self.put(Path::new(path), Node::Directory(Directory::default()));
        }
        self
    }

    /// What is in the way is replaced.
    fn put(&self, path: &Path, node: Node) {
        let mut names = Vec::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => names.push(name.to_owned()),
                Component::ParentDir => drop(names.pop()),
                _ => {}
            }
        }
        let Some(name) = names.pop() else { return };
        let mut above = self.root.clone();
        for below in names {
            let next = match above.get(&below) {
                Some(Node::Directory(directory)) => directory,
                _ => Directory::default(),
            };
            above.put(below, Node::Directory(next.clone()));
            above = next;
        }
        above.put(name, node);
    }

    /// [`MemoryFs::find`] for whoever changes nothing.
    fn look(&self, path: &Path, at_end: AtEnd) -> io::Result<Place> {
        let _nobody_changes_it = held(&self.change);
        self.find(path, at_end)
    }

    fn find(&self, path: &Path, at_end: AtEnd) -> io::Result<Place> {
        let mut way = vec![self.root.clone()];
        let mut links = 0;
        let mut queue: VecDeque<OsString> =
            path.components().map(|part| part.as_os_str().to_owned()).collect();
        while let Some(part) = queue.pop_front() {
            match Path::new(&part).components().next() {
                Some(Component::RootDir) => way.truncate(1),
                Some(Component::ParentDir) if way.len() > 1 => drop(way.pop()),
                Some(Component::Normal(_)) => {
                    let above = way.last().unwrap_or(&self.root);
                    let last = queue.is_empty();
                    match above.get(&part) {
                        Some(Node::Link(target)) if !last || at_end == AtEnd::Follow => {
                            links += 1;
                            if links > MOST_LINKS {
                                return Err(Errno::LOOP.into());
                            }
                            for part in target.components().rev() {
                                queue.push_front(part.as_os_str().to_owned());
                            }
                        }
                        node if last => return Ok(Place { way, name: Some(part), node }),
                        Some(node) => way.push(node.directory()?),
                        None => return Err(Errno::NOENT.into()),
                    }
                }
                _ => {}
            }
        }
        let node = way.last().cloned().map(Node::Directory);
        Ok(Place { way, name: None, node })
    }
}

/// A file that is being written; it stays the same one whatever becomes of its name.
struct Writing(Arc<Mutex<Vec<u8>>>);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        held(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writing {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl HeldDir for Directory {
    fn list(&self) -> io::Result<Vec<Entry>> {
        Ok(Self::list(self))
    }

    fn read_regular(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.get(&name.into()).ok_or(Errno::NOENT)?.regular(limit)
    }

    fn hold(&self, name: &str) -> io::Result<Box<dyn HeldDir + '_>> {
        Ok(Box::new(self.get(&name.into()).ok_or(Errno::NOENT)?.directory()?))
    }
}

impl Fs for MemoryFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look(path, AtEnd::Follow)?.there()?.content()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.read(path)?)))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        match self.look(path, AtEnd::Stay) {
            Ok(place) => Ok(place.node.map(|node| node.kind())),
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        Ok(self.look(dir, AtEnd::Follow)?.there()?.directory()?.list())
    }

    fn hold(&self, dir: &Path) -> io::Result<Box<dyn HeldDir + '_>> {
        Ok(Box::new(self.look(dir, AtEnd::Stay)?.there()?.directory()?))
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        match self.look(link, AtEnd::Stay)?.there()? {
            Node::Link(target) => Ok(target),
            Node::Directory(_) | Node::File(_) => Err(Errno::INVAL.into()),
        }
    }

    fn create(&self, path: &Path, _mode: u32) -> io::Result<Box<dyn NewFile>> {
        let _change = held(&self.change);
        let (above, name) = self.find(path, AtEnd::Stay)?.free()?;
        let content = Arc::<Mutex<Vec<u8>>>::default();
        above.put(name, Node::File(Arc::clone(&content)));
        Ok(Box::new(Writing(content)))
    }

    fn make_dir(&self, path: &Path, _mode: u32) -> io::Result<()> {
        let _change = held(&self.change);
        let (above, name) = self.find(path, AtEnd::Stay)?.free()?;
        above.put(name, Node::Directory(Directory::default()));
        Ok(())
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        let _change = held(&self.change);
        let (above, name) = self.find(link, AtEnd::Stay)?.free()?;
        above.put(name, Node::Link(target.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _change = held(&self.change);
        let (source, place) = (self.find(from, AtEnd::Stay)?, self.find(to, AtEnd::Stay)?);
        let moved = source.node.as_ref().ok_or(Errno::NOENT)?;
        if let Node::Directory(moved) = moved
            && place.way.iter().any(|above| above.is(moved))
        {
            return Err(Errno::INVAL.into());
        }
        match (moved, &place.node) {
            (_, None) => {}
            (Node::Directory(one), Some(Node::Directory(other))) if one.is(other) => return Ok(()),
            (Node::File(one), Some(Node::File(other))) if Arc::ptr_eq(one, other) => return Ok(()),
            (_, Some(Node::Directory(over))) if source.way.iter().any(|above| above.is(over)) => {
                return Err(Errno::NOTEMPTY.into());
            }
            (Node::Directory(_), Some(Node::Directory(over))) if over.is_empty() => {}
            (Node::Directory(_), Some(Node::Directory(_))) => return Err(Errno::NOTEMPTY.into()),
            (Node::Directory(_), Some(_)) => return Err(Errno::NOTDIR.into()),
            (_, Some(Node::Directory(_))) => return Err(Errno::ISDIR.into()),
            (_, Some(_)) => {}
        }
        let (above, name, node) = source.named()?;
        let (Some(target), Some(new)) = (place.way.last(), place.name) else {
            return Err(Errno::BUSY.into());
        };
        above.take(&name);
        target.put(new, node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let _change = held(&self.change);
        match self.find(path, AtEnd::Stay)?.named()? {
            (_, _, Node::Directory(_)) => Err(Errno::ISDIR.into()),
            (above, name, Node::File(_) | Node::Link(_)) => {
                above.take(&name);
                Ok(())
            }
        }
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        let _change = held(&self.change);
        match self.find(dir, AtEnd::Stay)?.named()? {
            (_, _, Node::File(_)) => Err(Errno::NOTDIR.into()),
            (above, name, Node::Directory(_) | Node::Link(_)) => {
                above.take(&name);
                Ok(())
            }
        }
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let _change = held(&self.change);
        let (above, name, node) = self.find(dir, AtEnd::Stay)?.named()?;
        if !node.directory()?.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        above.take(&name);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.look(dir, AtEnd::Follow)?.there().map(drop)
    }

    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        self.sync_dir(dir)
    }

    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.look(path, AtEnd::Stay)?.there()?.regular(limit)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.sync_dir(path).map(|()| u64::MAX)
    }
}

#[cfg(test)]
mod tests;
