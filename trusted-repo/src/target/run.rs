//! Frames that follow one another in a target, fetched together and verified one by one as they arrive.
//!
//! A run is one ranged request while all goes well. What goes wrong costs the frame that was under way and nothing that
//! was handed out before: the request is made again from there, a link that breaks goes on in the middle of a frame, and
//! a place that hands out a wrong frame is relieved by the next one. One frame is held in memory at a time.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use host_io::report::chain;
use tracing::{debug, info};

use crate::Error;
use crate::error::of_file;
use crate::place::mirrors::Mirrors;
use crate::place::source::Place;
use crate::target::frame::{FrameInfo, LONGEST_FRAME, VerifiedFrame};
use crate::target::proof::TargetInfo;
use crate::transport::download::{Download, Expected, Part, Piece};
use crate::transport::range::MOST_PASSED_OVER;
use crate::transport::{Carrier, Fault};

/// How often one frame is asked for again at the same place, because it was not what its digest says: two answers may
/// have been put together that do not fit, or a cache may hand out another range than it says.
const MOST_AFRESH: u32 = 1;

/// Where a run comes from.
pub(crate) struct Supply {
    pub(crate) carrier: Carrier,
    /// What the target is expected to be.
    pub(crate) expected: Expected,
    pub(crate) mirrors: Arc<Mirrors>,
    /// Each place by its number, with the target's file name there.
    pub(crate) places: Vec<(usize, Place, String)>,
}

/// Frames on their way. Dropping it ends the request.
pub struct FrameRun {
    info: TargetInfo,
    frames: Vec<FrameInfo>,
    /// How many were handed out.
    done: usize,
    supply: Supply,
    under_way: Option<(usize, Incoming)>,
}

/// A request under way.
enum Incoming {
    Web {
        download: Box<Download>,
        /// What has come and was not used yet, and where in the target it begins.
        waiting: Bytes,
        position: u64,
    },
    File(PathBuf, Box<dyn Read + Send>),
    /// What is left has no bytes.
    Nothing,
}

impl FrameRun {
    pub(crate) fn new(info: TargetInfo, frames: Vec<FrameInfo>, supply: Supply) -> Result<Self, Error> {
        if frames.iter().any(|frame| frame.length > LONGEST_FRAME) {
            return Err(Error::TooLarge { name: info.name, limit: LONGEST_FRAME });
        }
        let refusal = |reason| Err(Error::Tampered { name: info.name.clone(), reason });
        let end = |frame: &FrameInfo| frame.offset.checked_add(frame.length);
        if let Some(frame) = frames.iter().find(|frame| end(frame).is_none_or(|end| end > info.length)) {
            return refusal(format!("{frame} is not within its {} signed bytes", info.length));
        }
        if let Some(pair) = frames.windows(2).find(|pair| end(&pair[0]) != Some(pair[1].offset)) {
            return refusal(format!("{} does not follow {}", pair[1], pair[0]));
        }
        Ok(Self { info, frames, done: 0, supply, under_way: None })
    }

    /// The next frame as soon as it is there and verified; `None` after the last one.
    ///
    /// Failures that may pass are retried in here, and places are tried in order. After an error, or when it is dropped
    /// before it has ended, the run stands where it stood: asking once more tries again.
    ///
    /// # Errors
    /// [`Error::Tampered`] when no place has the bytes with that SHA-256, [`Error::MissingTarget`] when none has the
    /// target's file, [`Error::Target`] when none can be reached; [`Error::is_for_want_of_it`] when a far part of it
    /// can only be had with everything before.
    pub async fn next(&mut self) -> Result<Option<VerifiedFrame>, Error> {
        let Some(frame) = self.frames.get(self.done).copied() else { return Ok(None) };
        let mut line = Line::default();
        loop {
            let (number, mut incoming) = self.incoming(frame, &mut line)?;
            let got = incoming.frame(frame).await.map_err(|fault| of_file(&self.info.name, fault));
            let error = match got.and_then(|bytes| VerifiedFrame::check(&self.info.name, frame, bytes)) {
                Ok(verified) => {
                    self.done += 1;
                    self.under_way = Some((number, incoming)).filter(|_| self.done < self.frames.len());
                    return Ok(Some(verified));
                }
                Err(error) => error,
            };
            let is_wrong = matches!((&error, &incoming), (Error::Tampered { .. }, Incoming::Web { .. }));
            if is_wrong && line.afresh < MOST_AFRESH {
                debug!("{}: {frame} is asked for afresh: failed to {}", self.info.name, chain(&error));
                line.afresh += 1;
            } else if error.is_of_its_place() {
                info!("at {}: failed to {}", self.supply.describe(number), chain(&error));
                self.supply.mirrors.pass_over(number);
                line.leaves(number, error);
            } else {
                return Err(error);
            }
        }
    }

