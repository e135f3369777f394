//! One data directory, read and written whole.
//!
//! ```text
//! live/settings/motd                      "Welcome"
//! live/settings/motd.affected-services    ["login"]        metadata of settings.motd
//! pending/default/settings/motd           "Bye"            transaction "default"
//! pending/default/settings/ntp/mode.unset true             it takes settings.ntp.mode away
//! ```
//!
//! What a transaction takes away has the form of metadata, which no reader of this format takes for a value.
//!
//! Reading goes from the data directory downwards by names that were listed as directories, so no link is ever
//! followed: one that lies in the way is an error with its path. [`read`] wants all of it to be right, as whoever runs
//! migrations does; [`read_usable`] takes what can be read and names the rest. Writing makes a directory that nobody
//! refers to yet; a power cut leaves an unreferenced directory behind, which the next writer removes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use host_io::fs::{Fs, Kind};

use crate::Value;
use crate::encoding::{NAME_MAX, decode, encode};
use crate::error::Error;
use crate::key::Key;
use crate::unsynced::Unsynced;

/// Settings and their values.
pub type Settings = BTreeMap<Key, Value>;
/// What is noted about settings: per key, name to JSON value.
pub type Metadata = BTreeMap<Key, BTreeMap<String, Value>>;

/// The directory of committed settings.
pub(crate) const LIVE: &str = "live";
/// The directory of transactions.
pub(crate) const PENDING: &str = "pending";
/// Where a transaction waits for its removal; no reader looks there.
const DROPPED: &str = ".dropped";
/// The metadata of a key that a transaction takes away.
const UNSET: &str = "unset";
/// Settings may hold secrets (a proxy's password), and nobody but the API reads a store.
pub(crate) const DIR_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;
/// The longest value that is read, in bytes: a file that grew beyond all that a host may be told fills nobody's memory.
const VALUE_MAX: u64 = 16 << 20;
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
    /// What transactions take away, by their names.
    pub unset: BTreeMap<String, BTreeSet<Key>>,
}

impl Contents {
    /// What a transaction would change.
    #[must_use]
    pub fn change(&self, transaction: &str) -> Change {
        Change {
            set: self.pending.get(transaction).cloned().unwrap_or_default(),
            unset: self.unset.get(transaction).cloned().unwrap_or_default(),
        }
    }

    /// Puts `change` in the place of what `transaction` was; an empty one is none.
    pub(crate) fn put(&mut self, transaction: &str, change: Change) {
        self.pending.remove(transaction);
        self.unset.remove(transaction);
        if !change.set.is_empty() {
            self.pending.insert(transaction.to_owned(), change.set);
        }
        if !change.unset.is_empty() {
            self.unset.insert(transaction.to_owned(), change.unset);
        }
    }

    /// The names of all transactions.
    pub(crate) fn transactions(&self) -> BTreeSet<String> {
        self.pending.keys().chain(self.unset.keys()).cloned().collect()
    }
}

/// What is to become of settings. No key is in both parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// They get these values.
    pub set: Settings,
    /// They have none any more.
    pub unset: BTreeSet<Key>,
}

