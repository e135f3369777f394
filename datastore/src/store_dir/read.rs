//! From the disk to contents.

use std::path::Path;

use host_io::fs::{Entry, Fs, HeldDir, Kind};

use super::contents::{Change, Contents, Damage, Metadata, Settings, why_not_storable};
use super::many;
use super::names::{LIVE, PENDING, UNSET, transaction_dir};
use crate::Value;
use crate::encoding::decode;
use crate::error::Error;
use crate::key::Key;

/// The longest value that is read, in bytes: a file that grew beyond all that a host may be told fills nobody's memory.
const VALUE_MAX: u64 = 16 << 20;

/// Reads all of a data directory. A transaction that cannot be read is left out: nobody can commit it.
///
/// # Errors
/// When something among the committed settings cannot be read, has no place there, or holds no value; the error names
/// the path.
pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Contents, Error> {
    let (live, metadata) = read_live(fs, dir)?;
    let mut contents = Contents { live, metadata, ..Contents::default() };
    read_transactions(fs, dir, &mut contents);
    Ok(contents)
}

/// Reads what can be read of a data directory, and tells what cannot. A transaction is read as a whole or left out.
#[must_use]
pub fn read_usable(fs: &dyn Fs, dir: &Path) -> (Contents, Vec<Damage>) {
    let mut contents = Contents::default();
    let mut damage = Vec::new();
    let mut damaged = |key: Option<Key>, error: &Error| {
        damage.push(Damage { key, told: host_io::report::chain(error) });
    };
    let root = dir.join(LIVE);
    match is_directory(fs, &root) {
        Err(error) => damaged(None, &error),
        Ok(false) => damaged(None, &Error::NoLive { path: root }),
        Ok(true) => {
            let mut metadata = Vec::new();
            let usable = walk(fs, &root).into_iter().filter_map(|met| match met {
                Met::Value(key, Ok(value)) => Some((key, value)),
                Met::Metadata(key, name, Ok(value)) => {
                    metadata.push((key, name, value));
                    None
                }
                Met::Value(key, Err(error)) | Met::Metadata(key, _, Err(error)) => {
                    damaged(Some(key), &error);
                    None
                }
                Met::Lost(key, error) => {
                    damaged(key, &error);
                    None
                }
            });
            contents.live = usable.collect();
            contents.metadata = by_key(metadata);
        }
    }
    read_transactions(fs, dir, &mut contents);
    (contents, damage)
}

fn read_transactions(fs: &dyn Fs, dir: &Path, contents: &mut Contents) {
    let names = transactions(fs, dir).unwrap_or_else(|error| {
        tracing::warn!("no transaction is read: failed to {}", host_io::report::chain(&error));
        Vec::new()
    });
    for name in names {
        match read_change(fs, dir, &name) {
            Ok(change) => contents.put(&name, change),
            Err(error) => {
                tracing::warn!(
                    "the transaction {name:?} is left out: failed to {}",
                    host_io::report::chain(&error)
                );
            }
        }
    }
}

/// Reads the committed settings and the metadata of a data directory.
///
/// # Errors
/// As [`read`]; also when there is no live tree at all.
pub fn read_live(fs: &dyn Fs, dir: &Path) -> Result<(Settings, Metadata), Error> {
    let root = dir.join(LIVE);
    if !is_directory(fs, &root)? {
        return Err(Error::NoLive { path: root });
    }
    let mut settings = Vec::new();
    let mut metadata = Vec::new();
    for met in walk(fs, &root) {
        match met {
            Met::Value(key, value) => settings.push((key, value?)),
            Met::Metadata(key, name, value) => metadata.push((key, name, value?)),
            Met::Lost(_, error) => return Err(error),
        }
    }
    Ok((settings.into_iter().collect(), by_key(metadata)))
}

fn by_key(entries: Vec<(Key, String, Value)>) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, name, value) in entries {
        metadata.entry(key).or_default().insert(name, value);
    }
    metadata
}

/// Reads what one transaction would change; one that does not exist changes nothing.
///
/// # Errors
/// When something in it cannot be read, has no place there, or holds no value.
pub fn read_change(fs: &dyn Fs, dir: &Path, transaction: &str) -> Result<Change, Error> {
    let mut change = Change::default();
    let tree = transaction_dir(dir, transaction)?;
    if !is_directory(fs, &dir.join(PENDING))? || !is_directory(fs, &tree)? {
        return Ok(change);
    }
    for met in walk(fs, &tree) {
        match met {
            Met::Value(key, value) => drop(change.set.insert(key, value?)),
            Met::Metadata(key, name, _) if name == UNSET => drop(change.unset.insert(key)),
            Met::Metadata(..) => {}
            Met::Lost(_, error) => return Err(error),
        }
    }
    change.unset.retain(|key| !change.set.contains_key(key));
    Ok(change)
}

