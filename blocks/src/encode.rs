//! Image in, frames and index out: on several threads, in bounded memory, and with the same bytes whatever their number.
//!
//! Each thread has a lane of its own, and runs of frames go to the lanes in turn. So they come back in the order of the
//! image without being sorted, and who is fast or slow changes nothing in what is written.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ring::digest::{SHA256, digest};
use thiserror::Error;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::index::{Frame, Index, MAX_FRAMES};
use crate::level::Level;
use crate::seek_table::seek_table;
use crate::size::FrameSize;

/// How many runs wait in a lane, so that a lane with slow frames does not stop the others.
const DEPTH: usize = 4;
/// How much of the image goes along a lane at once, if frames are smaller. Handed over one by one, small frames kept the
/// cores waiting for a tenth of the time.
const RUN: usize = 256 * 1024;
/// More threads than this are of no use to one reader, and each takes memory.
const MOST_THREADS: usize = 16;
/// The smallest window that zstd knows, as a power of two.
const LEAST_WINDOW: u32 = 10;

/// How to cut an image up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How much of the image a frame has.
    pub frame_size: FrameSize,
    /// How hard to compress.
    pub level: Level,
    /// Whether the index has a digest of each frame's raw bytes.
    pub raw_digests: RawDigests,
    /// On how many threads; the bytes are the same for any number.
    pub threads: NonZeroUsize,
}

/// Whether an index has digests of the raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawDigests {
    /// It has them: nothing else says what the image's bytes are.
    Keep,
    /// It has none: a hash tree has a digest of every block.
    LeaveOut,
}

