//! Sync, read back, compare: what turns written images into a set that may boot.

use std::sync::{Mutex, PoisonError};
use std::thread;

use host_io::{Buffer, Medium};
use ring::digest;

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::stream::RawSum;
use super::target::{BootWritten, HashWritten, RootWritten, Tally, Written};
use crate::events::{Meter, Phase};

/// The three images of a set, made durable as far as the device tells.
pub struct Synced([Written; 3]);

/// The proof that a set may be marked valid: each of its three images was read back from the medium and is what was
/// written.
#[derive(Debug)]
pub struct ReadBack {
    tally: Tally,
    medium: Medium,
    boot: RawSum,
}

impl Synced {
    /// How often the medium is asked for one set.
    pub const SYNCS: u64 = 3;

    /// Syncs the images of one set.
    ///
    /// # Errors
    /// When a device refuses; nothing of what it was given may then be relied on.
    pub fn new(
        boot: BootWritten,
        root: RootWritten,
        hash: HashWritten,
        crew: Crew<'_>,
    ) -> Result<Self, Error> {
        let images = [boot.0, root.0, hash.0];
        for Written { target, truth, .. } in &images {
            let mut meter = crew.events.meter(Phase::Sync, target.image.as_str(), Some(truth.len()));
            target.sync()?;
            meter.add(truth.len());
            meter.finish();
        }
        Ok(Self(images))
    }

    /// Reads everything back from the medium and compares: root with the leaves of its tree, boot with the digests in
    /// its index or those that were taken when it was written, hash with memory. Skipped blocks are read like written
    /// ones.
    ///
    /// # Errors
    /// [`Error::Differs`] with the first place that is not right; [`Error::ReadBack`] when it cannot be read.
    pub fn read_back(self, crew: Crew<'_>) -> Result<ReadBack, Error> {
        let [boot, root, hash] = &self.0;
        let sum = thread::scope(|scope| {
            // In one piece after the other, as its digest wants it: on a thread beside the others.
            let boot = thread::Builder::new()
                .name("boot".to_owned())
                .spawn_scoped(scope, || compare_in_order(boot, crew))
                .map_err(Error::Thread)?;
            let others = compare(root, crew).and_then(|()| compare(hash, crew));
            let sum = boot.join().expect("what is read is compared without a panic")?;
            others.map(|()| sum)
        })?;
        let mut tally = Tally::default();
        let mut medium = Medium::Device;
        for written in &self.0 {
            tally += written.tally;
            if written.target.disk.medium() == Medium::ImageFile {
                medium = Medium::ImageFile;
            }
        }
        Ok(ReadBack { tally, medium, boot: sum })
    }
}

impl ReadBack {
    /// What it took to write it.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What the boot image is as a whole.
    #[must_use]
    pub fn boot(&self) -> RawSum {
        self.boot
    }

    /// What was read: on an image file the read-back is advisory.
    #[must_use]
    pub fn medium(&self) -> Medium {
        self.medium
    }
}

/// What is wrong, and where: of several findings the first one on the disk is told.
#[derive(Default)]
struct Findings {
    first: Option<(u64, Error)>,
}

impl Findings {
    fn add(&mut self, error: Error) {
        let offset = match error {
            Error::Differs { offset, .. } | Error::ReadBack { offset, .. } => offset,
            _ => 0,
        };
        if self.first.as_ref().is_none_or(|(known, _)| offset < *known) {
            self.first = Some((offset, error));
        }
    }
}

/// Compares an image with what it must be, on all threads.
fn compare(written: &Written, crew: Crew<'_>) -> Result<(), Error> {
    let (len, piece_len) = (written.truth.len(), piece_len(written));
    let meter = Mutex::new(meter(written, crew));
    let findings = Mutex::new(Findings::default());
    // Pieces are handed out in order, so when something is found, all pieces before it are at least under way.
    let feed = async |queue: Queue<u64>| {
        for at in (0..len).step_by(piece_len) {
            if lock(&findings).first.is_some() {
                break;
            }
            queue.put(at).await;
        }
        Ok(())
    };
    crew.work(
        feed,
        || Buffer::new(piece_len),
        |buffer, at| {
            match compare_piece(written, at, buffer) {
                Ok(piece) => lock(&meter).add(piece.len() as u64),
                Err(error) => lock(&findings).add(error),
            }
            Ok(())
        },
    )?;
    if let Some((_, error)) = findings.into_inner().unwrap_or_else(PoisonError::into_inner).first {
        return Err(error);
    }
    meter.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    Ok(())
}

/// Compares an image with what it must be, and says what it is as a whole.
fn compare_in_order(written: &Written, crew: Crew<'_>) -> Result<RawSum, Error> {
    let (len, piece_len) = (written.truth.len(), piece_len(written));
    let mut meter = meter(written, crew);
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut buffer = Buffer::new(piece_len);
    for at in (0..len).step_by(piece_len) {
        crew.waiter.check()?;
        let piece = compare_piece(written, at, &mut buffer)?;
        sum.update(piece);
        meter.add(piece.len() as u64);
    }
    meter.finish();
    Ok(RawSum { len, sha256: sum.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes") })
}

fn meter<'a>(written: &Written, crew: Crew<'a>) -> Meter<'a> {
    crew.events.meter(Phase::ReadBack, written.target.image.as_str(), Some(written.truth.len()))
}

/// Whole units, about as much as is read at once elsewhere.
fn piece_len(written: &Written) -> usize {
    let unit_len = written.truth.unit_len();
    (PIECE / unit_len).max(1) * unit_len
}

/// Reads the piece at `at` back and compares its units; or says where it is wrong, and how.
fn compare_piece<'a>(written: &Written, at: u64, buffer: &'a mut Buffer) -> Result<&'a [u8], Error> {
    let Written { target, truth, .. } = written;
    let count = usize::try_from(truth.len() - at).unwrap_or(usize::MAX).min(buffer.len());
    let piece = &mut buffer[..count];
    let (image, device) = (target.image, target.device.clone());
    if let Err(source) = target.disk.read_back_at(at, piece) {
        return Err(Error::ReadBack { image, device, offset: at, source });
    }
    let unit_len = truth.unit_len();
    let first = usize::try_from(at).unwrap_or(usize::MAX) / unit_len;
    match (first..).zip(piece.chunks(unit_len)).find(|(index, unit)| !truth.accepts(*index, unit)) {
        None => Ok(piece),
        Some((index, _)) => Err(Error::Differs { image, device, offset: index as u64 * unit_len as u64 }),
    }
}
