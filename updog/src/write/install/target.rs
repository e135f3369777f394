//! A partition that takes an image, and what was done to it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use host_io::Disk;
use signpost::Role;

use super::error::Error;
use super::sum::RawSum;
use super::truth::Truth;

/// A partition that takes one image. Clones are the same partition.
#[derive(Clone)]
pub struct Target {
    /// Which image it takes.
    pub image: Role,
    /// The partition.
    pub disk: Arc<dyn Disk>,
    /// Its name for people.
    pub device: String,
    /// Where what is written to it is counted, whatever comes of it.
    pub count: WriteCount,
}

/// Bytes that a run has written to the set. Clones are the same count.
#[derive(Debug, Clone, Default)]
pub struct WriteCount(Arc<AtomicU64>);

impl WriteCount {
    /// How many there were so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened to the bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Written, copied ones included.
    pub written: u64,
    /// Copied from the running set.
    pub copied: u64,
    /// Left alone.
    pub skipped: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.copied += other.copied;
        self.skipped += other.skipped;
    }
}

/// An image all of whose bytes are signed, directly or by what they were compared with, and were handed to the device.
/// They are not durable yet.
pub(super) struct Written {
    pub(super) target: Target,
    pub(super) truth: Truth,
    pub(super) tally: Tally,
}

/// The boot image in its partition, not durable yet.
pub struct BootWritten(pub(super) Written);
/// The root image, likewise; each block was compared with its leaf before.
pub struct RootWritten(pub(super) Written);
/// The hash image, likewise.
pub struct HashWritten(pub(super) Written);

impl Written {
    fn add_earlier(&mut self, earlier: Tally) {
        self.tally.written += earlier.written;
        self.tally.copied += earlier.copied;
        self.tally.skipped = self.tally.skipped.saturating_sub(earlier.written);
    }
}

impl BootWritten {
    /// The same, after some of the image was written in another way.
    #[must_use]
    pub fn after(mut self, earlier: Tally) -> Self {
        self.0.add_earlier(earlier);
        self
    }

    /// What happened to its bytes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.0.tally
    }
}

impl BootWritten {
    /// What the whole image is, where its stream has told; else the read-back will.
    #[must_use]
    pub fn sum(&self) -> Option<RawSum> {
        match &self.0.truth {
            Truth::Noted { sum, .. } => Some(*sum),
            _ => None,
        }
    }
}

impl RootWritten {
    /// The same, after some of the image was written in another way.
    #[must_use]
    pub fn after(mut self, earlier: Tally) -> Self {
        self.0.add_earlier(earlier);
        self
    }

    /// What happened to its bytes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.0.tally
    }
}

impl HashWritten {
    /// What happened to its bytes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.0.tally
    }
}

impl Target {
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.disk.write_at(offset, bytes).map_err(|source| Error::Write {
            image: self.image,
            device: self.device.clone(),
            offset,
            source,
        })?;
        self.count.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), Error> {
        self.disk.sync().map_err(|source| Error::Sync {
            image: self.image,
            device: self.device.clone(),
            source,
        })
    }

    /// Refuses an image that would reach beyond the partition. `need` is its size where that is signed.
    pub(super) fn check_end(&self, end: u64, need: Option<u64>) -> Result<(), Error> {
        let have = self.disk.len();
        if end > have { Err(Error::NoFit { image: self.image, need, have }) } else { Ok(()) }
    }

    /// Writes the units of `piece` for which `wanted` holds, neighbours together. The piece begins at byte `at` of the
    /// image, a whole number of units. Says how many bytes were written.
    pub(super) fn write_units(
        &self,
        at: u64,
        piece: &[u8],
        unit_len: usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<u64, Error> {
        let mut written = 0;
        for run in runs(piece.len().div_ceil(unit_len), wanted) {
            let bytes = run.start * unit_len..(run.end * unit_len).min(piece.len());
            self.write(at + bytes.start as u64, &piece[bytes.clone()])?;
            written += bytes.len() as u64;
        }
        Ok(written)
    }
}

/// The runs of units, out of so many, for which `wanted` holds.
fn runs(units: usize, wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = (next..units).find(|unit| wanted(*unit))?;
        next = (start..units).find(|unit| !wanted(*unit)).unwrap_or(units);
        Some(start..next)
    })
}
