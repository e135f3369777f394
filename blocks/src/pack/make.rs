//! Two images in, a pack out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use ring::digest::{Context, SHA256, digest};
use thiserror::Error;
use verity::{BLOCK_SIZE, BlockHasher, HashTree, Salt};
use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

use super::diff::{compare, digests};
use super::header::{Header, MAX_BLOCKS, Shape, Span, blocks, groups};
use super::runs::{CopyRun, Run, total};
use super::similar::{Collector, Windows};
use super::{GROUP_BLOCKS, GROUP_LEN, MAX_PREFIX_BLOCKS, ReadAt};
use crate::level::Level;

/// Windows of the old image that are voted for: 64 KiB.
const WINDOW_BLOCKS: usize = 16;
/// The level of a pack that is made once and fetched by many.
const THOROUGH: u8 = 19;
/// The smallest window that zstd knows, as a power of two.
const LEAST_WINDOW: u32 = 10;

/// One of the two images.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Its bytes.
    pub data: &'a dyn ReadAt,
    /// How many there are.
    pub len: u64,
    /// Its hash tree, if it has one.
    pub tree: Option<&'a HashTree>,
}

/// How to make a pack.
#[derive(Debug, Clone, Copy)]
pub struct PackOptions {
    /// How many new blocks a span has, up to 1024; its last group may bring more.
    pub span_blocks: u32,
    /// How many blocks of the base a prefix has at most, up to [`MAX_PREFIX_BLOCKS`].
    pub prefix_blocks: u32,
    /// How hard to compress.
    pub level: Level,
    /// On how many threads; the bytes are the same for any number. Each takes up to 450 MB at the highest levels.
    pub threads: NonZeroUsize,
}

impl PackOptions {
    /// As small as it gets, for packs that are made once and fetched by many: spans of 4 MiB behind prefixes of 16 MiB.
    ///
    /// # Panics
    /// Never: there is such a level.
    #[must_use]
    pub fn thorough(threads: NonZeroUsize) -> Self {
        let level = Level::new(THOROUGH).expect("zstd has 22 levels");
        Self { span_blocks: 1024, prefix_blocks: MAX_PREFIX_BLOCKS, level, threads }
    }
}

