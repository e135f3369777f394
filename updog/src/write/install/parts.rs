//! An image put together from its parts: what is in place, what the running set has, and frames from the repository.
//!
//! Copies and frames go through the same crew at the same time. No unit is written before it was compared with what the
//! signed tree or index says of it, wherever it came from.

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use blocks::Decoder;
use host_io::{Buffer, Disk};
use signpost::Role;
use trusted_repo::{FrameInfo, FrameRun, Repository, VerifiedFrame};

use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::index::VerifiedIndex;
use super::target::{BootWritten, RootWritten, Tally, Target, Written};
use super::tree::VerifiedTree;
use super::truth::Truth;
use crate::look::plan::origin::{self, Copies};
use crate::look::plan::{Origins, Parts, frames};
use crate::tell::events::{Meter, Phase};

/// Bytes that a thread puts together at once. Each has memory of its own for them at the moment at which an update takes the
/// most, so they are fewer than where an image is read or written in one go.
const PART: usize = 48 * verity::BLOCK_SIZE;
/// Ranges that are fetched at the same time: a round trip costs one of them and not all.
const RANGES_IN_FLIGHT: usize = 6;
/// The most bytes of one range. A kill loses what is in flight, so this times the number above stays small beside an
/// image: measured with a kill at half, ranges of 1 MiB cost 3 % of 124 MB. A round trip of 50 ms still leaves 30 MB/s.
const RANGE: u64 = 256 << 10;

/// Where frames come from. Whatever implements it hands out verified frames only.
pub trait FrameSource {
    /// One frame.
    type Frame: AsRef<[u8]> + Send;
    /// Neighbouring frames on their way.
    type Run;

    /// Asks for neighbouring frames.
    fn open(&self, frames: Vec<FrameInfo>) -> impl Future<Output = Result<Self::Run, trusted_repo::Error>>;

    /// The next frame of a run.
    fn next(run: &mut Self::Run) -> impl Future<Output = Result<Option<Self::Frame>, trusted_repo::Error>>;
}

/// The frames in one target of a repository.
pub struct RepositoryFrames<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The target.
    pub data: &'a str,
}

/// A frame with its proof.
pub struct Proven(VerifiedFrame);

impl AsRef<[u8]> for Proven {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl FrameSource for RepositoryFrames<'_> {
    type Frame = Proven;
    type Run = FrameRun;

    async fn open(&self, frames: Vec<FrameInfo>) -> Result<FrameRun, trusted_repo::Error> {
        self.repository.fetch_run(self.data, frames).await
    }

    async fn next(run: &mut FrameRun) -> Result<Option<Proven>, trusted_repo::Error> {
        Ok(run.next().await?.map(Proven))
    }
}

/// An image that is being put together.
pub struct Assembly {
    target: Target,
    truth: Truth,
    /// Bytes written and bytes copied.
    tally: Tally,
}

impl Assembly {
    /// The boot image, whose frames `index` describes.
    ///
    /// # Errors
    /// [`Error::NoFit`].
    pub fn boot(target: Target, index: &Arc<VerifiedIndex>) -> Result<Self, Error> {
        Self::new(target, Truth::Frames(Arc::clone(index)))
    }

    /// The root image, whose blocks `tree` describes.
    ///
    /// # Errors
    /// [`Error::NoFit`].
    pub fn root(target: Target, tree: &Arc<VerifiedTree>) -> Result<Self, Error> {
        Self::new(target, Truth::Root(Arc::clone(tree)))
    }

    fn new(target: Target, truth: Truth) -> Result<Self, Error> {
        target.check_end(truth.len(), Some(truth.len()))?;
        Ok(Self { target, truth, tally: Tally::default() })
    }

    /// Which image it is.
    #[must_use]
    pub fn image(&self) -> Role {
        self.target.image
    }

    /// The partition, for another way to fill it, and what was done to it so far.
    #[must_use]
    pub fn give_up(self) -> (Target, Tally) {
        (self.target, self.tally)
    }