    /// The request under way, or a new one at the first place that has not failed yet.
    fn incoming(&mut self, frame: FrameInfo, line: &mut Line) -> Result<(usize, Incoming), Error> {
        if let Some(under_way) = self.under_way.take() {
            return Ok(under_way);
        }
        let end = self.frames.last().map_or(0, |last| last.offset + last.length);
        for (number, _) in self.supply.mirrors.in_order() {
            if line.failed.contains(&number) {
                continue;
            }
            // The second time without ranges, where what comes before is little (`docs/decisions/0022`).
            let in_one_piece = line.afresh > 0 && frame.offset <= MOST_PASSED_OVER;
            match self.supply.open(number, frame.offset, end, in_one_piece) {
                Ok(incoming) => return Ok((number, incoming)),
                Err(fault) => line.leaves(number, of_file(&self.info.name, fault)),
            }
        }
        Err(line.first.take().expect("a source has at least one place"))
    }
}

/// Who could not give the next frame.
#[derive(Default)]
struct Line {
    failed: Vec<usize>,
    /// Why the first one could not.
    first: Option<Error>,
    /// How often the frame was asked for again at the place that is tried now.
    afresh: u32,
}

impl Line {
    fn leaves(&mut self, number: usize, error: Error) {
        self.failed.push(number);
        self.first.get_or_insert(error);
        self.afresh = 0;
    }
}

impl std::fmt::Debug for FrameRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, done, frames) = (&self.info.name, self.done, self.frames.len());
        f.debug_struct("FrameRun")
            .field("name", name)
            .field("done", &done)
            .field("frames", &frames)
            .finish_non_exhaustive()
    }
}

impl Supply {
    fn describe(&self, number: usize) -> String {
        let (_, place, file) = &self.places[number];
        place.describe(file)
    }

    /// Begins at a place with the part of its file from `offset` to `end`.
    fn open(&self, number: usize, offset: u64, end: u64, in_one_piece: bool) -> Result<Incoming, Fault> {
        let (_, place, file) = &self.places[number];
        match place {
            Place::Directory(dir) => {
                Ok(Incoming::File(dir.join(file), self.carrier.file_at(dir, file, offset)?))
            }
            // Nothing to ask for.
            Place::Web(_) if offset == end => Ok(Incoming::Nothing),
            Place::Web(_) => {
                let part = if in_one_piece { Part::UpTo(end) } else { Part::Range(offset, end) };
                let download = self.carrier.part(place, file, self.expected.clone(), part)?;
                let download = Box::new(download.expect("it is a web server"));
                Ok(Incoming::Web { position: download.position(), download, waiting: Bytes::new() })
            }
        }
    }
}

impl Incoming {
    /// The bytes of the next frame, fewer where they end before.
    async fn frame(&mut self, frame: FrameInfo) -> Result<Bytes, Fault> {
        let length = usize::try_from(frame.length).expect("a frame fits into memory");
        let mut bytes = Vec::with_capacity(length);
        match self {
            Self::Nothing => {}
            Self::File(path, file) => {
                let read = file.take(frame.length).read_to_end(&mut bytes);
                read.map_err(|error| Fault::Local { path: path.clone(), source: Arc::new(error) })?;
            }
            Self::Web { download, waiting, position } => loop {
                // A server that knows no ranges begins at the target's first byte.
                let before = frame.offset.saturating_sub(*position);
                let before = usize::try_from(before).unwrap_or(usize::MAX).min(waiting.len());
                waiting.advance(before);
                *position += before as u64;
                let count = waiting.len().min(length - bytes.len());
                bytes.extend_from_slice(&waiting.split_to(count));
                *position += count as u64;
                if bytes.len() == length {
                    break;
                }
                match download.next().await? {
                    Some(Piece::Bytes(piece)) => *waiting = piece,
                    Some(Piece::Again) => {
                        bytes.clear();
                        *position = 0;
                    }
                    None => break,
                }
            },
        }
        Ok(bytes.into())
    }
}