/// Why no frames were made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The image cannot be read.
    #[error("read the image")]
    Read(#[source] io::Error),
    /// The frames cannot be written.
    #[error("write the frames")]
    Write(#[source] io::Error),
    /// The compressor refuses, which takes a lack of memory.
    #[error("compress a frame")]
    Compress(#[source] io::Error),
    /// The image has more frames than an index may have.
    #[error("cut the image up: it has more than {MAX_FRAMES} frames; take larger ones")]
    TooManyFrames,
}

/// As many threads as this machine runs at once, within reason.
#[must_use]
pub fn all_threads() -> NonZeroUsize {
    let most = NonZeroUsize::new(MOST_THREADS).expect("more than none");
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).min(most)
}

/// Writes an image as frames, with the table for other tools behind them, and gives back their index. `progress` is told
/// how many more bytes of the image are done. In memory are a few frames for each thread.
///
/// # Errors
/// When the image cannot be read, the frames cannot be written, or there are too many of them.
///
/// # Panics
/// When a thread cannot be started.
pub fn encode(
    from: &mut dyn Read,
    to: &mut dyn Write,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Index, EncodeError> {
    encode_at_most(MAX_FRAMES, from, to, options, progress)
}

fn encode_at_most(
    most: u64,
    from: &mut dyn Read,
    to: &mut dyn Write,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Index, EncodeError> {
    let (raw_len, frames) = thread::scope(|scope| {
        let (lanes, threads): (Vec<Lane>, Vec<_>) = (0..options.threads.get().min(MOST_THREADS))
            .map(|_| {
                let (jobs, todo) = sync_channel(DEPTH);
                let (done, packed) = sync_channel(DEPTH);
                (Lane { jobs, packed }, scope.spawn(move || work(&todo, &done, options)))
            })
            .unzip();
        let frames = in_turn(lanes, most, from, to, options, progress);
        for thread in threads {
            // The scope waits for the work only; the thread itself, and its memory, may outlive it by a moment.
            thread.join().expect("compressing does not panic");
        }
        frames
    })?;
    let index = Index::new(raw_len, options.frame_size, &frames);
    to.write_all(&seek_table(&index)).map_err(EncodeError::Write)?;
    Ok(index)
}

/// Sends the image along the lanes and writes what comes back, up to the image's end. The lanes end with it.
fn in_turn(
    lanes: Vec<Lane>,
    most: u64,
    from: &mut dyn Read,
    to: &mut dyn Write,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<(u64, Vec<Frame>), EncodeError> {
    let run = frames_in_run(options.frame_size) * options.frame_size.bytes();
    let (mut sent, mut received) = (0, 0);
    let mut written = |received: &mut usize, frames: &mut Vec<Frame>| -> Result<Run, EncodeError> {
        let lane = &lanes[*received % lanes.len()];
        let packed = lane.packed.recv().expect("a lane answers each job").map_err(EncodeError::Compress)?;
        *received += 1;
        to.write_all(packed.compressed()).map_err(EncodeError::Write)?;
        progress(packed.raw.len() as u64);
        for frame in &packed.frames {
            let offset = frames.last().map_or(0, |before| before.range().end);
            frames.push(Frame { offset, ..frame.clone() });
        }
        Ok(packed)
    };
    let mut spare: Vec<Run> = (0..lanes.len() * DEPTH).map(|_| Run::default()).collect();
    let mut frames = Vec::new();
    let mut raw_len = 0;
    loop {
        let mut next = match spare.pop() {
            Some(spare) => spare,
            None => written(&mut received, &mut frames)?,
        };
        fill(from, &mut next.raw, run).map_err(EncodeError::Read)?;
        if next.raw.is_empty() {
            break;
        }
        raw_len += next.raw.len() as u64;
        if raw_len.div_ceil(options.frame_size.bytes() as u64) > most {
            return Err(EncodeError::TooManyFrames);
        }
        lanes[sent % lanes.len()].jobs.send(next).expect("a lane ends with its encoder");
        sent += 1;
    }
    while received < sent {
        written(&mut received, &mut frames)?;
    }
    Ok((raw_len, frames))
}

/// How many frames go along a lane at once.
fn frames_in_run(frame_size: FrameSize) -> usize {
    (RUN / frame_size.bytes()).max(1)
}

/// One thread and the way to it and back.
struct Lane {
    jobs: SyncSender<Run>,
    packed: Receiver<io::Result<Run>>,
}

/// A piece of the image on its way, and the frames that were made of it. Its memory is used again and again.
#[derive(Default)]
struct Run {
    raw: Vec<u8>,
    /// The frames one behind the other, and room.
    room: Vec<u8>,
    /// What the index says of them, but for where they lie.
    frames: Vec<Frame>,
}

impl Run {
    fn compressed(&self) -> &[u8] {
        &self.room[..self.frames.iter().map(|frame| frame.length as usize).sum()]
    }
}

/// Compresses what comes along a lane, until its encoder has gone.
fn work(todo: &Receiver<Run>, done: &SyncSender<io::Result<Run>>, options: &Options) {
    let mut compressor = compressor(options);
    while let Ok(run) = todo.recv() {
        let packed = match &mut compressor {
            Ok(compressor) => pack(compressor, run, options),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        if done.send(packed).is_err() {
            break;
        }
    }
}

fn compressor(options: &Options) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(options.level.number())?;
    for parameter in options.level.search() {
        compressor.set_parameter(parameter)?;
    }
    // A frame is one segment if its window covers it; the fast levels would take a smaller one.
    let window = options.frame_size.bytes().next_power_of_two().ilog2().max(LEAST_WINDOW);
    compressor.set_parameter(CParameter::WindowLog(window))?;
    // The index has better ones.
    compressor.set_parameter(CParameter::ChecksumFlag(false))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    Ok(compressor)
}

fn pack(compressor: &mut Compressor<'static>, mut run: Run, options: &Options) -> io::Result<Run> {
    let sha256 = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes");
    let size = options.frame_size.bytes();
    run.room.resize(frames_in_run(options.frame_size) * compress_bound(size), 0);
    run.frames.clear();
    let mut room = &mut run.room[..];
    for raw in run.raw.chunks(size) {
        let length = compressor.compress_to_buffer(raw, room)?;
        let (frame, rest) = room.split_at_mut(length);
        run.frames.push(Frame {
            offset: 0,
            length: u32::try_from(length).expect("a frame has at most 4 MiB and a little"),
            sha256: sha256(frame),
            raw_sha256: match options.raw_digests {
                RawDigests::Keep => Some(sha256(raw)),
                RawDigests::LeaveOut => None,
            },
        });
        room = rest;
    }
    Ok(run)
}

/// Reads up to `len` bytes; fewer come at the end only.
fn fill(from: &mut dyn Read, into: &mut Vec<u8>, len: usize) -> io::Result<()> {
    into.resize(len, 0);
    let mut filled = 0;
    while filled < len {
        match from.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    into.truncate(filled);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testdata::noise;

    use super::*;
    use crate::index::longest_frame;
    use crate::{Decoder, seek_table};

    /// An image with a bit of everything: text, noise and nothing.
    fn image(len: usize) -> Vec<u8> {
        let mut image = noise(1, len);
        for (at, byte) in image.iter_mut().enumerate() {
            match at / 10_000 % 3 {
                0 => *byte = b"text that repeats, more or less "[(at + at / 900) % 32],
                1 => {}
                _ => *byte = 0,
            }
        }
        image
    }

    fn options(frame_blocks: u32, level: u8, threads: usize) -> Options {
        Options {
            frame_size: FrameSize::from_blocks(frame_blocks).unwrap(),
            level: Level::new(level).unwrap(),
            raw_digests: RawDigests::Keep,
            threads: NonZeroUsize::new(threads).unwrap(),
        }
    }

    fn encoded(image: &[u8], options: &Options) -> (Vec<u8>, Index) {
        let mut data = Vec::new();
        let index = encode(&mut &image[..], &mut data, options, &mut |_| {}).unwrap();
        (data, index)
    }

    fn at(place: u64) -> usize {
        usize::try_from(place).unwrap()
    }

    fn decoded(data: &[u8], index: &Index) -> Vec<u8> {
        let mut decoder = Decoder::new();
        let mut image = vec![0; at(index.raw_len())];
        for (number, frame) in index.frames().enumerate() {
            let raw = index.raw_range(number);
            let compressed = &data[at(frame.offset)..at(frame.range().end)];
            assert!(frame.is(compressed));
            decoder.decode(&frame, compressed, &mut image[at(raw.start)..at(raw.end)]).unwrap();
        }
        image
    }

    #[test]
    fn the_image_comes_back_frame_by_frame() {
        let image = image(700_001);
        let (data, index) = encoded(&image, &options(16, 9, 2));
        assert_eq!(index.frame_count(), 11);
        assert_eq!(decoded(&data, &index), image);
        assert_eq!(data.len() as u64, seek_table::file_len(&index));
        assert_eq!(Index::parse(&index.encode()), Ok(index));
        assert!(data.len() < image.len() / 2);
    }

    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let image = image(3_000_000);
        let one = encoded(&image, &options(4, 5, 1));
        for threads in [2, 3, 7, 99] {
            assert_eq!(encoded(&image, &options(4, 5, threads)), one, "{threads} threads");
        }
    }

    #[test]
    fn every_level_makes_single_segments_of_every_size() {
        let image = image(5 << 20);
        for (blocks, level, len) in
            [(1, 1, 100_000), (1, 19, 100_000), (1024, 1, 5 << 20), (1023, 3, 5 << 20)]
        {
            let (data, index) = encoded(&image[..len], &options(blocks, level, 2));
            assert_eq!(decoded(&data, &index), image[..len], "{blocks} blocks, level {level}");
        }
    }

    #[test]
    fn what_cannot_be_compressed_still_fits_an_index() {
        let noise = &image(20_000)[10_000..];
        for len in [1, 100, 4096, 10_000] {
            let (_, index) = encoded(&noise[..len], &options(3, 9, 1));
            assert!(index.length(0) <= longest_frame(len), "{len}");
            assert!(compress_bound(len) <= longest_frame(len) as usize);
            assert_eq!(Index::parse(&index.encode()), Ok(index));
        }
        for blocks in [1, 16, 31, 32, 1024] {
            let len = FrameSize::from_blocks(blocks).unwrap().bytes();
            assert!(compress_bound(len) <= longest_frame(len) as usize);
        }
    }

    #[test]
    fn an_empty_image_has_no_frames_and_its_file_is_a_table() {
        let (data, index) = encoded(&[], &options(16, 9, 2));
        assert_eq!((index.frame_count(), index.raw_len(), data.len()), (0, 0, 17));
    }

    #[test]
    fn whoever_waits_is_told_of_every_byte() {
        let image = image(600_000);
        let mut told = Vec::new();
        encode(&mut &image[..], &mut io::sink(), &options(4, 1, 3), &mut |bytes| told.push(bytes)).unwrap();
        assert_eq!(told, [262_144, 262_144, 75_712]);
        told.clear();
        encode(&mut &image[..], &mut io::sink(), &options(100, 1, 3), &mut |bytes| told.push(bytes)).unwrap();
        assert_eq!(told, [409_600, 190_400]);
    }

    #[test]
    fn trouble_on_either_side_ends_it() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or_else(|| io::Error::other("gone"))?;
                Ok(buf.len().min(5000))
            }
        }
        impl Write for Broken {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or_else(|| io::Error::other("full"))?;
                Ok(buf.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let options = options(1, 1, 2);
        let read = encode(&mut Broken(50), &mut io::sink(), &options, &mut |_| {});
        assert!(matches!(read, Err(EncodeError::Read(_))), "{read:?}");
        let write = encode(&mut &image(300_000)[..], &mut Broken(1), &options, &mut |_| {});
        assert!(matches!(write, Err(EncodeError::Write(_))), "{write:?}");
        let endless = encode_at_most(200, &mut io::repeat(0), &mut io::sink(), &options, &mut |_| {});
        assert!(matches!(endless, Err(EncodeError::TooManyFrames)), "{endless:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_image_comes_back(len in 0usize..600_000, shift in 0usize..30_000, blocks in 1u32..6, level in 1u8..10) {
            let image = &image(630_000)[shift..shift + len];
            let (data, index) = encoded(image, &options(blocks, level, 1 + len % 3));
            prop_assert_eq!(decoded(&data, &index), image);
        }
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            EncodeError::Compress(io::Error::other("the disk is gone")).to_string(),
            "compress a frame"
        );
    }
}