    /// Copies from `running` and fetches from `frames` what `parts` says. Returns the units that were to be copied and
    /// are not what they should be, or cannot be read: nothing was written in their places.
    ///
    /// # Errors
    /// When a frame does not come or is not what was signed, or the device refuses.
    pub fn put<S: FrameSource>(
        &mut self,
        parts: &Parts,
        running: &dyn Disk,
        fetched: Option<(&VerifiedIndex, &S)>,
        crew: Crew<'_>,
    ) -> Result<Vec<usize>, Error> {
        let bytes = parts.bytes;
        let meter = crew.events.meter(Phase::Write, self.target.image.as_str(), Some(bytes.write));
        let site = Site {
            target: &self.target,
            truth: &self.truth,
            origins: &parts.origins,
            running,
            done: Mutex::new(Done { tally: Tally::default(), rotten: Vec::new(), meter }),
        };
        let unit_len = self.truth.unit_len();
        let held = Held::default();
        let feed = async |queue: Queue<Job<S::Frame>>| {
            let copy = async {
                for copies in origin::copies(&parts.origins, (PART / unit_len).max(1)) {
                    queue.put(Job::Copy(copies)).await;
                }
                Ok(())
            };
            let fetch = async {
                match fetched {
                    Some((index, source)) => {
                        fetch(index, parts, source, (&queue, &held), self.target.image).await
                    }
                    None => Ok(()),
                }
            };
            tokio::try_join!(copy, fetch).map(|((), ())| ())
        };
        let frame_len = fetched.map_or(0, |(index, _)| index.frame_len());
        let begin =
            || Bench { decoder: Decoder::new(), piece: Buffer::new(PART.max(frame_len).max(unit_len)) };
        let index = fetched.map(|(index, _)| index);
        let each = |bench: &mut Bench, job: Job<S::Frame>| match job {
            Job::Copy(copies) => site.copy(&copies, bench),
            Job::Frames(group) => {
                site.unpack(index.expect("only an index makes jobs with frames"), &group, bench)
            }
        };
        let worked = crew.work(feed, begin, each);
        if let Err(Error::Source { .. } | Error::Stopped(_)) = worked {
            // They were paid for, and to write them needs no network. What is told is why it ended.
            let bench = &mut begin();
            let _nothing_is_worse_then =
                held.into_groups().try_for_each(|group| each(bench, Job::Frames(group)));
        }
        let Done { tally, mut rotten, meter } =
            site.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tally += tally;
        worked?;
        meter.finish();
        rotten.sort_unstable();
        Ok(rotten)
    }

    fn finish(self) -> Written {
        let Self { target, truth, mut tally } = self;
        tally.skipped = truth.len() - tally.written;
        Written { target, truth, tally }
    }

    /// The boot image, of which all is in its place now.
    #[must_use]
    pub fn into_boot(self) -> BootWritten {
        BootWritten(self.finish())
    }

    /// The root image, of which all is in its place now.
    #[must_use]
    pub fn into_root(self) -> RootWritten {
        RootWritten(self.finish())
    }
}

/// What the threads do.
enum Job<F> {
    Copy(Copies),
    Frames(Group<F>),
}

/// Neighbouring frames, from number `first` on.
struct Group<F> {
    first: usize,
    frames: Vec<F>,
}

impl<F> Group<F> {
    fn starting_at(first: usize) -> Self {
        Self { first, frames: Vec::new() }
    }

    /// The number of the frame after them.
    fn end(&self) -> usize {
        self.first + self.frames.len()
    }
}

/// What each lane has fetched and not handed on yet. It outlives a fetch that ends early.
struct Held<F>([RefCell<Group<F>>; RANGES_IN_FLIGHT]);

impl<F> Default for Held<F> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RefCell::new(Group::starting_at(0))))
    }
}

impl<F> Held<F> {
    fn into_groups(self) -> impl Iterator<Item = Group<F>> {
        self.0.into_iter().map(RefCell::into_inner).filter(|group| !group.frames.is_empty())
    }
}

/// What one thread works with.
struct Bench {
    decoder: Decoder,
    piece: Buffer,
}

/// What all threads share.
struct Site<'a, 'm> {
    target: &'a Target,
    truth: &'a Truth,
    origins: &'a Origins,
    running: &'a dyn Disk,
    done: Mutex<Done<'m>>,
}

struct Done<'m> {
    tally: Tally,
    rotten: Vec<usize>,
    meter: Meter<'m>,
}

impl Site<'_, '_> {
    /// The bytes of a unit of the new image, as a range of it.
    fn range(&self, unit: usize) -> Range<u64> {
        let start = unit as u64 * self.truth.unit_len() as u64;
        start..(start + self.truth.unit_len() as u64).min(self.truth.len())
    }

