//! The persistent partition as a value: names, and what lies there. Times are left out; modes are kept, and do not tell
//! two trees apart.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use host_io::explore::record::Look;
use ring::digest::{SHA256, digest};

/// The one directory of a host that outlives a reset.
pub(super) const PERSISTENT: &str = "var";
/// As many links are followed on one way as the kernel would.
const MOST_LINKS: usize = 40;

/// 128 bits of a SHA-256: no two states meet by chance.
pub(super) type Hash = u128;
/// What is answered where nothing is.
const NOTHING: Hash = 0;

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) bytes: Arc<[u8]>,
    pub(super) hash: Hash,
}

impl Content {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), hash: hash(bytes) }
    }
}

/// What lies at a name.
#[derive(Debug, Clone)]
pub(super) enum Node {
    File { content: Content, mode: u32 },
    Dir { mode: u32 },
    Link { target: PathBuf },
}

/// Everything below [`PERSISTENT`], by its path from the host's root. A directory comes before what is in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<String, Node>,
}

/// The first 16 bytes of a SHA-256.
pub(super) fn hash(bytes: &[u8]) -> Hash {
    let digest = digest(&SHA256, bytes);
    u128::from_be_bytes(digest.as_ref()[..16].try_into().expect("a digest is longer"))
}

/// A hash over several things, none of which can be taken for a part of another. They are gathered first: most are of a
/// few bytes, which cost more one by one than hashed together.
pub(super) struct Hasher(Vec<u8>);

impl Hasher {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn end(&self) -> Hash {
        hash(&self.0)
    }
}

impl Tree {
    /// What lies in `host`.
    pub(super) fn scan(host: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.add(host, PERSISTENT)?;
        Ok(tree)
    }

    fn add(&mut self, host: &Path, name: &str) -> io::Result<()> {
        let path = host.join(name);
        let metadata = fs::symlink_metadata(&path)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_symlink() {
            self.nodes.insert(name.to_owned(), Node::Link { target: relative(host, &fs::read_link(&path)?) });
        } else if metadata.is_dir() {
            self.nodes.insert(name.to_owned(), Node::Dir { mode });
            for entry in fs::read_dir(&path)? {
                let below = entry?.file_name();
                self.add(host, &format!("{name}/{}", below.to_string_lossy()))?;
            }
        } else if metadata.is_file() {
            let content = Content::new(&fs::read(&path)?);
            self.nodes.insert(name.to_owned(), Node::File { content, mode });
        }
        Ok(())
    }

