//! The bytes of an open repository's targets, from whichever of its places has them.

use std::sync::Arc;

use host_io::report::chain;
use tracing::{debug, info};

use super::Repository;
use crate::Error;
use crate::error::of_file;
use crate::place::mirrors::Turn;
use crate::place::source::Place;
use crate::target::frame::{FrameInfo, VerifiedFrame};
use crate::target::pieces::VerifiedPieces;
use crate::target::proof::{Check, TargetInfo, VerifiedBytes};
use crate::target::reader::{self, TargetReader};
use crate::target::run::{self, FrameRun};
use crate::target::tail::TargetTail;
use crate::transport::download::{Expected, Part, Size};

/// One of the places that an open repository is fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceNumber {
    number: usize,
    /// How often a place had been blamed until then.
    blamed: u64,
}

/// Why a place did not give what was asked for, and whether what it gave was put together from parts.
struct Wrong {
    error: Error,
    joined: bool,
}

impl Wrong {
    fn whole(error: Error) -> Self {
        Self { error, joined: false }
    }
}

impl Repository {
    /// [`Repository::fetch`], for a target that is decoded right away: in pieces that go while it is read.
    ///
    /// # Errors
    /// As [`Repository::fetch`].
    pub async fn fetch_pieces(&self, name: &str, limit: u64) -> Result<VerifiedPieces, Error> {
        let info = self.target(name).await?;
        if info.length > limit {
            return Err(Error::TooLarge { name: name.to_owned(), limit });
        }
        let info = &info;
        let from = async |place, part| {
            let file = self.file_of(place, info).map_err(Wrong::whole)?;
            let pieces = self.opened.carrier.pieces(place, &file, expected(info), part).await;
            let (pieces, joined) = pieces.map_err(|fault| Wrong::whole(of_file(&info.name, fault)))?;
            pieces.verify(info.clone()).map_err(|error| Wrong { error, joined })
        };
        self.any_place(from).await
    }

    pub(super) async fn fetch_whole(&self, info: &TargetInfo) -> Result<VerifiedBytes, Error> {
        self.any_place(|place, part| self.fetch_whole_from(place, part, info)).await
    }

    async fn fetch_whole_from(
        &self,
        place: &Place,
        part: Part,
        info: &TargetInfo,
    ) -> Result<VerifiedBytes, Wrong> {
        let file = self.file_of(place, info).map_err(Wrong::whole)?;
        let bytes = self.opened.carrier.whole_as(place, &file, expected(info), part).await;
        let (bytes, joined) = bytes.map_err(|fault| Wrong::whole(of_file(&info.name, fault)))?;
        let mut check = Check::new(info.clone());
        let checked = check.update(&bytes).and_then(|()| check.finish());
        checked.map(|proof| VerifiedBytes::new(proof, bytes)).map_err(|error| Wrong { error, joined })
    }

    /// The part of a target that an index describes, verified: a run of one frame.
    ///
    /// # Errors
    /// As [`Repository::fetch_run`] and [`FrameRun::next`].
    pub async fn fetch_frame(&self, name: &str, frame: FrameInfo) -> Result<VerifiedFrame, Error> {
        let mut run = self.fetch_run(name, vec![frame]).await?;
        Ok(run.next().await?.expect("a run has as many frames as were asked for"))
    }

    /// Frames of a target that follow one another, asked for together and verified one by one.
    ///
    /// The caller vouches for `run`: its frames stand in an index that is a verified target itself. Only their bytes are
    /// asked for, where the server knows ranges. Nothing goes over the network before the first [`FrameRun::next`], and
    /// several runs may be under way at the same time.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when the target is not listed; [`Error::TooLarge`] when a frame is longer than
    /// [`LONGEST_FRAME`](crate::target::frame::LONGEST_FRAME); [`Error::Tampered`] when the frames do not follow one another or
    /// reach beyond the target.
    pub async fn fetch_run(&self, name: &str, run: Vec<FrameInfo>) -> Result<FrameRun, Error> {
        let info = self.target(name).await?;
        let mut places = Vec::new();
        for (number, place) in self.opened.targets.all() {
            places.push((number, place.clone(), self.file_of(place, &info)?));
        }
        let supply = run::Supply {
            carrier: self.opened.carrier.clone(),
            expected: expected(&info),
            mirrors: Arc::clone(&self.opened.targets),
            places,
        };
        FrameRun::new(info, run, supply)
    }

