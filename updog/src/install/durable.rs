//! Sync, read back, compare: what turns written images into a set that may boot.

use host_io::Medium;
use verity::BLOCK_SIZE;

use super::error::Error;
use super::stream::PIECE;
use super::write::{BootWritten, HashWritten, RootWritten, Tally, Written};
use crate::events::{Events, Phase};
use crate::wait::Waiter;

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
    /// Syncs the images of one set.
    ///
    /// # Errors
    /// When a device refuses; nothing of what it was given may then be relied on.
    pub fn new(
        boot: BootWritten,
        root: RootWritten,
        hash: HashWritten,
        events: &Events,
    ) -> Result<Self, Error> {
        let images = [boot.0, root.0, hash.0];
        for Written { target, expected, .. } in &images {
            let mut meter = events.meter(Phase::Sync, target.image.as_str(), Some(expected.len()));
            target.disk.sync().map_err(|source| Error::Sync {
                image: target.image,
                device: target.device.clone(),
                source,
            })?;
            meter.add(expected.len());
            meter.finish();
        }
        Ok(Self(images))
    }

    /// Reads everything back from the medium and compares: root with the leaves of its tree, boot and hash with the
    /// digests that were taken when they were written. Skipped blocks are read like written ones.
    ///
    /// # Errors
    /// [`Error::Differs`] with the first block that is not right; [`Error::ReadBack`] when it cannot be read.
    pub fn read_back(self, waiter: &Waiter, events: &Events) -> Result<ReadBack, Error> {
        let mut tally = Tally::default();
        let mut medium = Medium::Device;
        for written in &self.0 {
            compare(written, waiter, events)?;
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

fn compare(written: &Written, waiter: &Waiter, events: &Events) -> Result<(), Error> {
    let Written { target, expected, .. } = written;
    let len = expected.len();
    let mut meter = events.meter(Phase::ReadBack, target.image.as_str(), Some(len));
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < len {
        waiter.check()?;
        let count = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
        let piece = &mut piece[..count];
        target.disk.read_back_at(at, piece).map_err(|source| Error::ReadBack {
            image: target.image,
            device: target.device.clone(),
            offset: at,
            source,
        })?;
        let first = at / BLOCK_SIZE as u64;
        for (index, block) in (first..).zip(piece.chunks(BLOCK_SIZE)) {
            if !expected.accepts(index, block) {
                return Err(Error::Differs {
                    image: target.image,
                    device: target.device.clone(),
                    offset: index * BLOCK_SIZE as u64,
                });
            }
        }
        meter.add(count as u64);
        at += count as u64;
    }
    meter.finish();
    Ok(())
}
