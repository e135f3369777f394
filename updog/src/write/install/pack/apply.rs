//! Frames of a pack fetched, groups built, compared and written, span by span.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use blocks::pack::{SpanBuilder, SpanError};
use host_io::report;

use super::base::Running;
use super::header::VerifiedPack;
use super::in_place::InPlace;
use crate::tell::events::Phase;
use crate::write::install::crew::{Crew, Queue, lock};
use crate::write::install::error::Error;
use crate::write::install::parts::FrameSource;
use crate::write::install::target::{Tally, Target};

/// Threads that build groups: each holds a prefix of up to 16 MiB and a span of up to 4.5.
const BUILDERS: usize = 2;
/// Frames on their way at the same time. A kill loses them, and one has some hundred KB.
const LANES: usize = 3;

/// So many frames may be something else than what was signed before no more of them are asked for.
const MOST_WRONG: u32 = 3;

/// What has come of a span's frame.
enum Came<F> {
    /// It, verified.
    Frame(F),
    /// There is none.
    Nothing,
    /// Something else, and what is said of it.
    Lost(String),
}

/// What became of the groups that were wanted.
#[derive(Debug)]
pub struct Applied {
    /// What is in place now.
    pub there: InPlace,
    /// What was written and copied.
    pub tally: Tally,
    /// How many groups could not be built, and why the first of them could not. Nothing was written in their places.
    pub failed: Option<Failed>,
}

/// Groups that could not be built.
#[derive(Debug)]
pub struct Failed {
    /// How many.
    pub groups: usize,
    /// Why, as a fragment.
    pub why: String,
    /// Whether the running image is to blame and not the pack.
    pub rotten: bool,
}

/// Builds all groups that are not `there` and writes them to `target`.
///
/// # Errors
/// When a frame does not come, or the device refuses. Groups that were written stay, and the
/// next run finds them in place.
pub fn apply<S: FrameSource>(
    pack: &VerifiedPack,
    there: InPlace,
    running: &Running<'_>,
    target: &Target,
    source: &S,
    crew: Crew<'_>,
) -> Result<Applied, Error> {
    let image = pack.image();
    target.check_end(pack.header().new_len, Some(pack.header().new_len))?;
    let to_write = pack.bytes(&there).write;
    let spans: Vec<usize> = pack.spans(&there).collect();
    let wanted: Vec<bool> = (0..pack.header().groups()).map(|group| !there.has(group)).collect();
    let applied = Applied { there, tally: Tally::default(), failed: None };
    let done = Mutex::new((applied, crew.events.meter(Phase::Write, image.as_str(), Some(to_write))));
    let feed = async |queue: Queue<(usize, Came<S::Frame>)>| {
        let (spans, queue, wrong) = (&spans, &queue, &Cell::new(0));
        let lane = async |number: usize| {
            for span in spans.iter().copied().skip(number).step_by(LANES) {
                let came = match pack.frame(span) {
                    None => Came::Nothing,
                    // A body that is another one is not fetched to its end: its bytes count, and frames are to come.
                    Some(_) if wrong.get() >= MOST_WRONG => {
                        Came::Lost("too many of its frames are not what was signed".to_owned())
                    }
                    Some(info) => {
                        let failed = |source| Error::Source { image, source };
                        let mut run = source.open(vec![info]).await.map_err(failed)?;
                        match S::next(&mut run).await {
                            // No place has the signed bytes: its groups are lost, and they alone.
                            Err(error) if error.is_of_its_bytes() => {
                                wrong.set(wrong.get() + 1);
                                Came::Lost(format!("failed to {}", report::chain(&error)))
                            }
                            frame => frame.map_err(failed)?.map_or(Came::Nothing, Came::Frame),
                        }
                    }
                };
                queue.put((span, came)).await;
            }
            Ok::<(), Error>(())
        };
        tokio::try_join!(lane(0), lane(1), lane(2)).map(|_| ())
    };
    let begin = || SpanBuilder::new(pack.header(), running.clone());
    let each = |builder: &mut SpanBuilder<'_, Running<'_>>, (span, came): (usize, Came<S::Frame>)| {
        let frame = match &came {
            Came::Frame(frame) => frame.as_ref(),
            Came::Nothing | Came::Lost(_) => &[],
        };
        let mut refused = None;
        builder.build(span, frame, &|group| wanted[group as usize], &mut |group, built| {
            if refused.is_some() {
                return;
            }
            match built {
                Ok(built) => {
                    let at = pack.header().group_range(group).start;
                    if let Err(error) = target.write(at, built.data) {
                        refused = Some(error);
                        return;
                    }
                    let copied = pack.header().copies_of(group).map(|run| u64::from(run.blocks));
                    let copied = copied.sum::<u64>() * verity::BLOCK_SIZE as u64;
                    let len = built.data.len() as u64;
                    let (applied, meter) = &mut *lock(&done);
                    applied.there.put(group, built.leaves);
                    applied.tally.written += len;
                    applied.tally.copied += copied.min(len);
                    meter.add(len);
                }
                Err(error) => {
                    let (applied, _) = &mut *lock(&done);
                    let failed = applied.failed.get_or_insert_with(|| Failed {
                        groups: 0,
                        why: match (&came, error) {
                            (Came::Lost(why), SpanError::Unsigned { .. }) => why.clone(),
                            _ => format!("failed to {}", report::chain(error)),
                        },
                        rotten: matches!(error, SpanError::Base { .. }),
                    });
                    failed.groups += 1;
                }
            }
        });
        refused.map_or(Ok(()), Err)
    };
    crew.at_most(BUILDERS).work(feed, begin, each)?;
    let (applied, meter) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    meter.finish();
    Ok(applied)
}
