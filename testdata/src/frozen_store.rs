//! A reader of the datastore's layout as it was when the first release shipped (`docs/compatibility.md`, "Datastore"),
//! written from that page and kept as it is: what a set of that age does when it has to return.
//!
//! It shares no code with ours, so a change of ours that an older set would not understand shows. It is never adapted;
//! a change that it does not survive needs a new directory beside the old one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a store holds, by the quoted names of keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrozenStore {
    /// The version, as the third link of the chain spells it.
    pub version: String,
    /// Committed values.
    pub live: BTreeMap<String, Value>,
    /// Metadata by key, then by its own name.
    pub metadata: BTreeMap<String, BTreeMap<String, Value>>,
    /// Transactions by name.
    pub pending: BTreeMap<String, BTreeMap<String, Value>>,
}

impl FrozenStore {
    /// Reads the store that `base/current` leads to.
    ///
    /// # Errors
    /// When a link, a directory or a value is not as that reader wants it.
    pub fn read(base: &Path) -> io::Result<Self> {
        let major = fs::read_link(base.join("current"))?;
        let minor = fs::read_link(base.join(major))?;
        let patch = fs::read_link(base.join(minor))?;
        let version = patch.to_string_lossy().trim_start_matches('v').to_owned();
        let data = base.join(fs::read_link(base.join(patch))?);
        let mut store = Self { version, ..Self::default() };
        for (path, segments, metadata) in files(&data.join("live"), &[])? {
            let (key, value) = (quoted(&segments), serde_json::from_slice(&fs::read(path)?)?);
            match metadata {
                None => drop(store.live.insert(key, value)),
                Some(name) => drop(store.metadata.entry(key).or_default().insert(name, value)),
            }
        }
        let pending = data.join("pending");
        if pending.is_dir() {
            for entry in fs::read_dir(&pending)? {
                let entry = entry?;
                let Some(name) = decoded(&entry.file_name().to_string_lossy()) else { continue };
                let mut settings = BTreeMap::new();
                for (path, segments, metadata) in files(&entry.path(), &[])? {
                    // Metadata stands below "live" only.
                    if metadata.is_none() {
                        settings.insert(quoted(&segments), serde_json::from_slice(&fs::read(path)?)?);
                    }
                }
                store.pending.insert(name, settings);
            }
        }
        Ok(store)
    }
}

type Found = (PathBuf, Vec<String>, Option<String>);

/// All files below a directory whose names decode, as segments and the name of metadata.
fn files(dir: &Path, above: &[String]) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (segment, metadata) = match name.split_once('.') {
            None => (decoded(&name), None),
            Some((segment, metadata)) => match decoded(metadata) {
                Some(metadata) => (decoded(segment), Some(metadata)),
                None => continue,
            },
        };
        let Some(segment) = segment else { continue };
        let segments = [above, &[segment]].concat();
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path(), &segments)?);
        } else {
            found.push((entry.path(), segments, metadata));
        }
    }
    Ok(found)
}

/// Percent-encoded, everything but ASCII letters, digits, `_` and `-`.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(more.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &more[2..];
        } else if first.is_ascii_alphanumeric() || matches!(first, b'_' | b'-') {
            bytes.push(*first);
            rest = more;
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Segments with a dot are quoted.
fn quoted(segments: &[String]) -> String {
    let one =
        |segment: &String| if segment.contains('.') { format!("\"{segment}\"") } else { segment.clone() };
    segments.iter().map(one).collect::<Vec<_>>().join(".")
}
