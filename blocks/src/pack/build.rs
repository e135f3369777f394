//! One span in, its verified groups out.

use std::ops::Range;

use ring::digest::{SHA256, digest};
use thiserror::Error;
use verity::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE};
use zstd::zstd_safe::{DCtx, get_error_name};

use super::GROUP_BLOCKS;
use super::base::{Base, BaseError};
use super::header::{Header, Shape, Span, upper};
use super::runs::total;
use crate::frame;

/// A group of the new image, held against its signed digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built<'a> {
    /// Which group.
    pub group: u32,
    /// Its bytes.
    pub data: &'a [u8],
    /// The block of the new hash tree's lowest level that belongs to it; none in an image without a tree.
    pub leaves: Option<&'a [u8; BLOCK_SIZE]>,
}

/// Why a group of a span cannot be built. Other groups may be all the same.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpanError {
    /// The frame is not the one that was signed.
    #[error("decode span {span}: its frame is not what was signed")]
    Unsigned {
        /// Which span.
        span: usize,
    },
    /// The frame is none of ours.
    #[error("decode span {span}")]
    Frame {
        /// Which span.
        span: usize,
        /// What is wrong.
        source: frame::FrameError,
    },
    /// The frame cannot be decoded.
    #[error("decode span {span}: {reason}")]
    Content {
        /// Which span.
        span: usize,
        /// In the decoder's words.
        reason: String,
    },
    /// What it needs of the base is not there any more.
    #[error("build group {group}")]
    Base {
        /// Which group of the new image.
        group: u32,
        /// What is wrong with the base.
        source: BaseError,
    },
    /// What came out is something else.
    #[error("build group {group}: what came out is not what its digest says")]
    Differs {
        /// Which group of the new image.
        group: u32,
    },
}

/// Builds groups, span by span, in whatever order. It takes the memory of one span with its prefix, 22 MiB at most.
pub struct SpanBuilder<'a> {
    header: &'a Header,
    base: &'a mut dyn Base,
    prefix: Vec<u8>,
    fresh: Vec<u8>,
    group: Vec<u8>,
    hasher: Option<BlockHasher>,
}

impl<'a> SpanBuilder<'a> {
    /// A builder over a base, which is checked as it is read.
    #[must_use]
    pub fn new(header: &'a Header, base: &'a mut dyn Base) -> Self {
        let hasher = match &header.shape {
            Shape::Tree { superblock, .. } => Some(BlockHasher::new(&superblock.salt)),
            Shape::Flat { .. } => None,
        };
        Self { header, base, prefix: Vec::new(), fresh: Vec::new(), group: Vec::new(), hasher }
    }