/// Why no pack was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MakeError {
    /// An image cannot be read.
    #[error("read the {image} image")]
    Read {
        /// Old or new.
        image: &'static str,
        /// Why.
        source: io::Error,
    },
    /// One has a tree and the other has none, or a tree is not over its image.
    #[error("compare the images: {0}")]
    Shape(&'static str),
    /// The body cannot be written.
    #[error("write the body of the pack")]
    Write(#[source] io::Error),
    /// The compressor refuses, which takes a lack of memory.
    #[error("compress a span: {0}")]
    Compress(String),
    /// Whoever watched it said so.
    #[error("make the pack: it was stopped")]
    Stopped,
}

/// Makes the pack that leads from `old` to `new`: its body goes to `body`, and its header is given back. `progress` is
/// told how many more bytes are done, out of [`work`] in all, and may stop it.
///
/// # Errors
/// When an image cannot be read or the body not written, when the images do not fit together, and when it was stopped.
///
/// # Panics
/// When a thread cannot be started.
pub fn make(
    old: &Image<'_>,
    new: &Image<'_>,
    options: &PackOptions,
    body: &mut dyn Write,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Header, MakeError> {
    let salt = salt(old, new)?;
    let stop = AtomicBool::new(false);
    let mut told = |bytes| {
        if progress(bytes).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let hasher = BlockHasher::new(&salt);
    let failed = |image| move |source| MakeError::Read { image, source };
    let before = digests(old.data, old.len, &hasher, &mut told).map_err(failed("old"))?;
    let after = digests(new.data, new.len, &hasher, &mut told).map_err(failed("new"))?;
    let difference = compare(&before, &after);
    drop((before, after));
    let windows = windows(old, difference.old_only, &mut told).map_err(failed("old"))?;
    let mut spans = spans(new.len, &difference.copies, options.span_blocks);
    let job = Job { old, new, copies: &difference.copies, windows: &windows, options, stop: &stop };
    job.fill(&mut spans, body, &mut told)?;
    if stop.load(Ordering::Relaxed) {
        return Err(MakeError::Stopped);
    }
    let shape = shape(old, new)?;
    Ok(Header { old_len: old.len, new_len: new.len, shape, copies: difference.copies, spans })
}

/// How many bytes [`make`] tells of in all, if nothing of the new image is in the old one.
#[must_use]
pub fn work(old_len: u64, new_len: u64) -> u64 {
    2 * old_len + 2 * new_len
}

fn salt(old: &Image<'_>, new: &Image<'_>) -> Result<Salt, MakeError> {
    for image in [old, new] {
        if image.len == 0 || image.len > MAX_BLOCKS * BLOCK_SIZE as u64 {
            return Err(MakeError::Shape("an image has no bytes, or more than 64 GiB"));
        }
        if image.tree.is_some_and(|tree| tree.data_len() != image.len) {
            return Err(MakeError::Shape("a hash tree is not over its image"));
        }
    }
    match (old.tree, new.tree) {
        (Some(_), Some(tree)) => Ok(tree.superblock().salt.clone()),
        (None, None) => Ok(Salt::default()),
        _ => Err(MakeError::Shape("one has a hash tree, and the other has none")),
    }
}

fn shape(old: &Image<'_>, new: &Image<'_>) -> Result<Shape, MakeError> {
    if let (Some(old), Some(new)) = (old.tree, new.tree) {
        let hasher = BlockHasher::new(&new.superblock().salt);
        let leaves: Vec<_> = new.leaves().collect();
        let level1 = super::header::upper(&leaves).map(|block| hasher.digest(&block)).collect();
        let image = new.image();
        let len = verity::layout::Layout::over(new.data_blocks()).map_or(0, |layout| layout.total_len());
        let image = &image[..usize::try_from(len).expect("it is in memory")];
        return Ok(Shape::Tree {
            old_root: old.root_hash(),
            new_root: new.root_hash(),
            superblock: new.superblock().clone(),
            hash_image: (len, digest(&SHA256, image).as_ref().try_into().expect("32 bytes")),
            level1,
        });
    }
    let (old_groups, _) = flat(old, "old")?;
    let (new_groups, new_sha256) = flat(new, "new")?;
    Ok(Shape::Flat { old_groups, new_sha256, new_groups })
}

/// The digests of an image's groups, and of all of it.
fn flat(image: &Image<'_>, name: &'static str) -> Result<(Vec<[u8; 32]>, [u8; 32]), MakeError> {
    let mut whole = Context::new(&SHA256);
    let mut digests = Vec::new();
    let mut bytes = vec![0; GROUP_LEN];
    for group in 0..u64::from(groups(image.len)) {
        let offset = group * GROUP_LEN as u64;
        let here = usize::try_from(image.len - offset).map_or(GROUP_LEN, |left| left.min(GROUP_LEN));
        let bytes = &mut bytes[..here];
        image.data.read_exact_at(bytes, offset).map_err(|source| MakeError::Read { image: name, source })?;
        whole.update(bytes);
        digests.push(digest(&SHA256, bytes).as_ref().try_into().expect("32 bytes"));
    }
    Ok((digests, whole.finish().as_ref().try_into().expect("32 bytes")))
}

fn windows(old: &Image<'_>, old_only: Vec<u32>, told: &mut dyn FnMut(u64)) -> io::Result<Windows> {
    const CHUNK: usize = 256;
    let mut buffer = vec![0; CHUNK * BLOCK_SIZE];
    let mut collector = Collector::new(old_only.clone(), WINDOW_BLOCKS);
    let mut place = 0;
    while place < old_only.len() {
        let follow = |pair: &[u32]| pair[0] + 1 == pair[1];
        let run = 1 + old_only[place..].windows(2).take(CHUNK - 1).take_while(|pair| follow(pair)).count();
        let bytes = &mut buffer[..run * BLOCK_SIZE];
        read_blocks(old, old_only[place], bytes)?;
        collector.add(place, bytes);
        told(bytes.len() as u64);
        place += run;
    }
    Ok(collector.finish())
}

/// Reads whole blocks; behind an end within a block there are zeros.
fn read_blocks(image: &Image<'_>, first: u32, into: &mut [u8]) -> io::Result<()> {
    let offset = u64::from(first) * BLOCK_SIZE as u64;
    let here = usize::try_from(image.len - offset).map_or(into.len(), |left| left.min(into.len()));
    into[here..].fill(0);
    image.data.read_exact_at(&mut into[..here], offset)
}

/// Cuts the new image into spans; their frames are not made yet.
fn spans(new_len: u64, copies: &[CopyRun], span_blocks: u32) -> Vec<Span> {
    let (all_groups, all_blocks) = (groups(new_len), blocks(new_len));
    let mut fresh = vec![0u32; all_groups as usize];
    let mut next = 0;
    let mut missing = |from: u32, to: u32| {
        for block in from..to {
            fresh[(block / GROUP_BLOCKS) as usize] += 1;
        }
    };
    for run in copies {
        missing(next, run.new);
        next = run.new + run.blocks;
    }
    missing(next, all_blocks);
    let mut spans: Vec<Span> = Vec::new();
    for (group, &new_blocks) in (0..).zip(&fresh) {
        match spans.last_mut() {
            Some(span) if span.new_blocks < span_blocks.clamp(1, 1024) => {
                span.groups += 1;
                span.new_blocks += new_blocks;
            }
            _ => spans.push(Span {
                first_group: group,
                groups: 1,
                new_blocks,
                offset: 0,
                length: 0,
                sha256: [0; 32],
                prefix: Vec::new(),
            }),
        }
    }
    spans
}

/// What all threads look at.
struct Job<'a> {
    old: &'a Image<'a>,
    new: &'a Image<'a>,
    copies: &'a [CopyRun],
    windows: &'a Windows,
    options: &'a PackOptions,
    stop: &'a AtomicBool,
}

impl Job<'_> {
    /// Makes the frames, on several threads, and writes them in order.
    fn fill(
        &self,
        spans: &mut [Span],
        body: &mut dyn Write,
        told: &mut dyn FnMut(u64),
    ) -> Result<(), MakeError> {
        let next = AtomicUsize::new(0);
        let todo: Vec<Span> = spans.to_vec();
        let mut offset = 0;
        thread::scope(|scope| {
            let threads = self.options.threads.get().min(todo.len()).max(1);
            let (done, made) = sync_channel(threads);
            for _ in 0..threads {
                let (done, next, todo) = (done.clone(), &next, &todo);
                scope.spawn(move || {
                    while let Some((number, span)) = {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        todo.get(number).map(|span| (number, span))
                    } {
                        if self.stop.load(Ordering::Relaxed) || done.send((number, self.span(span))).is_err()
                        {
                            break;
                        }
                    }
                });
            }
            drop(done);
            let mut early = BTreeMap::new();
            let mut number = 0;
            // When this returns early the receiver is gone, and the threads end at their next span.
            for (which, result) in made {
                early.insert(which, result?);
                while let Some((prefix, frame)) = early.remove(&number) {
                    let span: &mut Span = &mut spans[number];
                    body.write_all(&frame).map_err(MakeError::Write)?;
                    span.prefix = prefix;
                    span.offset = offset;
                    span.length = u32::try_from(frame.len()).expect("a frame has 5 MiB at most");
                    if !frame.is_empty() {
                        span.sha256 = digest(&SHA256, &frame).as_ref().try_into().expect("32 bytes");
                    }
                    offset += frame.len() as u64;
                    told(u64::from(span.new_blocks) * BLOCK_SIZE as u64);
                    number += 1;
                }
            }
            Ok(())
        })
    }

    /// The prefix and the frame of one span.
    fn span(&self, span: &Span) -> Result<(Vec<Run>, Vec<u8>), MakeError> {
        if span.new_blocks == 0 {
            return Ok((Vec::new(), Vec::new()));
        }
        let failed = |image| move |source| MakeError::Read { image, source };
        let fresh = self.fresh(span).map_err(failed("new"))?;
        let most = self.options.prefix_blocks.min(MAX_PREFIX_BLOCKS) as usize;
        let runs = self.windows.prefix_for(&fresh, most);
        let mut prefix = vec![0; usize::try_from(total(&runs)).expect("at most 16 MiB") * BLOCK_SIZE];
        let mut rest = &mut prefix[..];
        for run in &runs {
            let (place, after) = rest.split_at_mut(run.blocks as usize * BLOCK_SIZE);
            read_blocks(self.old, run.first, place).map_err(failed("old"))?;
            rest = after;
        }
        let frame = compress(&prefix, &fresh, self.options.level)
            .map_err(|code| MakeError::Compress(get_error_name(code).to_lowercase()))?;
        Ok((runs, frame))
    }

    /// Those blocks of a span that are not copied, one behind the other.
    fn fresh(&self, span: &Span) -> io::Result<Vec<u8>> {
        let mut fresh = vec![0; span.new_blocks as usize * BLOCK_SIZE];
        let mut rest = &mut fresh[..];
        let groups = span.group_range();
        let end = (groups.end * GROUP_BLOCKS).min(blocks(self.new.len));
        let mut next = groups.start * GROUP_BLOCKS;
        let from = self.copies.partition_point(|run| run.new + run.blocks <= next);
        let runs = self.copies[from..].iter().take_while(|run| run.new < end);
        let gaps = runs.map(|run| (run.new, run.new + run.blocks)).chain([(end, end)]);
        for (gap_end, after) in gaps {
            if gap_end > next {
                let (place, behind) =
                    std::mem::take(&mut rest).split_at_mut((gap_end - next) as usize * BLOCK_SIZE);
                read_blocks(self.new, next, place)?;
                rest = behind;
            }
            next = after;
        }
        Ok(fresh)
    }
}

/// One segment with its length and a checksum, behind a prefix that is raw content.
fn compress(prefix: &[u8], fresh: &[u8], level: Level) -> Result<Vec<u8>, usize> {
    let mut frame = Vec::with_capacity(compress_bound(fresh.len()));
    let mut context = CCtx::create();
    let window = (prefix.len() + fresh.len()).next_power_of_two().ilog2().max(LEAST_WINDOW);
    context.set_parameter(CParameter::CompressionLevel(level.number()))?;
    context.set_parameter(CParameter::WindowLog(window))?;
    context.set_parameter(CParameter::ContentSizeFlag(true))?;
    context.set_parameter(CParameter::ChecksumFlag(true))?;
    context.ref_prefix(prefix)?;
    context.compress2(&mut frame, fresh)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (MakeError::Shape("the sizes differ"), "compare the images: the sizes differ"),
            (MakeError::Write(io::Error::other("the disk is gone")), "write the body of the pack"),
            (MakeError::Compress("x".into()), "compress a span: x"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
