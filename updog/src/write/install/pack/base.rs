//! The running image as what a pack leads on from: every block is checked before it is used.

use std::io;

use blocks::pack::{Base, BaseError, FlatBase, ReadAt, Shape, TreeBase};
use host_io::Disk;

use super::header::VerifiedPack;

/// A partition to read from.
#[derive(Clone, Copy)]
pub struct Partition<'a>(pub &'a dyn Disk);

impl ReadAt for Partition<'_> {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(offset, into)
    }
}

/// The running image. Every thread has its own copy, which takes a byte for each 16 KiB of the image.
#[derive(Clone)]
pub enum Running<'a> {
    /// Root, checked against its own tree.
    Root(Box<TreeBase<'a>>),
    /// Boot, checked against the digests in the header.
    Boot(FlatBase<'a>),
}

impl<'a> Running<'a> {
    /// The running image that `pack` leads on from, in these partitions.
    ///
    /// # Errors
    /// When the tree in the HASH partition cannot be read, is broken, or is that of another image.
    pub fn open(
        pack: &'a VerifiedPack,
        image: &'a Partition<'a>,
        hash: &'a Partition<'a>,
    ) -> Result<Self, BaseError> {
        let header = pack.header();
        match &header.shape {
            Shape::Tree { old_root, .. } => {
                TreeBase::open(image, hash, *old_root).map(Box::new).map(Self::Root)
            }
            Shape::Flat { old_groups, .. } => {
                Ok(Self::Boot(FlatBase::new(image, header.old_len, old_groups)))
            }
        }
    }
}

impl Base for Running<'_> {
    fn read(&mut self, first: u32, into: &mut [u8]) -> Result<(), BaseError> {
        match self {
            Self::Root(base) => base.read(first, into),
            Self::Boot(base) => base.read(first, into),
        }
    }
}
