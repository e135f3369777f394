//! One span in, its verified groups out.

use std::ops::Range;

use thiserror::Error;
use verity::BLOCK_SIZE;
use zstd::zstd_safe::{DCtx, get_error_name};

use super::GROUP_BLOCKS;
use super::base::{Base, BaseError};
use super::group::GroupCheck;
use super::header::{Header, Span};
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
pub struct SpanBuilder<'a, B> {
    header: &'a Header,
    base: B,
    prefix: Vec<u8>,
    fresh: Vec<u8>,
    group: Vec<u8>,
    check: GroupCheck<'a>,
}

impl<'a, B: Base> SpanBuilder<'a, B> {
    /// A builder over a base, which is checked as it is read.
    #[must_use]
    pub fn new(header: &'a Header, base: B) -> Self {
        let check = GroupCheck::new(header);
        Self { header, base, prefix: Vec::new(), fresh: Vec::new(), group: Vec::new(), check }
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
        self.group.truncate(len);
        match self.check.check(group, &self.group) {
            Some(right) => Ok(right.leaves),
            None => Err(SpanError::Differs { group }),
        }
    }
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
