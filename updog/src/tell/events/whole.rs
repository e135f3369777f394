//! How far an update is as a whole: a rule over its plan and its stages.

use super::event::{Phase, Progress};
use super::pace;
use super::queue::Stage;
use crate::look::plan::Plan;

/// The stages of an update as one: what is written, and what is read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Whole {
    total: u64,
    done: Vec<(Stage, u64)>,
}

impl Whole {
    /// What `plan` makes of it; `None` where it does not know how long each image is.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let lengths = plan.images.iter().map(|image| {
            let bytes = image.bytes.known()?;
            // Read back is all of the image.
            Some(2 * bytes.write + bytes.skip)
        });
        Some(Self { total: lengths.sum::<Option<u64>>()?, done: Vec::new() })
    }

    /// How far the whole is when one of its stages is as far as `progress` says.
    pub(super) fn with(&mut self, progress: Progress) -> Progress {
        let stage = (progress.phase, progress.image);
        if matches!(progress.phase, Phase::Write | Phase::ReadBack) {
            match self.done.iter_mut().find(|(one, _)| *one == stage) {
                Some((_, bytes)) => *bytes = progress.bytes.max(*bytes),
                None => self.done.push((stage, progress.bytes)),
            }
        }
        let done = self.done.iter().map(|(_, bytes)| bytes).sum::<u64>().min(self.total);
        let eta = pace::left(done, Some(self.total), progress.rate);
        Progress { bytes: done, total: Some(self.total), eta, ..progress }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(phase: Phase, image: &'static str, bytes: u64) -> Progress {
        Progress { phase, image, bytes, total: Some(100), rate: 10, eta: Some(0) }
    }

    #[test]
    fn the_whole_grows_with_its_stages_and_never_goes_back() {
        let mut whole = Whole { total: 400, done: Vec::new() };
        let mut before = 0;
        for (progress, done) in [
            (at(Phase::Fetch, "migrations", 50), 0),
            (at(Phase::Write, "hash", 100), 100),
            (at(Phase::Write, "root", 60), 160),
            // Stages side by side, and one that is told late.
            (at(Phase::Write, "boot", 20), 180),
            (at(Phase::Write, "root", 40), 180),
            (at(Phase::Sync, "root", 100), 180),
            (at(Phase::ReadBack, "root", 100), 280),
            (at(Phase::ReadBack, "boot", 100), 380),
            // More than was planned is no more than all.
            (at(Phase::ReadBack, "hash", 100), 400),
        ] {
            let told = whole.with(progress);
            assert_eq!((told.bytes, told.total, told.image), (done, Some(400), progress.image));
            assert_eq!(told.eta, Some((400 - done) / 10));
            assert!(told.bytes >= before);
            before = told.bytes;
        }
    }
}
