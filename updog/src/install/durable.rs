//! Sync, read back, compare: what turns written images into a set that may boot.

use std::sync::Mutex;

use host_io::{Buffer, Medium};

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::target::{BootWritten, HashWritten, RootWritten, Tally, Written};
use crate::events::Phase;

/// The three images of a set, made durable as far as the device tells.
pub struct Synced([Written; 3]);

/// The proof that a set may be marked valid: each of its three images was read back from the medium and is what was
/// written.
#[derive(Debug)]
pub struct ReadBack {
    tally: Tally,
    medium: Medium,
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
        let mut tally = Tally::default();
        let mut medium = Medium::Device;
        for written in &self.0 {
            compare(written, crew)?;
            tally += written.tally;
            if written.target.disk.medium() == Medium::ImageFile {
                medium = Medium::ImageFile;
            }
        }
        Ok(ReadBack { tally, medium })
    }
}

impl ReadBack {
    /// What it took to write it.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
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
    fn add(&mut self, offset: u64, error: Error) {
        if self.first.as_ref().is_none_or(|(known, _)| offset < *known) {
            self.first = Some((offset, error));
        }
    }
}

fn compare(written: &Written, crew: Crew<'_>) -> Result<(), Error> {
    let Written { target, truth, .. } = written;
    let (len, unit_len) = (truth.len(), truth.unit_len());
    let units_per_piece = (PIECE / unit_len).max(1);
    let piece_len = units_per_piece * unit_len;
    let meter = Mutex::new(crew.events.meter(Phase::ReadBack, target.image.as_str(), Some(len)));
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
            let count = usize::try_from(len - at).unwrap_or(piece_len).min(piece_len);
            let piece = &mut buffer[..count];
            let (image, device) = (target.image, target.device.clone());
            if let Err(source) = target.disk.read_back_at(at, piece) {
                lock(&findings).add(at, Error::ReadBack { image, device, offset: at, source });
                return Ok(());
            }
            let first = usize::try_from(at).unwrap_or(usize::MAX) / unit_len;
            for (index, unit) in (first..).zip(piece.chunks(unit_len)) {
                if !truth.accepts(index, unit) {
                    let offset = index as u64 * unit_len as u64;
                    lock(&findings).add(offset, Error::Differs { image, device, offset });
                    return Ok(());
                }
            }
            lock(&meter).add(count as u64);
            Ok(())
        },
    )?;
    if let Some((_, error)) = findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).first {
        return Err(error);
    }
    meter.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
    Ok(())
}
