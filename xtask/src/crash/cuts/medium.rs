//! What a medium holds: files by inode, names by directory, sectors of the table, and partitions. The rules of
//! `docs/crash-consistency.md` are about these parts: each can have landed without the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::tree::{Content, Hash, Hasher, Node, Tree, hash};

/// A file, a directory or a link, whatever its name is now.
pub(super) type Inode = usize;
/// Bytes in a sector: the unit that is written whole or not at all.
pub(super) const SECTOR: usize = 512;

/// What an inode is, from its beginning to its end.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    File { mode: u32 },
    Dir { mode: u32 },
    Link { target: PathBuf },
}

/// A file's size and its bytes, which reach a medium apart: bytes that never did are zeros.
#[derive(Debug, Clone, Default)]
struct Body {
    size: usize,
    bytes: Vec<u8>,
    seen: OnceLock<Content>,
}

impl Body {
    fn content(&self) -> Content {
        let seen = || {
            let mut bytes = self.bytes.clone();
            bytes.resize(self.size, 0);
            Content::new(&bytes)
        };
        self.seen.get_or_init(seen).clone()
    }
}

/// A partition's bytes, known by their hash.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) bytes: Vec<u8>,
    pub(super) hash: Hash,
}

impl Partition {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let hash = hash(&bytes);
        Self { bytes, hash }
    }
}

/// One thing that lands or does not.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Names of directories get another inode, or none: all of them in one step.
    Names(Vec<(Inode, String, Option<Inode>)>),
    /// A file gets a size.
    Size(Inode, usize),
    /// A file gets bytes.
    Bytes(Inode, usize, Arc<[u8]>),
    /// A sector of the table.
    Sector(u64, Arc<[u8]>),
    /// Bytes of a partition, by its place among the images.
    Image(usize, usize, Arc<[u8]>),
}

impl Change {
    /// The names that get another inode, or none.
    pub(super) fn names(&self) -> &[(Inode, String, Option<Inode>)] {
        match self {
            Self::Names(names) => names,
            Self::Size(..) | Self::Bytes(..) | Self::Sector(..) | Self::Image(..) => &[],
        }
    }

    /// Whether it is a sector of the table, or a name that gets a link.
    pub(super) fn is_switch(&self, kinds: &[Kind]) -> bool {
        let mut inodes = self.names().iter().filter_map(|(_, _, inode)| *inode).peekable();
        let is_linked =
            inodes.peek().is_some() && inodes.all(|inode| matches!(kinds[inode], Kind::Link { .. }));
        matches!(self, Self::Sector(..)) || is_linked
    }

    /// Whether it is about one of these directories, or what lies there.
    pub(super) fn is_below(&self, dirs: &HashSet<Inode>) -> bool {
        match self {
            Self::Size(inode, _) | Self::Bytes(inode, ..) => dirs.contains(inode),
            Self::Names(names) => names.iter().any(|(dir, ..)| dirs.contains(dir)),
            Self::Sector(..) | Self::Image(..) => false,
        }
    }
}

/// What a disk holds, the persistent partition left out.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    /// What lies at both ends of the disk at the beginning: each with its place.
    pub(super) tables: Arc<[(u64, Vec<u8>); 2]>,
    /// Sectors of the table that are others now.
    pub(super) sectors: BTreeMap<u64, Arc<[u8]>>,
    pub(super) images: Vec<Arc<Partition>>,
}

/// A medium at one moment. Clones share what does not change.
#[derive(Debug, Clone)]
pub(super) struct Medium {
    root: Inode,
    names: HashMap<Inode, Arc<BTreeMap<String, Inode>>>,
    bodies: HashMap<Inode, Arc<Body>>,
    pub(super) disk: Disk,
    /// When each name was changed last: a change that lands late does not undo a later one.
    stamps: HashMap<(Inode, String), u64>,
}

impl Medium {
    /// A medium that holds this tree and this disk. What its inodes are is added to `kinds`.
    pub(super) fn of(tree: &Tree, disk: Disk, kinds: &mut Vec<Kind>) -> Self {
        let (root, stamps) = (kinds.len(), HashMap::new());
        kinds.push(Kind::Dir { mode: 0o755 });
        let names = HashMap::from([(root, Arc::default())]);
        let mut medium = Self { root, names, bodies: HashMap::new(), disk, stamps };
        let mut known: HashMap<&str, Inode> = HashMap::from([("", root)]);
        for (path, node) in &tree.nodes {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            let inode = kinds.len();
            kinds.push(match node {
                Node::File { mode, .. } => Kind::File { mode: *mode },
                Node::Dir { mode } => Kind::Dir { mode: *mode },
                Node::Link { target } => Kind::Link { target: target.clone() },
            });
            medium.begin(inode, &kinds[inode]);
            if let Node::File { content, .. } = node {
                let body =
                    Body { size: content.bytes.len(), bytes: content.bytes.to_vec(), seen: OnceLock::new() };
                medium.bodies.insert(inode, Arc::new(body));
            }
            medium.apply(&Change::Names(vec![(known[dir], name.to_owned(), Some(inode))]), 0);
            known.insert(path.as_str(), inode);
        }
        medium
    }

    /// Makes room for an inode that nothing leads to yet.
    pub(super) fn begin(&mut self, inode: Inode, kind: &Kind) {
        match kind {
            Kind::Dir { .. } => drop(self.names.insert(inode, Arc::default())),
            Kind::File { .. } => drop(self.bodies.insert(inode, Arc::default())),
            Kind::Link { .. } => {}
        }
    }

    /// [`Medium::begin`] for every inode that is not known yet: names lead to it or do not.
    pub(super) fn begin_all(&mut self, kinds: &[Kind]) {
        for (inode, kind) in kinds.iter().enumerate() {
            if !self.names.contains_key(&inode) && !self.bodies.contains_key(&inode) {
                self.begin(inode, kind);
            }
        }
    }