    /// Makes `host` hold this tree and nothing else.
    pub(super) fn lay_out(&self, host: &Path) -> io::Result<()> {
        match fs::remove_dir_all(host.join(PERSISTENT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for (name, node) in &self.nodes {
            let path = host.join(name);
            match node {
                Node::Dir { mode } => fs::DirBuilder::new().mode(*mode).create(path)?,
                Node::Link { target } => symlink(absolute(host, target), path)?,
                Node::File { content, mode } => {
                    let mut file =
                        fs::OpenOptions::new().write(true).create_new(true).mode(*mode).open(path)?;
                    io::Write::write_all(&mut file, &content.bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Which tree it is.
    pub(super) fn hash(&self) -> Hash {
        let mut hasher = Hasher::new();
        for (name, node) in &self.nodes {
            hasher.add(name.as_bytes());
            node.add_to(&mut hasher);
        }
        hasher.end()
    }

    /// The names in a directory, with what they are.
    fn below<'a>(&'a self, dir: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let prefix = format!("{dir}/");
        let from = prefix.clone();
        self.nodes
            .range(from..)
            .take_while({
                let prefix = prefix.clone();
                move |(name, _)| name.starts_with(&prefix)
            })
            .filter_map(move |(name, node)| {
                let name = &name[prefix.len()..];
                (!name.contains('/')).then_some((name, node))
            })
    }

    /// Where a path really leads: links on its way are followed, one at its end only if asked for.
    pub(super) fn resolve(&self, path: &str, follow: bool) -> Option<String> {
        let mut left: Vec<String> = split(Path::new(path));
        left.reverse();
        let mut at = String::new();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if at.is_empty() { part } else { format!("{at}/{part}") };
            match self.nodes.get(&next)? {
                Node::Link { target } if follow || !left.is_empty() => {
                    links += 1;
                    if links > MOST_LINKS {
                        return None;
                    }
                    if target.is_absolute() {
                        at.clear();
                    }
                    left.extend(split(target).into_iter().rev());
                }
                _ => at = next,
            }
        }
        Some(at)
    }

    /// Which file, or which directory with everything below it, a path leads to.
    pub(super) fn hash_of(&self, path: &str) -> Option<Hash> {
        let found = self.resolve(path, true)?;
        let mut hasher = Hasher::new();
        self.nodes.get(&found)?.add_to(&mut hasher);
        let prefix = format!("{found}/");
        let below = self.nodes.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        for (name, node) in below {
            hasher.add(&name.as_bytes()[prefix.len()..]);
            node.add_to(&mut hasher);
        }
        Some(hasher.end())
    }
}

/// A tree that many are answered from: where directories lead is found out once.
pub(super) struct Answers<'a> {
    tree: &'a Tree,
    dirs: HashMap<&'a str, Option<String>>,
}

impl<'a> Answers<'a> {
    pub(super) fn from(tree: &'a Tree) -> Self {
        Self { tree, dirs: HashMap::new() }
    }

    /// What a program that looks there is answered. What tells it apart is a hash already, or one of few.
    pub(super) fn of(&mut self, what: Look, path: &'a str) -> Hash {
        let follow = matches!(what, Look::Content | Look::Names);
        let Some(found) = self.resolve(path, follow) else { return NOTHING };
        let Some(node) = self.tree.nodes.get(&found) else { return NOTHING };
        match what {
            Look::Content | Look::Target => match node {
                Node::File { content, .. } => content.hash,
                Node::Dir { .. } | Node::Link { .. } => node.hash() ^ node.kind(),
            },
            Look::Kind => node.kind(),
            Look::Names => {
                let mut hasher = Hasher::new();
                for (name, node) in self.tree.below(&found) {
                    hasher.add(name.as_bytes());
                    hasher.add(&node.kind().to_le_bytes());
                }
                hasher.end()
            }
        }
    }

    /// [`Tree::resolve`].
    fn resolve(&mut self, path: &'a str, follow: bool) -> Option<String> {
        let Some((dir, name)) = path.rsplit_once('/').filter(|_| !path.contains("..")) else {
            return self.tree.resolve(path, follow);
        };
        let dir = self.dirs.entry(dir).or_insert_with(|| self.tree.resolve(dir, true)).as_deref()?;
        let found = format!("{dir}/{name}");
        match self.tree.nodes.get(&found)? {
            Node::Link { .. } if follow => self.tree.resolve(path, true),
            _ => Some(found),
        }
    }
}

impl Node {
    /// Whether a reader could not tell them apart.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { content: one, .. }, Self::File { content: other, .. }) => one.hash == other.hash,
            (Self::Dir { .. }, Self::Dir { .. }) => true,
            (Self::Link { target: one }, Self::Link { target: other }) => one == other,
            _ => false,
        }
    }

    /// Which node it is.
    pub(super) fn hash(&self) -> Hash {
        match self {
            Self::File { content, .. } => content.hash,
            Self::Dir { .. } => 0,
            Self::Link { target } => hash(target.as_os_str().as_encoded_bytes()),
        }
    }

    fn add_to(&self, hasher: &mut Hasher) {
        self.kind_to(hasher);
        match self {
            Self::File { content, .. } => hasher.add(&content.hash.to_le_bytes()),
            Self::Dir { .. } => {}
            Self::Link { target } => hasher.add(target.as_os_str().as_encoded_bytes()),
        }
    }

    const fn kind(&self) -> Hash {
        match self {
            Self::File { .. } => 1,
            Self::Dir { .. } => 2,
            Self::Link { .. } => 3,
        }
    }

    fn kind_to(&self, hasher: &mut Hasher) {
        hasher.add(match self {
            Self::File { .. } => b"file",
            Self::Dir { .. } => b"directory",
            Self::Link { .. } => b"link",
        });
    }
}

fn split(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            _ => None,
        })
        .collect()
}

