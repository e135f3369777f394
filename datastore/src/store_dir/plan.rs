//! From contents to files and directories, complete before the first of them is made: what cannot be stored is found
//! while nothing has changed.

use std::collections::BTreeMap;

use super::contents::{Change, Contents, Settings, why_not_storable};
use super::names::{LIVE, PENDING, UNSET, checked_name, transaction_name};
use crate::encoding::encode;
use crate::error::Error;
use crate::key::Key;

/// What a file system hands out at once, in bytes; many use less.
const BLOCK: u64 = 4096;

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
pub(super) struct Directory {
    pub(super) directories: BTreeMap<String, Directory>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl Directory {
    fn blocks(&self) -> u64 {
        let below: u64 = self.directories.values().map(Self::blocks).sum();
        let files: u64 = self.files.values().map(|bytes| (bytes.len() as u64).div_ceil(BLOCK)).sum();
        1 + below + files
    }
}

pub(super) fn plan(contents: &Contents) -> Result<Directory, Error> {
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

pub(super) fn plan_change(change: &Change) -> Result<Directory, Error> {
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
