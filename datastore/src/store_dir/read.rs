//! From the disk to contents.

use std::path::{Path, PathBuf};

use host_io::fs::{Fs, Kind};

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
            let mut files = Vec::new();
            let walked = walk(fs, &root, &mut Vec::new(), &mut |found| {
                match found {
                    Ok(file) => files.push(file),
                    Err((key, error)) => damaged(key, &error),
                }
                Ok(())
            });
            // Nothing that it is called with fails.
            walked.unwrap_or_default();
            let values = many::each(&files, |file| file.read(fs));
            for (Found { key, name, path: _ }, value) in files.into_iter().zip(values) {
                match (value, name) {
                    (Ok(value), Name::Value) => drop(contents.live.insert(key, value)),
                    (Ok(value), Name::Metadata(name)) => {
                        drop(contents.metadata.entry(key).or_default().insert(name, value));
                    }
                    (Err(error), _) => damaged(Some(key), &error),
                }
            }
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
    let mut files = Vec::new();
    walk(fs, &root, &mut Vec::new(), &mut |found| {
        files.push(found.map_err(|(_, error)| error)?);
        Ok(())
    })?;
    let values = many::each(&files, |file| file.read(fs));
    for (Found { key, name, path: _ }, value) in files.into_iter().zip(values) {
        match name {
            Name::Value => drop(settings.insert(key, value?)),
            Name::Metadata(name) => drop(metadata.entry(key).or_default().insert(name, value?)),
        }
    }
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
            Name::Value => drop(change.set.insert(file.key, read_scalar(fs, &file.path)?)),
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

struct Found {
    key: Key,
    name: Name,
    path: PathBuf,
}

impl Found {
    fn read(&self, fs: &dyn Fs) -> Result<Value, Error> {
        match self.name {
            Name::Value => read_scalar(fs, &self.path),
            Name::Metadata(_) => read_json(fs, &self.path),
        }
    }
}

enum Name {
    Value,
    Metadata(String),
}

/// Something that could not be looked into, with the key in whose place it stands.
type Lost = (Option<Key>, Error);

/// What is called for everything that is met.
type Visit<'a> = dyn FnMut(Result<Found, Lost>) -> Result<(), Error> + 'a;

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
                    found(Ok(Found { key, name, path }))?;
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