/// The names of the transactions, sorted.
///
/// # Errors
/// As [`read`].
pub fn transactions(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>, Error> {
    let root = dir.join(PENDING);
    if !is_directory(fs, &root)? {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs.list(&root).map_err(Error::io("list", &root))? {
        if let Some(what) = foreign(entry.kind) {
            return Err(Error::Foreign { path: root.join(&entry.name), what });
        }
        names.extend(decode(&entry.name).filter(|_| entry.kind == Kind::Directory));
    }
    names.sort();
    Ok(names)
}

/// What was met on a walk through a tree of settings.
enum Met {
    /// The file of a setting, and what it holds.
    Value(Key, Result<Value, Error>),
    /// The file of something that is noted about a setting, with the name of that.
    Metadata(Key, String, Result<Value, Error>),
    /// Something that could not be looked into, with the key in whose place it stands.
    Lost(Option<Key>, Error),
}

/// Whether the cores that there are work side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hands {
    All,
    One,
}

/// Everything below `root` whose name is one of ours, and what cannot be looked into, in the order of the names.
fn walk(fs: &dyn Fs, root: &Path) -> Vec<Met> {
    let mut met = Vec::new();
    match fs.hold(root) {
        Ok(dir) => Place { dir: &*dir, path: root, segments: &[] }.walk(Hands::All, &mut met),
        Err(source) => met.push(Met::Lost(None, Error::io("list", root)(source))),
    }
    met
}

/// A directory on the way.
struct Place<'a> {
    dir: &'a dyn HeldDir,
    /// For whoever is told of an error.
    path: &'a Path,
    segments: &'a [String],
}

impl Place<'_> {
    fn walk(&self, hands: Hands, met: &mut Vec<Met>) {
        let entries = match self.dir.list() {
            Ok(entries) => entries,
            Err(source) => {
                let key = Key::from_segments(self.segments.iter().cloned()).ok();
                return met.push(Met::Lost(key, Error::io("list", self.path)(source)));
            }
        };
        if hands == Hands::All && entries.len() >= many::MANY {
            met.extend(many::each(&entries, |entry, met| self.look(entry, Hands::One, met)));
        } else {
            entries.iter().for_each(|entry| self.look(entry, hands, met));
        }
    }

    fn look(&self, entry: &Entry, hands: Hands, met: &mut Vec<Met>) {
        if let Some(what) = foreign(entry.kind) {
            let key = decode(&entry.name).and_then(|segment| self.key(segment));
            return met.push(Met::Lost(key, Error::Foreign { path: self.path.join(&entry.name), what }));
        }
        // Only metadata has a dot in its file's name.
        let (segment, metadata) = match entry.name.split_once('.') {
            None => (decode(&entry.name), None),
            Some((segment, name)) => match decode(name) {
                Some(name) => (decode(segment), Some(name)),
                None => return,
            },
        };
        let Some(segment) = segment else { return };
        match (entry.kind, metadata) {
            (Kind::Directory, None) => {
                let path = self.path.join(&entry.name);
                let segments = [self.segments, &[segment]].concat();
                // What is no part of a name has no setting below it: nobody goes down there, however deep it is.
                let Ok(key) = Key::from_segments(segments.iter().cloned()) else { return };
                match self.dir.hold(&entry.name) {
                    Ok(dir) => Place { dir: &*dir, path: &path, segments: &segments }.walk(hands, met),
                    Err(source) => met.push(Met::Lost(Some(key), Error::io("list", &path)(source))),
                }
            }
            (Kind::File, None) => {
                if let Some(key) = self.key(segment) {
                    met.push(Met::Value(key, self.scalar(&entry.name)));
                }
            }
            (Kind::File, Some(name)) => {
                if let Some(key) = self.key(segment) {
                    met.push(Met::Metadata(key, name, self.json(&entry.name)));
                }
            }
            _ => {}
        }
    }

    fn key(&self, segment: String) -> Option<Key> {
        Key::from_segments(self.segments.iter().cloned().chain([segment])).ok()
    }

    fn scalar(&self, name: &str) -> Result<Value, Error> {
        let value = self.json(name)?;
        match why_not_storable(&value) {
            None => Ok(value),
            Some(reason) => Err(Error::Value { path: self.path.join(name), reason: reason.to_owned() }),
        }
    }

    fn json(&self, name: &str) -> Result<Value, Error> {
        let read = self.dir.read_regular(name, VALUE_MAX);
        let bytes = read.map_err(|source| Error::io("read", &self.path.join(name))(source))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let reason = if bytes.is_empty() { "the file is empty".to_owned() } else { error.to_string() };
            Error::Value { path: self.path.join(name), reason }
        })
    }
}

/// What something is that has no place in a store.
fn foreign(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::File | Kind::Directory => None,
        Kind::Link => Some("a link, which is never followed"),
        Kind::Other => Some("neither a file nor a directory"),
    }
}

/// Whether a directory lies at `path`; false when there is nothing, an error when there is something else.
fn is_directory(fs: &dyn Fs, path: &Path) -> Result<bool, Error> {
    match fs.kind(path).map_err(Error::io("look at", path))? {
        None => Ok(false),
        Some(Kind::Directory) => Ok(true),
        Some(Kind::File) => Err(Error::Foreign { path: path.to_owned(), what: "a file, not a directory" }),
        Some(kind) => {
            let what = foreign(kind).expect("what is no file and no directory is foreign");
            Err(Error::Foreign { path: path.to_owned(), what })
        }
    }
}
