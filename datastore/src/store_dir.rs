//! One data directory, read and written whole.
//!
//! ```text
//! live/settings/motd                      "Welcome"
//! live/settings/motd.affected-services    ["login"]        metadata of settings.motd
//! pending/default/settings/motd           "Bye"            transaction "default"
//! ```
//!
//! Reading goes from the data directory downwards by names that were listed as directories, so no link is ever
//! followed: one that lies in the way is an error with its path. Writing makes a directory that nobody refers to yet;
//! a power cut leaves an unreferenced directory behind, which the next writer removes.

use std::collections::BTreeMap;
use std::path::Path;

use host_io::fs::{Fs, Kind};

use crate::Value;
use crate::encoding::{NAME_MAX, decode, encode};
use crate::error::Error;
use crate::key::Key;

/// Settings and their values.
pub type Settings = BTreeMap<Key, Value>;
/// What is noted about settings: per key, name to JSON value.
pub type Metadata = BTreeMap<Key, BTreeMap<String, Value>>;

/// The directory of committed settings.
const LIVE: &str = "live";
/// The directory of transactions.
const PENDING: &str = "pending";
/// Where a transaction waits for its removal; no reader looks there.
const DROPPED: &str = ".dropped";
/// Settings may hold secrets (a proxy's password), and nobody but the API reads a store.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// What a file system hands out at once, in bytes; many use less.
const BLOCK: u64 = 4096;

/// Everything that a data directory holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Committed settings.
    pub live: Settings,
    /// Metadata of settings; it is never part of a transaction.
    pub metadata: Metadata,
    /// Transactions by name. One without a key is not stored.
    pub pending: BTreeMap<String, Settings>,
}

/// Reads all of a data directory.
///
/// # Errors
/// When something in it cannot be read, has no place there, or holds no value; the error names the path.
pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Contents, Error> {
    let (live, metadata) = read_live(fs, dir)?;
    let mut pending = BTreeMap::new();
    for transaction in transactions(fs, dir)? {
        let settings = read_pending(fs, dir, &transaction)?;
        pending.insert(transaction, settings);
    }
    Ok(Contents { live, metadata, pending })
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
    let mut settings = Settings::new();
    let mut metadata = Metadata::new();
    walk(fs, &root, &mut Vec::new(), &mut |file| {
        match file.name {
            Name::Value => drop(settings.insert(file.key, read_scalar(fs, file.path)?)),
            Name::Metadata(name) => {
                drop(metadata.entry(file.key).or_default().insert(name, read_json(fs, file.path)?));
            }
        }
        Ok(())
    })?;
    Ok((settings, metadata))
}

/// Reads one transaction; one that does not exist holds nothing.
///
/// # Errors
/// As [`read`].
pub fn read_pending(fs: &dyn Fs, dir: &Path, transaction: &str) -> Result<Settings, Error> {
    let mut settings = Settings::new();
    walk_pending(fs, dir, transaction, &mut |key, path| {
        settings.insert(key, read_scalar(fs, path)?);
        Ok(())
    })?;
    Ok(settings)
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
        refuse_foreign(&root.join(&entry.name), entry.kind)?;
        names.extend(decode(&entry.name).filter(|_| entry.kind == Kind::Directory));
    }
    names.sort();
    Ok(names)
}

/// Removes one transaction in one step and returns its keys. This frees room and needs none, so that a boot with a
/// full partition can drop what was never committed. A broken value is no obstacle.
///
/// # Errors
/// As [`read`], and when the storage refuses; the transaction is then whole or gone.
pub(crate) fn drop_pending(fs: &dyn Fs, dir: &Path, transaction: &str) -> Result<Vec<Key>, Error> {
    let mut keys = Vec::new();
    walk_pending(fs, dir, transaction, &mut |key, _| {
        keys.push(key);
        Ok(())
    })?;
    let tree = transaction_dir(dir, transaction)?;
    if !is_directory(fs, &tree)? {
        return Ok(keys);
    }
    let dropped = dir.join(DROPPED);
    host_io::swap::discard(fs, &dropped).map_err(Error::io("remove", &dropped))?;
    // Before this rename the transaction is there, after it there is none; what lies in DROPPED is garbage.
    fs.rename(&tree, &dropped).map_err(Error::io("remove", &tree))?;
    let pending = dir.join(PENDING);
    fs.sync_dir(&pending).map_err(Error::io("sync", &pending))?;
    fs.sync_dir(dir).map_err(Error::io("sync", dir))?;
    fs.remove_tree(&dropped).map_err(Error::io("remove", &dropped))?;
    keys.sort();
    Ok(keys)
}