    fn copy(&self, copies: &Copies, bench: &mut Bench) -> Result<(), Error> {
        let unit_len = self.truth.unit_len();
        let start = self.range(copies.to).start;
        let end = self.range(copies.to + copies.len() - 1).end;
        let piece = &mut bench.piece[..usize::try_from(end - start).unwrap_or(usize::MAX)];
        let mut right = Vec::with_capacity(copies.len());
        let mut rest = &mut *piece;
        for run in &copies.from {
            let count = (run.len() * unit_len).min(rest.len());
            let (run_bytes, behind) = rest.split_at_mut(count);
            rest = behind;
            let from = u64::from(run.start) * unit_len as u64;
            let readable = self.running.read_at(from, run_bytes).is_ok();
            for (unit, bytes) in run_bytes.chunks_mut(unit_len).enumerate() {
                // Where a run cannot be read, perhaps some of it can.
                let readable =
                    readable || self.running.read_at(from + (unit * unit_len) as u64, bytes).is_ok();
                right.push(readable && self.truth.accepts(copies.to + right.len(), bytes));
            }
        }
        let written = self.target.write_units(start, piece, unit_len, |unit| right[unit])?;
        let mut done = lock(&self.done);
        done.tally.written += written;
        done.tally.copied += written;
        done.rotten.extend((copies.to..).zip(&right).filter(|(_, right)| !**right).map(|(unit, _)| unit));
        done.meter.add(written);
        Ok(())
    }

    /// Decodes neighbouring frames and writes what is wanted of them.
    fn unpack(
        &self,
        index: &VerifiedIndex,
        group: &Group<impl AsRef<[u8]>>,
        bench: &mut Bench,
    ) -> Result<(), Error> {
        let Group { first, ref frames } = *group;
        let (image, unit_len) = (self.target.image, self.truth.unit_len());
        let start = index.raw_range(first).start;
        let mut filled = 0;
        for (number, frame) in (first..).zip(frames) {
            let range = index.raw_range(number);
            let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let raw = &mut bench.piece[filled..filled + len];
            let decoded = bench.decoder.decode(&index.frame(number), frame.as_ref(), raw);
            decoded.map_err(|source| Error::Frame { image, source })?;
            filled += len;
        }
        let piece = &bench.piece[..filled];
        let first_unit = usize::try_from(start).unwrap_or(usize::MAX) / unit_len;
        let wanted = |unit: usize| self.origins.is_fetched(first_unit + unit);
        if let Truth::Root(tree) = self.truth {
            for (unit, block) in piece.chunks(unit_len).enumerate().filter(|(unit, _)| wanted(*unit)) {
                let checked = tree.tree().check_block((first_unit + unit) as u64, block);
                checked.map_err(|source| Error::Block { image, source })?;
            }
        }
        // What is wanted of a boot image are whole frames, and the decoder has compared those.
        let written = self.target.write_units(start, piece, unit_len, wanted)?;
        let mut done = lock(&self.done);
        done.tally.written += written;
        done.meter.add(written);
        Ok(())
    }
}

/// Fetches the frames of `parts`, several ranges at a time, and hands them on in groups that are worth one write. What
/// was not handed on when it ends early is still held.
async fn fetch<S: FrameSource>(
    index: &VerifiedIndex,
    parts: &Parts,
    source: &S,
    (queue, held): (&Queue<Job<S::Frame>>, &Held<S::Frame>),
    image: Role,
) -> Result<(), Error> {
    let failed = |source| Error::Source { image, source };
    let per_group = (PART / index.frame_len()).max(1);
    let one = async |range: Range<usize>, held: &RefCell<Group<S::Frame>>| {
        let infos = range.clone().map(|frame| index.info(frame)).collect();
        let mut run = source.open(infos).await.map_err(failed)?;
        held.replace(Group::starting_at(range.start));
        while let Some(frame) = S::next(&mut run).await.map_err(failed)? {
            let is_enough = {
                let mut group = held.borrow_mut();
                group.frames.push(frame);
                group.frames.len() == per_group || group.end() == range.end
            };
            if is_enough {
                let take = || {
                    let next = Group::starting_at(held.borrow().end());
                    Job::Frames(held.replace(next))
                };
                queue.put_made(take).await;
            }
        }
        Ok::<(), Error>(())
    };
    let ranges = frames::in_pieces(&parts.runs, index.cut().lengths, RANGE);
    let lane = |number: usize| {
        let (ranges, one) = (&ranges, &one);
        async move {
            for range in ranges.iter().skip(number).step_by(RANGES_IN_FLIGHT) {
                one(range.clone(), &held.0[number]).await?;
            }
            Ok::<(), Error>(())
        }
    };
    tokio::try_join!(lane(0), lane(1), lane(2), lane(3), lane(4), lane(5)).map(|_| ())
}