    /// What the first place gives that gives what was asked for; else why the first one of all did not. A place whose
    /// parts did not fit together is asked once more, for one piece.
    async fn any_place<'a, T, F: Future<Output = Result<T, Wrong>>>(
        &'a self,
        ask: impl Fn(&'a Place, Part) -> F,
    ) -> Result<T, Error> {
        let mut first = None;
        for (number, place) in self.opened.targets.in_order() {
            let mut got = ask(place, Part::Whole).await;
            if let Err(Wrong { error, joined: true }) = &got {
                info!("at {}: failed to {}; it is asked for in one piece", place.describe(""), chain(error));
                got = ask(place, Part::OnePiece).await;
            }
            match got {
                Ok(got) => return Ok(got),
                Err(Wrong { error, .. }) if error.is_of_its_place() => {
                    debug!("at {}: failed to {}", place.describe(""), chain(&error));
                    self.opened.targets.pass_over(number);
                    first.get_or_insert(error);
                }
                Err(Wrong { error, .. }) => return Err(error),
            }
        }
        Err(first.expect("a source has at least one place"))
    }

    /// A [target](Self::target) as a stream that is checked while it passes. It wants a running tokio runtime, and to be read on a
    /// thread that may block. When a web server fails in the middle, the next one goes on from there; one whose bytes
    /// turn out to be wrong at the end is asked last from then on.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when its file is not there. A web server is asked only by the first read.
    pub fn open_target(&self, info: &TargetInfo) -> Result<TargetReader, Error> {
        self.open_file(info.clone(), |place| self.file_of(place, info))
    }

    /// [`Repository::open_target`] with another rule for the name of the file at a place.
    pub(crate) fn open_file(
        &self,
        info: TargetInfo,
        file_at: impl Fn(&Place) -> Result<String, Error>,
    ) -> Result<TargetReader, Error> {
        let supply = self.supply(&info, 0, file_at)?;
        Ok(TargetReader::new(info, supply, Arc::clone(&self.opened.targets)))
    }

    /// The end of a [target](Self::target), from a byte on, as a stream. What comes is **not verified**: the signed
    /// digests are over all of it. For whoever holds each part against a digest of its own. It wants what
    /// [`Repository::open_target`] wants.
    ///
    /// # Errors
    /// As [`Repository::open_target`].
    pub fn open_unverified_tail(&self, info: &TargetInfo, from: u64) -> Result<TargetTail, Error> {
        let supply = self.supply(info, from, |place| self.file_of(place, info))?;
        Ok(TargetTail::new(info, from, supply, &self.opened.targets))
    }

    /// Where a target is read from.
    fn supply(
        &self,
        info: &TargetInfo,
        from: u64,
        file_at: impl Fn(&Place) -> Result<String, Error>,
    ) -> Result<reader::Supply, Error> {
        let mut first = None;
        let mut web = Vec::new();
        for (number, place) in self.opened.targets.in_order() {
            let file = file_at(place)?;
            match place {
                Place::Web(_) => web.push((number, place.clone(), file)),
                // A directory is asked before the first byte or never.
                Place::Directory(_) if !web.is_empty() => {}
                Place::Directory(dir) => match self.opened.carrier.file_at(dir, &file, from) {
                    Ok(opened) => return Ok(reader::Supply::File(number, opened)),
                    Err(fault) => {
                        first.get_or_insert(of_file(&info.name, fault));
                    }
                },
            }
        }
        match first {
            Some(error) if web.is_empty() => Err(error),
            _ => Ok(reader::Supply::Web(self.opened.carrier.clone(), expected(info), web)),
        }
    }

    /// How many places it may be fetched from.
    #[must_use]
    pub fn places(&self) -> usize {
        self.opened.targets.all().count()
    }

    /// The place that is asked first for targets.
    #[must_use]
    pub fn first_place(&self) -> PlaceNumber {
        let number = self.opened.targets.in_order().next().map_or(0, |(number, _)| number);
        PlaceNumber { number, blamed: self.opened.targets.blamed() }
    }

    /// For whoever learns, in whichever way, that what came from this place since it was [first](Self::first_place) is
    /// wrong. Says whose turn it is.
    pub fn blame(&self, place: PlaceNumber) -> Turn {
        self.opened.targets.blame_once(place.number, place.blamed)
    }

    /// The name of a target's file below the targets base. A cached set may have it under either name.
    fn file_of(&self, place: &Place, info: &TargetInfo) -> Result<String, Error> {
        let digest_name = format!("{}.{}", info.hashes.hex(), info.name);
        match place {
            Place::Web(_) if !self.has_digest_names() => Ok(info.name.clone()),
            Place::Web(_) => Ok(digest_name),
            Place::Directory(dir) => {
                if let Some(pin) = &self.opened.pin {
                    pin.check_target(dir, info)?;
                }
                Ok(if self.opened.carrier.has(&dir.join(&digest_name)) {
                    digest_name
                } else {
                    info.name.clone()
                })
            }
        }
    }
}

fn expected(info: &TargetInfo) -> Expected {
    Expected { what: format!("the target {}", info.name), size: Size::Exactly(info.length) }
}