/// Writes a data directory that must not exist yet. When this returns, every file and every name in it is durable, its
/// own name included.
///
/// # Errors
/// When a key, value or name cannot be stored (nothing was written then), or the storage refuses.
pub fn write(fs: &dyn Fs, dir: &Path, contents: &Contents) -> Result<(), Error> {
    let root = plan(contents)?;
    write_directory(fs, dir, &root)?;
    let parent = dir.parent().unwrap_or(dir);
    fs.sync_dir(parent).map_err(Error::io("sync", parent))
}

/// The bytes that a data directory with these contents takes on a file system, counted in blocks of 4096.
///
/// # Errors
/// When the contents cannot be stored.
pub fn room(contents: &Contents) -> Result<u64, Error> {
    Ok(plan(contents)?.blocks() * BLOCK)
}

/// A directory as it will be written: complete before the first file is made.
#[derive(Default)]
struct Directory {
    directories: BTreeMap<String, Directory>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Directory {
    fn blocks(&self) -> u64 {
        let below: u64 = self.directories.values().map(Self::blocks).sum();
        let files: u64 = self.files.values().map(|bytes| (bytes.len() as u64).div_ceil(BLOCK)).sum();
        1 + below + files
    }
}

fn plan(contents: &Contents) -> Result<Directory, Error> {
    let mut live = plan_settings(&contents.live)?;
    for (key, entries) in &contents.metadata {
        refuse_below_a_value(&contents.live, key)?;
        for (name, value) in entries {
            // The name of metadata is one segment of a key.
            if Key::from_segments([name]).is_err() {
                return Err(Error::Name { name: name.clone(), of: "metadata entry" });
            }
            let (directory, segment) = place(&mut live, key)?;
            let file = checked_name(&format!("{segment}.{}", encode(name)), name)?;
            directory.files.insert(file, value.to_string().into_bytes());
        }
    }
    let mut pending = Directory::default();
    for (transaction, settings) in &contents.pending {
        let name = transaction_name(transaction)?;
        if !settings.is_empty() {
            pending.directories.insert(name, plan_settings(settings)?);
        }
    }
    Ok(Directory {
        directories: BTreeMap::from([(LIVE.to_owned(), live), (PENDING.to_owned(), pending)]),
        files: BTreeMap::new(),
    })
}

fn plan_settings(settings: &Settings) -> Result<Directory, Error> {
    let mut root = Directory::default();
    for (key, value) in settings {
        refuse_below_a_value(settings, key)?;
        if let Some(reason) = why_not_storable(value) {
            return Err(Error::NotStorable { key: key.clone(), reason });
        }
        let (directory, segment) = place(&mut root, key)?;
        directory.files.insert(segment, value.to_string().into_bytes());
    }
    Ok(root)
}

/// The directory that a key's file lies in, and the file's name.
fn place<'a>(root: &'a mut Directory, key: &Key) -> Result<(&'a mut Directory, String), Error> {
    let (last, above) = key.segments().split_last().expect("a key has a segment");
    let mut directory = root;
    for segment in above {
        directory = directory.directories.entry(checked_name(&encode(segment), segment)?).or_default();
    }
    Ok((directory, checked_name(&encode(last), last)?))
}

fn refuse_below_a_value(settings: &Settings, key: &Key) -> Result<(), Error> {
    let segments = key.segments();
    for len in 1..segments.len() {
        let above = Key::from_segments(segments[..len].iter().cloned())?;
        if settings.contains_key(&above) {
            return Err(Error::Collision { key: key.clone(), other: above });
        }
    }
    Ok(())
}

fn checked_name(file: &str, name: &str) -> Result<String, Error> {
    if file.len() > NAME_MAX {
        return Err(Error::NameTooLong { name: name.to_owned(), len: file.len() });
    }
    Ok(file.to_owned())
}

fn transaction_name(transaction: &str) -> Result<String, Error> {
    if transaction.is_empty() {
        return Err(Error::Name { name: transaction.to_owned(), of: "transaction" });
    }
    checked_name(&encode(transaction), transaction)
}

fn transaction_dir(dir: &Path, transaction: &str) -> Result<std::path::PathBuf, Error> {
    Ok(dir.join(PENDING).join(transaction_name(transaction)?))
}