    /// Builds those groups of a span that are wanted, in their order, and hands out each: built, or why it is not.
    /// `compressed` is the span's frame; nothing is needed for one that has no new blocks.
    ///
    /// # Panics
    /// When there is no such span.
    pub fn build(
        &mut self,
        span: usize,
        compressed: &[u8],
        wanted: &dyn Fn(u32) -> bool,
        hand: &mut dyn FnMut(u32, Result<Built<'_>, &SpanError>),
    ) {
        let its = &self.header.spans[span];
        let mut decoded = None;
        let mut begin = 0;
        for group in its.group_range() {
            let fresh = self.fresh_len(group);
            let range = begin..begin + fresh;
            begin += fresh;
            if !wanted(group) {
                continue;
            }
            if fresh > 0 {
                let decoded = decoded.get_or_insert_with(|| self.decode(span, its, group, compressed));
                if let Err(error) = decoded {
                    hand(group, Err(error));
                    continue;
                }
            }
            match self.put_together(group, range) {
                Ok(leaves) => {
                    let data = &self.group[..];
                    hand(group, Ok(Built { group, data, leaves: leaves.as_deref() }));
                }
                Err(error) => hand(group, Err(&error)),
            }
        }
    }

    /// How many bytes of a group come from the frame of its span.
    fn fresh_len(&self, group: u32) -> usize {
        let start = group * GROUP_BLOCKS;
        let blocks = (start + GROUP_BLOCKS).min(self.header.new_blocks()) - start;
        let copied: u32 = self.header.copies_of(group).map(|run| run.blocks).sum();
        (blocks - copied) as usize * BLOCK_SIZE
    }

    fn decode(&mut self, span: usize, its: &Span, group: u32, compressed: &[u8]) -> Result<(), SpanError> {
        if !its.is(compressed) {
            return Err(SpanError::Unsigned { span });
        }
        let len = its.new_blocks as usize * BLOCK_SIZE;
        frame::check(compressed, len).map_err(|source| SpanError::Frame { span, source })?;
        self.prefix.resize(usize::try_from(total(&its.prefix)).expect("at most 16 MiB") * BLOCK_SIZE, 0);
        let mut rest = &mut self.prefix[..];
        for run in &its.prefix {
            let (place, after) = rest.split_at_mut(run.blocks as usize * BLOCK_SIZE);
            self.base.read(run.first, place).map_err(|source| SpanError::Base { group, source })?;
            rest = after;
        }
        self.fresh.resize(len, 0);
        let content = |code| SpanError::Content { span, reason: get_error_name(code).to_lowercase() };
        // The prefix is never taken for a dictionary of zstd's own form, whatever it begins with. Content that is longer
        // than what is signed finds no room.
        let mut decoder = DCtx::create();
        decoder.ref_prefix(&self.prefix).map_err(content)?;
        let count = decoder.decompress(&mut self.fresh[..], compressed).map_err(content)?;
        if count == len {
            return Ok(());
        }
        Err(SpanError::Content { span, reason: format!("it has {count} bytes, and {len} are needed") })
    }

    /// Puts a group together in `self.group` and holds it against its digest. `fresh` is where its new blocks lie in what
    /// was decoded.
    fn put_together(
        &mut self,
        group: u32,
        fresh: Range<usize>,
    ) -> Result<Option<Box<[u8; BLOCK_SIZE]>>, SpanError> {
        let header = self.header;
        let range = header.group_range(group);
        let len = usize::try_from(range.end - range.start).expect("at most a group");
        self.group.resize(len.next_multiple_of(BLOCK_SIZE), 0);
        let first = group * GROUP_BLOCKS;
        // Nothing was decoded for a group that is only copied, and what it follows may have been left out or lost.
        let mut fresh = if fresh.is_empty() { &[][..] } else { &self.fresh[fresh] };
        let mut done = 0;
        for run in header.copies_of(group) {
            let start = (run.new - first) as usize * BLOCK_SIZE;
            let (here, after) = fresh.split_at(start - done);
            self.group[done..start].copy_from_slice(here);
            fresh = after;
            done = start + run.blocks as usize * BLOCK_SIZE;
            let place = &mut self.group[start..done];
            self.base.read(run.old, place).map_err(|source| SpanError::Base { group, source })?;
        }
        self.group[done..].copy_from_slice(fresh);
        match (&header.shape, &self.hasher) {
            (Shape::Tree { level1, .. }, Some(hasher)) => {
                let mut leaves = Box::new([0; BLOCK_SIZE]);
                let places = leaves.chunks_exact_mut(DIGEST_SIZE);
                for (place, block) in places.zip(self.group.chunks_exact(BLOCK_SIZE)) {
                    place.copy_from_slice(&hasher.digest(block));
                }
                if level1.get(group as usize) != Some(&hasher.digest(&leaves[..])) {
                    return Err(SpanError::Differs { group });
                }
                Ok(Some(leaves))
            }
            (Shape::Flat { new_groups, .. }, _) => {
                self.group.truncate(len);
                if new_groups
                    .get(group as usize)
                    .is_none_or(|known| digest(&SHA256, &self.group).as_ref() != known)
                {
                    return Err(SpanError::Differs { group });
                }
                Ok(None)
            }
            (Shape::Tree { .. }, None) => unreachable!("a tree has a hasher"),
        }
    }
}

/// The blocks of a new hash image above its lowest level: the superblock and the upper levels, in the order in which they
/// lie there. What follows are the leaves of each group. None in an image without a tree.
#[must_use]
pub fn top_of_hash_image(header: &Header) -> Option<Vec<u8>> {
    let Shape::Tree { superblock, level1, .. } = &header.shape else { return None };
    let hasher = BlockHasher::new(&superblock.salt);
    let mut levels = Vec::new();
    let mut digests = level1.clone();
    while digests.len() > 1 {
        let blocks: Vec<_> = upper(&digests).collect();
        digests = blocks.iter().map(|block| hasher.digest(block)).collect();
        levels.push(blocks);
    }
    let mut bytes = superblock.encode().to_vec();
    bytes.extend(levels.iter().rev().flatten().flatten());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (SpanError::Unsigned { span: 3 }, "decode span 3: its frame is not what was signed"),
            (SpanError::Frame { span: 3, source: frame::FrameError::Truncated }, "decode span 3"),
            (SpanError::Content { span: 3, reason: "it is torn".into() }, "decode span 3: it is torn"),
            (SpanError::Base { group: 4, source: BaseError::Rotten { block: 3 } }, "build group 4"),
            (SpanError::Differs { group: 4 }, "build group 4: what came out is not what its digest says"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
