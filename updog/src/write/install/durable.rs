//! Sync, read back, compare: what turns written images into a set that may boot.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use host_io::{Buffer, Disk, Medium};
use ring::digest;

use super::PIECE;
use super::crew::{Crew, Queue, lock};
use super::error::Error;
use super::sum::RawSum;
use super::tail;
use super::target::{BootWritten, HashWritten, RootWritten, Tally, Written};
use crate::tell::events::Phase;

/// The three images of a set, made durable as far as the device tells.
pub struct Synced([Written; 3]);

/// The proof that a set may be marked valid: each of its three images was read back from the medium and is what was
/// written.
#[derive(Debug)]
pub struct ReadBack {
    tally: Tally,
    medium: Medium,
    boot: RawSum,
    _held: Held,
}

/// The partitions, still open: until the set is valid nobody else mounts them or writes to them.
struct Held([Arc<dyn Disk>; 3]);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} partitions", self.0.len())
    }
}

impl Synced {
    /// How often the medium is asked for one set.
    pub const SYNCS: u64 = 3;

    /// Makes what lies behind BOOT's image zero, and syncs the images of one set.
    ///
    /// # Errors
    /// When a device refuses; nothing of what it was given may then be relied on.
    pub fn new(
        boot: BootWritten,
        root: RootWritten,
        hash: HashWritten,
        crew: Crew<'_>,
    ) -> Result<Self, Error> {
        let mut images = [boot.0, root.0, hash.0];
        for Written { target, truth, tally } in &mut images {
            if tail::matters(target.image) {
                tally.written += tail::clear(target, truth.len())?;
            }
            let mut meter = crew.events.meter(Phase::Sync, target.image.as_str(), Some(truth.len()));
            target.sync()?;
            meter.add(truth.len());
            meter.finish();
        }
        Ok(Self(images))
    }

    /// What it took to write boot, root and hash.
    #[must_use]
    pub fn tallies(&self) -> [Tally; 3] {
        [0, 1, 2].map(|image: usize| self.0[image].tally)
    }

    /// Reads everything back from the medium and compares: root with the leaves of its tree, boot with the digests in
    /// its index or those that were taken when it was written, hash with memory; behind boot's image, all is zero. Skipped blocks are read like written
    /// ones.
    ///
    /// # Errors
    /// [`Error::Differs`] with the first place that is not right; [`Error::ReadBack`] when it cannot be read.
    pub fn read_back(self, crew: Crew<'_>) -> Result<ReadBack, Error> {
        let [boot, root, hash] = &self.0;
        // One after the other, as they lie on most disks: a scheduler that serves requests by their place would keep
        // those of another image waiting until they are half a second old.
        let sum = InOrder::default();
        compare(boot, crew, Some(&sum))?;
        for Written { target, truth, .. } in &self.0 {
            if tail::matters(target.image) {
                tail::compare(target, truth.len(), crew)?;
            }
        }
        compare(root, crew, None)?;
        compare(hash, crew, None)?;
        let sum = sum.finish();
        let mut tally = Tally::default();
        let mut medium = Medium::Device;
        for written in &self.0 {
            tally += written.tally;
            if written.target.disk.medium() == Medium::ImageFile {
                medium = Medium::ImageFile;
            }
        }
        let held = Held(self.0.map(|written| written.target.disk));
        Ok(ReadBack { tally, medium, boot: sum, _held: held })
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

/// A digest over pieces that are read side by side: each is taken in when all before it were.
struct InOrder {
    seen: Mutex<Seen>,
    next: Condvar,
}

struct Seen {
    /// Where the next piece begins; none where one before it is wrong.
    at: Option<u64>,
    digest: digest::Context,
}

impl Default for InOrder {
    fn default() -> Self {
        let seen = Seen { at: Some(0), digest: digest::Context::new(&digest::SHA256) };
        Self { seen: Mutex::new(seen), next: Condvar::new() }
    }
}

impl InOrder {
    fn turn(&self, at: u64) -> Turn<'_> {
        Turn { order: self, at }
    }

    fn finish(self) -> RawSum {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sha256 = seen.digest.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes");
        RawSum { len: seen.at.unwrap_or_default(), sha256 }
    }
}

/// The turn of one piece. Whoever drops it without one ends the wait of all pieces behind it.
struct Turn<'a> {
    order: &'a InOrder,
    at: u64,
}

impl Turn<'_> {
    fn take(&self, piece: &[u8]) {
        let mut seen = lock(&self.order.seen);
        while seen.at.is_some_and(|next| next != self.at) {
            seen = self.order.next.wait(seen).unwrap_or_else(PoisonError::into_inner);
        }
        if seen.at.is_some() {
            seen.digest.update(piece);
            seen.at = Some(self.at + piece.len() as u64);
            self.order.next.notify_all();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut seen = lock(&self.order.seen);
        if seen.at.is_some_and(|next| next <= self.at) {
            seen.at = None;
            self.order.next.notify_all();
        }
    }
}

/// Compares an image with what it must be, on all threads, and takes `sum` of it.
fn compare(written: &Written, crew: Crew<'_>, sum: Option<&InOrder>) -> Result<(), Error> {
    let (len, piece_len) = (written.truth.len(), piece_len(written));
    let image = written.target.image.as_str();
    let meter = Mutex::new(crew.events.meter(Phase::ReadBack, image, Some(len)));
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
            let turn = sum.map(|sum| sum.turn(at));
            match compare_piece(written, at, buffer) {
                Ok(piece) => {
                    lock(&meter).add(piece.len() as u64);
                    if let Some(turn) = turn {
                        turn.take(piece);
                    }
                }
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