fn write_directory(fs: &dyn Fs, path: &Path, directory: &Directory) -> Result<(), Error> {
    fs.make_dir(path, DIR_MODE).map_err(Error::io("make the directory", path))?;
    for (name, below) in &directory.directories {
        write_directory(fs, &path.join(name), below)?;
    }
    for (name, bytes) in &directory.files {
        let path = path.join(name);
        let mut file = fs.create(&path, FILE_MODE).map_err(Error::io("write", &path))?;
        file.write_all(bytes).map_err(Error::io("write", &path))?;
        file.sync().map_err(Error::io("sync", &path))?;
    }
    fs.sync_dir(path).map_err(Error::io("sync", path))
}

/// Why a value cannot be a setting's value, if so.
fn why_not_storable(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => None,
        Value::Array(items) if items.iter().any(|item| !is_scalar(item)) => {
            Some("a list may hold text, numbers and truth values only")
        }
        Value::Array(_) => None,
        Value::Null => Some("null is not a value"),
        Value::Object(_) => Some("a table is not a value; its members are keys of their own"),
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

struct Found<'a> {
    key: Key,
    name: Name,
    path: &'a Path,
}

enum Name {
    Value,
    Metadata(String),
}

fn walk_pending(
    fs: &dyn Fs,
    dir: &Path,
    transaction: &str,
    found: &mut dyn FnMut(Key, &Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let tree = transaction_dir(dir, transaction)?;
    if !is_directory(fs, &dir.join(PENDING))? || !is_directory(fs, &tree)? {
        return Ok(());
    }
    walk(fs, &tree, &mut Vec::new(), &mut |file| match file.name {
        Name::Value => found(file.key, file.path),
        Name::Metadata(_) => Ok(()),
    })
}

/// Calls `found` for every file below `dir` whose name is one of ours.
fn walk(
    fs: &dyn Fs,
    dir: &Path,
    segments: &mut Vec<String>,
    found: &mut dyn FnMut(Found<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    for entry in fs.list(dir).map_err(Error::io("list", dir))? {
        let path = dir.join(&entry.name);
        refuse_foreign(&path, entry.kind)?;
        // Only metadata has a dot in its file's name.
        let (segment, metadata) = match entry.name.split_once('.') {
            None => (decode(&entry.name), None),
            Some((segment, name)) => match decode(name) {
                Some(name) => (decode(segment), Some(name)),
                None => continue,
            },
        };
        let Some(segment) = segment else { continue };
        segments.push(segment);
        match (entry.kind, metadata) {
            (Kind::Directory, None) => walk(fs, &path, segments, found)?,
            (Kind::File, metadata) => {
                if let Ok(key) = Key::from_segments(segments.iter().cloned()) {
                    let name = metadata.map_or(Name::Value, Name::Metadata);
                    found(Found { key, name, path: &path })?;
                }
            }
            _ => {}
        }
        segments.pop();
    }
    Ok(())
}

fn refuse_foreign(path: &Path, kind: Kind) -> Result<(), Error> {
    let what = match kind {
        Kind::File | Kind::Directory => return Ok(()),
        Kind::Link => "a link, which is never followed",
        Kind::Other => "neither a file nor a directory",
    };
    Err(Error::Foreign { path: path.to_owned(), what })
}

/// Whether a directory lies at `path`; false when there is nothing, an error when there is something else.
fn is_directory(fs: &dyn Fs, path: &Path) -> Result<bool, Error> {
    match fs.kind(path).map_err(Error::io("look at", path))? {
        None => Ok(false),
        Some(Kind::Directory) => Ok(true),
        Some(Kind::File) => Err(Error::Foreign { path: path.to_owned(), what: "a file, not a directory" }),
        Some(kind) => refuse_foreign(path, kind).map(|()| false),
    }
}

fn read_scalar(fs: &dyn Fs, path: &Path) -> Result<Value, Error> {
    let value = read_json(fs, path)?;
    match why_not_storable(&value) {
        None => Ok(value),
        Some(reason) => Err(Error::Value { path: path.to_owned(), reason: reason.to_owned() }),
    }
}

fn read_json(fs: &dyn Fs, path: &Path) -> Result<Value, Error> {
    let bytes = fs.read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let reason = if bytes.is_empty() { "the file is empty".to_owned() } else { error.to_string() };
        Error::Value { path: path.to_owned(), reason }
    })
}
