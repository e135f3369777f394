//! Frames of a pack fetched, groups built, compared and written, span by span.

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
/// When a frame does not come or is not what was signed, or the device refuses. Groups that were written stay, and the
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
    let feed = async |queue: Queue<(usize, Option<S::Frame>)>| {
        let (spans, queue) = (&spans, &queue);
        let lane = async |number: usize| {
            for span in spans.iter().copied().skip(number).step_by(LANES) {
                let frame = match pack.frame(span) {
                    None => None,
                    Some(info) => {
                        let failed = |source| Error::Source { image, source };
                        let mut run = source.open(vec![info]).await.map_err(failed)?;
                        S::next(&mut run).await.map_err(failed)?
                    }
                };
                queue.put((span, frame)).await;
            }
            Ok::<(), Error>(())
        };
        tokio::try_join!(lane(0), lane(1), lane(2)).map(|_| ())
    };
    let begin = || SpanBuilder::new(pack.header(), running.clone());
    let each = |builder: &mut SpanBuilder<'_, Running<'_>>, (span, frame): (usize, Option<S::Frame>)| {
        let frame = frame.as_ref().map_or(&[][..], AsRef::as_ref);
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
                        why: format!("failed to {}", report::chain(error)),
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
