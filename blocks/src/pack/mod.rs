//! Packs: what one known image lacks of another, in few bytes.
//!
//! A pack leads from one image, its base, to one other. Its header says which blocks are copied from where, and where the
//! new ones come from: spans of groups, each with one zstd frame that holds the span's new blocks and was compressed with
//! blocks before it that only the base has. Whoever applies it reads the base checked, decodes a span, builds its groups
//! and holds each against a signed digest before handing it out (`docs/formats.md`, "Packs"). A group that cannot be built
//! is named, and its blocks come from elsewhere: nothing depends on a pack. Pure but for the readers that the caller gives.
//!
//! - [`error`]: what can be wrong with a header
//! - [`header`]: what a pack says of itself, from bytes and back
//! - [`runs`]: copied blocks and prefixes as runs
//! - [`base`]: blocks of the old image, each checked before it is used
//! - [`group`]: groups against their digests, and the hash image that comes of them
//! - [`build`]: one span in, its verified groups out
//! - [`diff`]: which blocks of a new image are in the old one
//! - [`similar`]: which blocks of the old image look like those of a span
//! - [`mod@make`]: two images in, a pack out

pub mod base;
pub mod build;
pub mod diff;
pub mod error;
pub mod group;
pub mod header;
pub mod make;
pub mod runs;
pub mod similar;

pub use base::{Base, BaseError, FlatBase, TreeBase};
pub use build::{Built, SpanBuilder, SpanError};
pub use error::HeaderError;
pub use group::{GroupCheck, HashImage};
pub use header::{Header, Shape, Span};
pub use make::{Image, MakeError, PackOptions, make};
pub use runs::{CopyRun, Run};

/// Blocks of 4 KiB in a group: as many as one block of a hash tree's lowest level has digests.
pub const GROUP_BLOCKS: u32 = 128;
/// Bytes in a group.
pub const GROUP_LEN: usize = GROUP_BLOCKS as usize * verity::BLOCK_SIZE;
/// The most new blocks of one span: 4 MiB, and what the last group brings beyond.
pub const MAX_SPAN_BLOCKS: u32 = 1024 + GROUP_BLOCKS;
/// The most blocks of one prefix: 16 MiB.
pub const MAX_PREFIX_BLOCKS: u32 = 4096;

/// A reader of an image at any place. Reading past its end is an error.
pub trait ReadAt: Sync {
    /// Fills `into` with what lies at byte `offset`.
    ///
    /// # Errors
    /// When it cannot be read, or the image ends before.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> std::io::Result<()>;
}

impl ReadAt for &[u8] {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> std::io::Result<()> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(into.len())?));
        let bytes = range.and_then(|range| self.get(range)).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, into, offset)
    }
}