    /// Lets a change land that was made at `moment`.
    pub(super) fn apply(&mut self, change: &Change, moment: u64) {
        match change {
            Change::Names(all) => {
                for (dir, name, inode) in all {
                    let stamp = self.stamps.entry((*dir, name.clone())).or_default();
                    if *stamp > moment {
                        continue;
                    }
                    *stamp = moment;
                    let names = Arc::make_mut(self.names.entry(*dir).or_default());
                    match inode {
                        Some(inode) => names.insert(name.clone(), *inode),
                        None => names.remove(name),
                    };
                }
            }
            Change::Size(inode, size) => {
                let body = Arc::make_mut(self.bodies.entry(*inode).or_default());
                body.size = *size;
                body.seen = OnceLock::new();
            }
            Change::Bytes(inode, at, bytes) => {
                let body = Arc::make_mut(self.bodies.entry(*inode).or_default());
                let end = at + bytes.len();
                body.bytes.resize(body.bytes.len().max(end), 0);
                body.bytes[*at..end].copy_from_slice(bytes);
                body.seen = OnceLock::new();
            }
            Change::Sector(at, bytes) if self.disk.first(*at) == Some(&bytes[..]) => {
                self.disk.sectors.remove(at);
            }
            Change::Sector(at, bytes) => drop(self.disk.sectors.insert(*at, Arc::clone(bytes))),
            Change::Image(..) => self.apply_images(&[change]),
        }
    }

    /// Lets several writes to partitions land, each partition's bytes being judged once.
    pub(super) fn apply_images(&mut self, changes: &[&Change]) {
        let mut touched: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for change in changes {
            let Change::Image(place, at, bytes) = change else { continue };
            let whole = touched.entry(*place).or_insert_with(|| self.disk.images[*place].bytes.clone());
            whole[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        for (place, bytes) in touched {
            self.disk.images[place] = Arc::new(Partition::new(bytes));
        }
    }

    /// The inode at a path whose way has no links.
    pub(super) fn find(&self, path: &str) -> Option<Inode> {
        path.split('/').try_fold(self.root, |at, name| self.names.get(&at)?.get(name).copied())
    }

    /// A directory, and all that lies below it.
    pub(super) fn below(&self, path: &str) -> HashSet<Inode> {
        let mut below: Vec<Inode> = self.find(path).into_iter().collect();
        let mut next = 0;
        while let Some(inode) = below.get(next) {
            let names = self.names.get(inode).cloned().unwrap_or_default();
            below.extend(names.values());
            next += 1;
        }
        below.into_iter().collect()
    }

    /// The names that lead somewhere.
    pub(super) fn tree(&self, kinds: &[Kind]) -> Tree {
        let mut tree = Tree::default();
        self.add(&mut tree, kinds, self.root, "");
        tree
    }

    fn add(&self, tree: &mut Tree, kinds: &[Kind], dir: Inode, above: &str) {
        for (name, inode) in self.names.get(&dir).into_iter().flat_map(|names| names.iter()) {
            let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
            let node = match &kinds[*inode] {
                Kind::File { mode } => Node::File { content: self.bodies[inode].content(), mode: *mode },
                Kind::Dir { mode } => {
                    self.add(tree, kinds, *inode, &path);
                    Node::Dir { mode: *mode }
                }
                Kind::Link { target } => Node::Link { target: target.clone() },
            };
            tree.nodes.insert(path, node);
        }
    }

    /// What tells it apart: media with the same answer hold the same. It costs less than making a tree of it.
    pub(super) fn key(&self, kinds: &[Kind]) -> Hash {
        let mut hasher = Hasher::new();
        self.add_names(&mut hasher, kinds, self.root);
        hasher.add(&self.disk.table_hash().to_le_bytes());
        for image in &self.disk.images {
            hasher.add(&image.hash.to_le_bytes());
        }
        hasher.end()
    }

    fn add_names(&self, hasher: &mut Hasher, kinds: &[Kind], dir: Inode) {
        let names = self.names.get(&dir);
        hasher.add(&names.map_or(0, |names| names.len()).to_le_bytes());
        for (name, inode) in names.into_iter().flat_map(|names| names.iter()) {
            hasher.add(name.as_bytes());
            match &kinds[*inode] {
                Kind::File { .. } => {
                    hasher.add(b"file");
                    hasher.add(&self.bodies[inode].content().hash.to_le_bytes());
                }
                Kind::Dir { .. } => {
                    hasher.add(b"directory");
                    self.add_names(hasher, kinds, *inode);
                }
                Kind::Link { target } => {
                    hasher.add(b"link");
                    hasher.add(target.as_os_str().as_encoded_bytes());
                }
            }
        }
    }

    /// Takes a file's bytes as another medium has them.
    pub(super) fn share(&mut self, inode: Inode, other: &Self) {
        if let Some(body) = other.bodies.get(&inode) {
            self.bodies.insert(inode, Arc::clone(body));
        }
    }
}

impl Disk {
    /// What a sector of the table was at the beginning.
    pub(super) fn first(&self, at: u64) -> Option<&[u8]> {
        let (start, bytes) = self.tables.iter().rfind(|(start, _)| *start <= at)?;
        let from = usize::try_from(at - start).ok()?;
        bytes.get(from..from + SECTOR)
    }

    /// Which table it is, beside the one at the beginning.
    pub(super) fn table_hash(&self) -> Hash {
        let mut hasher = Hasher::new();
        for (at, bytes) in &self.sectors {
            hasher.add(&at.to_le_bytes());
            hasher.add(bytes);
        }
        hasher.end()
    }
}
