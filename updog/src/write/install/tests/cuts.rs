//! Stories of fetches that end early: what had come whole is written, whichever range it came by.

use std::collections::VecDeque;
use std::sync::Arc;

use signpost::Role;
use testdata::noise;
use tokio::sync::watch;
use trusted_repo::FrameInfo;
use verity::BLOCK_SIZE;

use super::frames::{PER_FRAME, Published};
use super::{Fault, FaultyDisk, Shared, target};
use crate::look::plan::Parts;
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::parts::{Assembly, FrameSource};
use crate::write::install::{Crew, Error, scan};

/// Bytes of a frame.
const FRAME: usize = PER_FRAME * BLOCK_SIZE;
/// Blocks of the image: more than a range for each of those under way, none of which is long enough for a whole group.
const BLOCKS: usize = 600;
/// So many frames come of each range; then there is silence.
const FRAMES_EACH: usize = 5;
/// Ranges under way beside the first one.
const OTHERS: usize = 5;

/// What happens once every other range has given all that it gives.
#[derive(Clone, Copy)]
enum End<'a> {
    /// The first one fails for good.
    Failure,
    /// A signal.
    Stop(&'a Waiter),
}

/// A network that gives a few frames of each range and no more.
struct Silent<'a> {
    data: &'a [u8],
    /// How many ranges are silent by now.
    silent: Arc<watch::Sender<usize>>,
    end: End<'a>,
}

struct Run<'a> {
    frames: VecDeque<Vec<u8>>,
    is_first: bool,
    silent: Arc<watch::Sender<usize>>,
    end: End<'a>,
}

impl<'a> FrameSource for Silent<'a> {
    type Frame = Vec<u8>;
    type Run = Run<'a>;

    async fn open(&self, frames: Vec<FrameInfo>) -> Result<Self::Run, trusted_repo::Error> {
        let bytes = |frame: &FrameInfo| {
            let start = usize::try_from(frame.offset).unwrap();
            self.data[start..start + usize::try_from(frame.length).unwrap()].to_vec()
        };
        assert!(frames.len() > FRAMES_EACH);
        Ok(Run {
            frames: frames.iter().take(FRAMES_EACH).map(bytes).collect(),
            is_first: frames[0].offset == 0,
            silent: Arc::clone(&self.silent),
            end: self.end,
        })
    }

    async fn next(run: &mut Self::Run) -> Result<Option<Vec<u8>>, trusted_repo::Error> {
        if let Some(frame) = run.frames.pop_front() {
            return Ok(Some(frame));
        }
        if !run.is_first {
            run.silent.send_modify(|count| *count += 1);
            return std::future::pending().await;
        }
        run.silent.subscribe().wait_for(|count| *count == OTHERS).await.unwrap();
        match run.end {
            End::Failure => {
                let (name, reason) = ("frames".to_owned(), "it is not there".to_owned());
                Err(trusted_repo::Error::MissingTarget { name, reason, dir: None })
            }
            End::Stop(waiter) => {
                waiter.stop();
                std::future::pending().await
            }
        }
    }
}

/// Writes what comes of `published` to `disk` until it ends; how it ended, and how many frames lie there then.
fn cut(
    published: &Published,
    disk: &Arc<FaultyDisk>,
    end: impl FnOnce(&Waiter) -> End<'_>,
) -> (Error, usize) {
    let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
    let crew = Crew::new(&waiter, &events);
    let origins = scan::blocks_in_place(&Shared(Arc::clone(disk)), published.tree.tree(), crew).unwrap();
    let parts = Parts::of(origins, &published.index.cut());
    let silent = Arc::new(watch::Sender::new(0));
    let source = Silent { data: &published.frames.data, silent, end: end(&waiter) };
    let mut assembly = Assembly::root(target(Role::Root, disk), &published.tree).unwrap();
    let nothing = Shared(FaultyDisk::new(Vec::new(), Fault::None));
    let result = assembly.put(&parts, &nothing, Some((&*published.index, &source)), crew);
    let bytes = disk.bytes();
    let there = bytes.chunks(FRAME).zip(published.image.chunks(FRAME)).filter(|(there, new)| there == new);
    (result.unwrap_err(), there.count())
}

fn published() -> Published {
    Published::new(Role::Root, noise(7, BLOCKS * BLOCK_SIZE))
}

fn empty() -> Arc<FaultyDisk> {
    FaultyDisk::new(vec![0xa5; BLOCKS * BLOCK_SIZE], Fault::None)
}

#[test]
fn a_range_that_fails_for_good_costs_no_frame_that_others_have() {
    let (published, disk) = (published(), empty());
    let (error, there) = cut(&published, &disk, |_| End::Failure);
    assert!(matches!(error, Error::Source { image: Role::Root, .. }), "{error}");
    assert_eq!(there, (OTHERS + 1) * FRAMES_EACH);
}

#[test]
fn a_stop_costs_no_frame_that_has_come() {
    let (published, disk) = (published(), empty());
    let (error, there) = cut(&published, &disk, |waiter| End::Stop(waiter));
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert_eq!(there, (OTHERS + 1) * FRAMES_EACH);
}

#[test]
fn a_disk_that_refuses_what_was_left_changes_nothing_about_why_it_ended() {
    let published = published();
    let disk = FaultyDisk::new(vec![0xa5; BLOCKS * BLOCK_SIZE], Fault::Write(0, super::EIO));
    let (error, there) = cut(&published, &disk, |_| End::Failure);
    assert!(matches!(error, Error::Source { image: Role::Root, .. }), "{error}");
    assert!(there < (OTHERS + 1) * FRAMES_EACH);
}
