//! What was published, and what of it a partition holds.

use std::collections::HashMap;
use std::sync::Mutex;

use testdata::Set;

use super::medium::Partition;
use super::tree::{Hash, hash};

/// The images of a disk, in the order in which everything here counts them.
pub(super) const IMAGES: [(Set, &str); 6] = [
    (Set::A, "BOOT"),
    (Set::A, "ROOT"),
    (Set::A, "HASH"),
    (Set::B, "BOOT"),
    (Set::B, "ROOT"),
    (Set::B, "HASH"),
];

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing at all.
    Absent,
    /// Something that is no published image.
    Partial,
    /// The image of a version.
    Whole(String),
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Partial => f.write_str("partial"),
            Self::Whole(version) => write!(f, "whole {version}"),
        }
    }
}

/// What was published: version, role and bytes of each image.
#[derive(Default)]
pub(super) struct Published {
    images: Vec<(String, &'static str, Vec<u8>)>,
    known: Mutex<HashMap<(usize, Hash), Class>>,
}

impl Published {
    pub(super) fn add(&mut self, version: &str, role: &'static str, bytes: Vec<u8>) {
        self.images.push((version.to_owned(), role, bytes));
    }

    /// What a partition holds, by its place among the images.
    pub(super) fn class(&self, place: usize, partition: &Partition) -> Class {
        let mut known = self.known.lock().expect("nobody panics while holding it");
        known.entry((place, partition.hash)).or_insert_with(|| self.judge(place, &partition.bytes)).clone()
    }

    /// [`Published::class`] of bytes that nobody has hashed yet.
    pub(super) fn class_of(&self, place: usize, bytes: &[u8]) -> Class {
        let mut known = self.known.lock().expect("nobody panics while holding it");
        known.entry((place, hash(bytes))).or_insert_with(|| self.judge(place, bytes)).clone()
    }

    fn judge(&self, place: usize, bytes: &[u8]) -> Class {
        let role = IMAGES[place].1;
        let found = self.images.iter().find(|(_, of, image)| *of == role && bytes.starts_with(image));
        match found {
            Some((version, ..)) => Class::Whole(version.clone()),
            None if bytes.iter().all(|byte| *byte == 0) => Class::Absent,
            None => Class::Partial,
        }
    }
}
