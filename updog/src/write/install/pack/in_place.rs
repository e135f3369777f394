//! The groups of an image that are in place.

use blocks::pack::{HashImage, Header};

use crate::look::plan::bits::Bits;

/// The groups that are in place, and what of the hash image follows from them.
#[derive(Debug)]
pub struct InPlace {
    groups: Bits,
    /// None for an image without a tree.
    hash_image: Option<HashImage>,
}

impl InPlace {
    /// Nothing is in place of the image that a header describes.
    pub(super) fn nothing(header: &Header) -> Self {
        Self { groups: Bits::none(header.groups() as usize), hash_image: HashImage::begin(header) }
    }

    /// Whether a group is in place.
    #[must_use]
    pub fn has(&self, group: u32) -> bool {
        self.groups.get(group as usize)
    }

    /// Whether all of them are.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.groups.count() == self.groups.len()
    }

    /// A group was found or put there.
    pub(super) fn put(&mut self, group: u32, leaves: Option<&[u8; verity::BLOCK_SIZE]>) {
        self.groups.set(group as usize, true);
        if let (Some(image), Some(leaves)) = (&mut self.hash_image, leaves) {
            image.put(group, leaves);
        }
    }

    /// The hash image of root, once all groups are in place.
    #[must_use]
    pub fn into_hash_image(self) -> Option<Vec<u8>> {
        self.hash_image.and_then(HashImage::finish)
    }
}