impl Change {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// The keys that it is about, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let keys: BTreeSet<&Key> = self.set.keys().chain(&self.unset).collect();
        keys.into_iter().cloned().collect()
    }

    /// Puts `later` over this one.
    pub fn then(&mut self, later: &Self) {
        self.unset.retain(|key| !later.set.contains_key(key));
        self.set.retain(|key, _| !later.unset.contains(key));
        self.set.extend(later.set.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.unset.extend(later.unset.iter().cloned());
    }

    /// Carries it out on `settings`.
    pub fn make(&self, settings: &mut Settings) {
        for key in &self.unset {
            settings.remove(key);
        }
        settings.extend(self.set.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Something in a data directory that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The setting, where it is one.
    pub key: Option<Key>,
    /// What is wrong, with its path, as a fragment that completes "failed to".
    pub told: String,
}

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
            let walked = walk(fs, &root, &mut Vec::new(), &mut |found| {
                let file = match found {
                    Ok(file) => file,
                    Err((key, error)) => {
                        damaged(key, &error);
                        return Ok(());
                    }
                };
                match file.name {
                    Name::Value => match read_scalar(fs, file.path) {
                        Ok(value) => drop(contents.live.insert(file.key, value)),
                        Err(error) => damaged(Some(file.key), &error),
                    },
                    Name::Metadata(name) => match read_json(fs, file.path) {
                        Ok(value) => drop(contents.metadata.entry(file.key).or_default().insert(name, value)),
                        Err(error) => damaged(Some(file.key), &error),
                    },
                }
                Ok(())
            });
            // Nothing that it is called with fails.
            walked.unwrap_or_default();
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
    let mut settings = Settings::new();
    let mut metadata = Metadata::new();
    walk(fs, &root, &mut Vec::new(), &mut |found| {
        let file = found.map_err(|(_, error)| error)?;
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
    walk(fs, &tree, &mut Vec::new(), &mut |found| {
        let file = found.map_err(|(_, error)| error)?;
        match file.name {
            Name::Value => drop(change.set.insert(file.key, read_scalar(fs, file.path)?)),
            Name::Metadata(name) if name == UNSET => drop(change.unset.insert(file.key)),
            Name::Metadata(_) => {}
        }
        Ok(())
    })?;
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
        refuse_foreign(&root.join(&entry.name), entry.kind)?;
        names.extend(decode(&entry.name).filter(|_| entry.kind == Kind::Directory));
    }
    names.sort();
    Ok(names)
}

/// Removes one transaction in one step. This frees room and needs none, so that a boot with a full partition can drop
/// what was never committed. What is broken in it is no obstacle.
///
/// # Errors
/// When the storage refuses; the transaction is then whole or gone.
pub(crate) fn drop_pending(fs: &dyn Fs, dir: &Path, transaction: &str) -> Result<(), Error> {
    let tree = transaction_dir(dir, transaction)?;
    let there = fs.kind(&tree).map_err(Error::io("look at", &tree))?;
    if there.is_none() {
        return Ok(());
    }
    let dropped = dir.join(DROPPED);
    host_io::swap::discard(fs, &dropped).map_err(Error::io("remove", &dropped))?;
    // Before this rename the transaction is there, after it there is none; what lies in DROPPED is garbage.
    fs.rename(&tree, &dropped).map_err(Error::io("remove", &tree))?;
    let pending = dir.join(PENDING);
    fs.sync_dir(&pending).map_err(Error::io("sync", &pending))?;
    fs.sync_dir(dir).map_err(Error::io("sync", dir))?;
    host_io::swap::discard(fs, &dropped).map_err(Error::io("remove", &dropped))
}

/// Writes a data directory that must not exist yet. When this returns, every file and every name in it is durable, its
/// own name included.
///
/// # Errors
/// When a key, value or name cannot be stored (nothing was written then), or the storage refuses.
pub fn write(fs: &dyn Fs, dir: &Path, contents: &Contents) -> Result<(), Error> {
    let mut unsynced = Unsynced::default();
    write_unsynced(fs, dir, contents, &mut unsynced)?;
    let parent = dir.parent().unwrap_or(dir);
    unsynced.directory(parent);
    unsynced.settle(fs, parent)
}

/// [`write`] without the wait for the medium, which `unsynced` still owes.
pub(crate) fn write_unsynced(
    fs: &dyn Fs,
    dir: &Path,
    contents: &Contents,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let root = plan(contents)?;
    write_directory(fs, dir, &root, unsynced)
}

/// Writes a transaction into a data directory that has none of that name.
pub(crate) fn write_change(
    fs: &dyn Fs,
    dir: &Path,
    transaction: &str,
    change: &Change,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let pending = dir.join(PENDING);
    if fs.kind(&pending).map_err(Error::io("look at", &pending))?.is_none() {
        fs.make_dir(&pending, DIR_MODE).map_err(Error::io("make the directory", &pending))?;
        unsynced.directory(dir);
    }
    unsynced.directory(&pending);
    write_directory(fs, &transaction_dir(dir, transaction)?, &plan_change(change)?, unsynced)
}

/// Whether a transaction can hold `change`.
///
/// # Errors
/// When it cannot.
pub(crate) fn check_change(change: &Change) -> Result<(), Error> {
    plan_change(change).map(drop)
}

/// Whether a store can hold these live settings, of which those in `new` are new or other than before.
///
/// # Errors
/// When it cannot.
pub(crate) fn check_live(contents: &Contents, new: &Settings) -> Result<(), Error> {
    plan_settings(new)?;
    new.keys().try_for_each(|key| check_place(contents, key))
}

/// Whether a store with these live settings has a place for `key`.
///
/// # Errors
/// When it lies below one that has a value, or another one below it.
pub(crate) fn check_place(contents: &Contents, key: &Key) -> Result<(), Error> {
    refuse_below_a_value(&contents.live, key)?;
    let below = contents.live.range(key.clone()..).find(|(other, _)| *other != key);
    let beneath = contents.metadata.range(key.clone()..).find(|(other, _)| *other != key);
    let below = below.map(|(other, _)| other).into_iter().chain(beneath.map(|(other, _)| other));
    match below.into_iter().find(|other| other.is_below(key)) {
        Some(below) => Err(Error::Collision { key: below.clone(), other: key.clone() }),
        None => Ok(()),
    }
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
    for transaction in contents.transactions() {
        let name = transaction_name(&transaction)?;
        let change = contents.change(&transaction);
        if !change.is_empty() {
            pending.directories.insert(name, plan_change(&change)?);
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

fn plan_change(change: &Change) -> Result<Directory, Error> {
    let mut root = plan_settings(&change.set)?;
    for key in &change.unset {
        refuse_below_a_value(&change.set, key)?;
        let (directory, segment) = place(&mut root, key)?;
        let file = checked_name(&format!("{segment}.{UNSET}"), &segment)?;
        directory.files.insert(file, b"true".to_vec());
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

pub(crate) fn transaction_dir(dir: &Path, transaction: &str) -> Result<PathBuf, Error> {
    Ok(dir.join(PENDING).join(transaction_name(transaction)?))
}

fn write_directory(
    fs: &dyn Fs,
    path: &Path,
    directory: &Directory,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    fs.make_dir(path, DIR_MODE).map_err(Error::io("make the directory", path))?;
    unsynced.directory(path);
    for (name, below) in &directory.directories {
        write_directory(fs, &path.join(name), below, unsynced)?;
    }
    for (name, bytes) in &directory.files {
        write_file(fs, &path.join(name), bytes, unsynced)?;
    }
    Ok(())
}

/// Writes a file that is not there yet; its directory is owed a sync as well, by the caller.
pub(crate) fn write_file(
    fs: &dyn Fs,
    path: &Path,
    bytes: &[u8],
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let mut file = fs.create(path, FILE_MODE).map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    unsynced.file(path, file);
    Ok(())
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

/// Something that could not be looked into, with the key in whose place it stands.
type Lost = (Option<Key>, Error);

/// What is called for everything that is met.
type Visit<'a> = dyn FnMut(Result<Found<'_>, Lost>) -> Result<(), Error> + 'a;

/// Calls `found` for every file below `dir` whose name is one of ours, and for what cannot be looked into; an error of
/// `found` ends the walk.
fn walk(fs: &dyn Fs, dir: &Path, segments: &mut Vec<String>, found: &mut Visit<'_>) -> Result<(), Error> {
    let key = |segments: &[String]| Key::from_segments(segments.iter().cloned()).ok();
    let entries = match fs.list(dir).map_err(Error::io("list", dir)) {
        Ok(entries) => entries,
        Err(error) => return found(Err((key(segments), error))),
    };
    for entry in entries {
        let path = dir.join(&entry.name);
        if let Err(error) = refuse_foreign(&path, entry.kind) {
            let own = decode(&entry.name).map(|name| [segments.as_slice(), &[name]].concat());
            found(Err((own.and_then(|own| key(&own)), error)))?;
            continue;
        }
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
                    found(Ok(Found { key, name, path: &path }))?;
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
    let bytes = fs.read_regular(path, VALUE_MAX).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let reason = if bytes.is_empty() { "the file is empty".to_owned() } else { error.to_string() };
        Error::Value { path: path.to_owned(), reason }
    })
}
