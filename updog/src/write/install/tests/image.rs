//! An image as it comes, what it has to be, and where it goes.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use signpost::Role;
use verity::{BLOCK_SIZE, Salt, TreeBuilder};

use super::{FaultyDisk, Shared};
use crate::write::install::stream::RawImage;
use crate::write::install::{Error, Target, VerifiedTree, WriteCount};

/// A signed image in memory, with what its end will say.
pub(super) struct Image(Cursor<Vec<u8>>, Result<(), trusted_repo::Error>);

impl Image {
    pub(super) fn signed(bytes: &[u8]) -> Self {
        Self(Cursor::new(bytes.to_vec()), Ok(()))
    }

    pub(super) fn tampered(bytes: &[u8]) -> Self {
        let (name, reason) = ("root".to_owned(), "its SHA-256 differs".to_owned());
        Self(Cursor::new(bytes.to_vec()), Err(trusted_repo::Error::Tampered { name, reason }))
    }
}

impl Read for Image {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // As decoders do: in pieces that fit nobody's blocks.
        let count = buf.len().min(60_001);
        self.0.read(&mut buf[..count])
    }
}

impl RawImage for Image {
    fn finish(self) -> Result<(), trusted_repo::Error> {
        self.1
    }
}

pub(super) fn tree_over(root: &[u8]) -> Arc<VerifiedTree> {
    let mut builder = TreeBuilder::new(Salt::default(), [7; 16]);
    for block in root.chunks(BLOCK_SIZE) {
        builder.push(block).unwrap();
    }
    Arc::new(VerifiedTree::from_signed(builder.finish().bytes).unwrap())
}

pub(super) fn target(image: Role, disk: &Arc<FaultyDisk>) -> Target {
    Target {
        image,
        disk: Arc::new(Shared(Arc::clone(disk))),
        device: format!("/dev/vda-{image}"),
        count: WriteCount::default(),
    }
}

pub(super) fn said(error: &Error) -> String {
    host_io::report::sentence("updog", error)
}