/// A link's target as it would be on a host that lies nowhere in particular.
pub(super) fn relative(host: &Path, target: &Path) -> PathBuf {
    target.strip_prefix(host).map_or_else(|_| target.to_owned(), |below| Path::new("/").join(below))
}

fn absolute(host: &Path, target: &Path) -> PathBuf {
    target.strip_prefix("/").map_or_else(|_| target.to_owned(), |below| host.join(below))
}

/// Names, and what lies there now.
pub(super) type Delta = Vec<(String, Option<Node>)>;

/// What has to change so that `before` becomes `after`.
pub(super) fn delta(before: &Tree, after: &Tree) -> Delta {
    let gone = before.nodes.keys().filter(|name| !after.nodes.contains_key(*name));
    let mut delta: Delta = gone.map(|name| (name.clone(), None)).collect();
    for (name, node) in &after.nodes {
        if !before.nodes.get(name).is_some_and(|old| old.same(node)) {
            delta.push((name.clone(), Some(node.clone())));
        }
    }
    delta
}

/// A tree after what a run changed of another one in which it saw the same.
pub(super) fn changed(tree: &Tree, delta: &Delta) -> Tree {
    let mut nodes: BTreeMap<String, Node> = tree.nodes.clone();
    for (name, node) in delta {
        match node {
            Some(node) => drop(nodes.insert(name.clone(), node.clone())),
            None => drop(nodes.remove(name)),
        }
    }
    Tree { nodes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(dir: &Path) -> Tree {
        fs::create_dir_all(dir.join("var/lib/stores/one")).unwrap();
        fs::write(dir.join("var/lib/stores/one/file"), b"content").unwrap();
        symlink("one", dir.join("var/lib/stores/current")).unwrap();
        symlink(dir.join("var/lib/stores"), dir.join("var/elsewhere")).unwrap();
        Tree::scan(dir).unwrap()
    }

    #[test]
    fn a_tree_that_was_laid_out_is_found_again_at_another_place() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tree = tree(here.path());
        tree.lay_out(there.path()).unwrap();
        assert_eq!(Tree::scan(there.path()).unwrap().hash(), tree.hash());
        assert_eq!(fs::read(there.path().join("var/elsewhere/current/file")).unwrap(), b"content");
    }

    #[test]
    fn a_look_is_answered_through_links_and_changes_with_what_it_is_about_only() {
        let dir = tempfile::tempdir().unwrap();
        let old = tree(dir.path());
        fs::write(dir.path().join("var/lib/stores/one/file"), b"other").unwrap();
        fs::write(dir.path().join("var/lib/more"), b"").unwrap();
        let new = Tree::scan(dir.path()).unwrap();
        assert_ne!(old.hash_of("var/elsewhere/current"), new.hash_of("var/elsewhere/current"));
        assert_eq!(old.hash_of("var/lib/more"), None);
        let answer = |tree: &Tree, what, path: &str| Answers::from(tree).of(what, path);
        for (what, path, same) in [
            (Look::Content, "var/elsewhere/current/file", false),
            (Look::Kind, "var/elsewhere/current/file", true),
            (Look::Names, "var/lib", false),
            (Look::Names, "var/lib/stores", true),
            (Look::Target, "var/lib/stores/current", true),
            (Look::Kind, "var/lib/more", false),
            (Look::Kind, "var/elsewhere/../more", false),
            (Look::Content, "var/missing", true),
            (Look::Content, "var/missing/file", true),
        ] {
            assert_eq!(answer(&old, what, path) == answer(&new, what, path), same, "{what:?} {path}");
        }
    }
}
