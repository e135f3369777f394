//! Files in memory behind the trait that product code reads and writes them through.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use host_io::Fs;
use host_io::fs::{Entry, Kind, NewFile};

/// One file system; paths are taken as they are, after `..` is resolved by name.
#[derive(Default, Clone)]
pub struct MemoryFs {
    nodes: Arc<Mutex<BTreeMap<PathBuf, Node>>>,
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Vec<u8>),
    Link(PathBuf),
}

impl MemoryFs {
    /// Puts a file and the directories above it.
    pub fn with(self, path: &str, bytes: &[u8]) -> Self {
        self.put(Path::new(path), Node::File(bytes.to_vec()));
        self
    }

    /// Puts a link.
    pub fn with_link(self, path: &str, target: &str) -> Self {
        self.put(Path::new(path), Node::Link(target.into()));
        self
    }

    /// Puts an empty directory.
    pub fn with_dir(self, path: &str) -> Self {
        self.put(Path::new(path), Node::Directory);
        self
    }

    fn put(&self, path: &Path, node: Node) {
        let path = plain(path);
        let mut nodes = self.nodes.lock().expect("one thread");
        for above in path.ancestors().skip(1) {
            nodes.entry(above.to_owned()).or_insert(Node::Directory);
        }
        nodes.insert(path, node);
    }

    fn node(&self, path: &Path) -> Option<Node> {
        self.nodes.lock().expect("one thread").get(&plain(path)).cloned()
    }
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            std::path::Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

struct Writing(MemoryFs, PathBuf);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(Node::File(content)) = self.0.nodes.lock().expect("one thread").get_mut(&self.1) {
            content.extend_from_slice(bytes);
        }
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

impl Fs for MemoryFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.node(path) {
            Some(Node::File(bytes)) => Ok(bytes),
            Some(_) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.read(path)?)))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        Ok(self.node(path).map(|node| match node {
            Node::Directory => Kind::Directory,
            Node::File(_) => Kind::File,
            Node::Link(_) => Kind::Link,
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let dir = plain(dir);
        let names: Vec<PathBuf> = {
            let nodes = self.nodes.lock().expect("one thread");
            nodes.keys().filter(|path| path.parent() == Some(&dir)).cloned().collect()
        };
        let entry = |path: PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(Entry { name, kind: self.kind(&path).ok()?? })
        };
        Ok(names.into_iter().filter_map(entry).collect())
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        match self.node(link) {
            Some(Node::Link(target)) => Ok(target),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn create(&self, path: &Path, _mode: u32) -> io::Result<Box<dyn NewFile>> {
        if self.node(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(path, Node::File(Vec::new()));
        Ok(Box::new(Writing(self.clone(), plain(path))))
    }

    fn make_dir(&self, path: &Path, _mode: u32) -> io::Result<()> {
        if self.node(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(path, Node::Directory);
        Ok(())
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.put(link, Node::Link(target.to_owned()));
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_tree(&self, _dir: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_dir(&self, _dir: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read_regular(&self, path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}
