//! Every write that a machine made to its disk, in order, and the disks that a power cut could have left.
//!
//! QEMU's `blklogwrites` records them in the format of Linux's dm-log-writes: a superblock, then for each write one sector
//! that describes it, and its data. What a guest was told to be on the medium is what came before its last flush; of
//! what came later, a disk may have kept anything, in any order. The record is in the order in which things ended: what
//! was under way while a flush was made and ended first counts as flushed, which a disk need not have done.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::dice::Dice;
use crate::bench::tools::{command, said};

/// Bytes in a sector of the record.
const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One thing that the guest did to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes were written.
    Write {
        /// Where they go on the disk.
        at: u64,
        /// Where they lie in the record.
        from: u64,
        /// How many.
        len: u64,
        /// Whether they were on the medium when it was answered for, whatever is flushed.
        durable: bool,
    },
    /// All that was written before is on the medium.
    Flush,
    /// Nobody needs what lies there any more.
    Discard,
}

/// The record of one power cycle.
pub(crate) struct Record {
    file: File,
    pub(crate) steps: Vec<Step>,
    /// Whether there is everything that its superblock counts.
    pub(crate) complete: bool,
}

/// How a cut is made of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// How many steps had begun.
    pub(super) steps: usize,
    /// A flush that the disk only pretended to make, by its place: all that came after the one before it is lost.
    pub(super) pretended: Option<usize>,
}

impl Record {
    /// Reads a record as far as it goes: its machine may have lost its power.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut sector = [0; 512];
        file.read_exact(&mut sector)?;
        if word(&sector, 0) != MAGIC {
            return Err(io::Error::other("it is no record of writes"));
        }
        let counted = word(&sector, 2);
        let (mut steps, mut read) = (Vec::new(), 0);
        let mut at = SECTOR;
        while read < counted && at + SECTOR <= end {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut sector)?;
            at += SECTOR;
            let [place, count, flags] = [0, 1, 2].map(|index| word(&sector, index));
            let len = count * SECTOR;
            if count == 0 && flags == 0 {
                break;
            }
            if flags & FLUSH != 0 {
                steps.push(Step::Flush);
            }
            if flags & DISCARD != 0 {
                steps.push(Step::Discard);
            } else if count > 0 {
                if at + len > end {
                    break;
                }
                let durable = flags & FUA != 0;
                steps.push(Step::Write { at: place * SECTOR, from: at, len, durable });
                at += len;
            }
            read += 1;
        }
        Ok(Self { file, steps, complete: read == counted })
    }

    /// How many steps a record has so far.
    pub(crate) fn len(path: &Path) -> usize {
        Self::open(path).map_or(0, |record| record.steps.len())
    }

    /// The bytes of a write.
    pub(crate) fn bytes(&self, from: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).expect("a write fits into memory")];
        self.file.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }

    /// The last flush before a place.
    pub(crate) fn last_flush(&self, before: usize) -> Option<usize> {
        self.steps[..before].iter().rposition(|step| *step == Step::Flush)
    }

    /// Makes `disk` what a cut could have left of `base`: all up to the last flush that was one, and of the writes after
    /// it some, in some order, some of them in part.
    pub(super) fn rebuild(&self, base: &Path, disk: &Path, cut: Cut, dice: &mut Dice) -> io::Result<()> {
        said(command("cp").arg("--sparse=always").arg(base).arg(disk))
            .map_err(|error| io::Error::other(error.to_string()))?;
        let file = fs::OpenOptions::new().write(true).open(disk)?;
        let durable = match cut.pretended {
            Some(flush) => self.last_flush(flush),
            None => self.last_flush(cut.steps),
        };
        let durable = durable.map_or(0, |at| at + 1);
        for &step in &self.steps[..durable] {
            self.write(&file, step, |_| true)?;
        }
        if cut.pretended.is_some() {
            return file.sync_all();
        }
        let mut later: Vec<Step> = self.steps[durable..cut.steps].to_vec();
        later.retain(|step| match step {
            Step::Write { durable, .. } => *durable || dice.below(2) == 0,
            Step::Flush | Step::Discard => false,
        });
        for index in (1..later.len()).rev() {
            let other = usize::try_from(dice.below(index as u64 + 1)).expect("an index");
            later.swap(index, other);
        }
        for step in later {
            let in_part = !matches!(step, Step::Write { durable: true, .. }) && dice.below(4) == 0;
            self.write(&file, step, |_| !in_part || dice.below(2) == 0)?;
        }
        file.sync_all()
    }

    /// Does a write again, sector by sector where `kept` says so.
    fn write(&self, disk: &File, step: Step, mut kept: impl FnMut(u64) -> bool) -> io::Result<()> {
        let Step::Write { at, from, len, .. } = step else { return Ok(()) };
        let bytes = self.bytes(from, len)?;
        let sectors: Vec<bool> = (0..len / SECTOR).map(&mut kept).collect();
        if sectors.iter().all(|kept| *kept) {
            return disk.write_all_at(&bytes, at);
        }
        for (index, _) in (0u64..).zip(&sectors).filter(|(_, kept)| **kept) {
            let start = usize::try_from(index * SECTOR).expect("within a write");
            disk.write_all_at(&bytes[start..start + 512], at + index * SECTOR)?;
        }
        Ok(())
    }
}

fn word(sector: &[u8], index: usize) -> u64 {
    let bytes = sector[index * 8..index * 8 + 8].try_into().expect("eight bytes");
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of these writes, each one sector of its number, with 0 for a flush.
    fn record(dir: &Path, writes: &[u8]) -> Record {
        let path = dir.join("record");
        let mut bytes = vec![0; 512];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[16..24].copy_from_slice(&(writes.len() as u64).to_le_bytes());
        for &number in writes {
            let mut head = vec![0; 512];
            if number == 0 {
                head[16] = 1;
            } else {
                head[..8].copy_from_slice(&u64::from(number).to_le_bytes());
                head[8] = 1;
            }
            bytes.extend(head);
            if number > 0 {
                bytes.extend([number; 512]);
            }
        }
        fs::write(&path, bytes).unwrap();
        fs::write(dir.join("base"), vec![0xff; 16 * 512]).unwrap();
        Record::open(&path).unwrap()
    }

    fn left(dir: &Path, record: &Record, cut: Cut, seed: u64) -> Vec<u8> {
        let disk = dir.join("disk");
        record.rebuild(&dir.join("base"), &disk, cut, &mut Dice::new(seed)).unwrap();
        let bytes = fs::read(disk).unwrap();
        (0..16).filter(|&sector| bytes[sector * 512] != 0xff).map(|sector| bytes[sector * 512]).collect()
    }

    #[test]
    fn what_was_flushed_stays_and_the_rest_is_anybodys_guess() {
        let dir = tempfile::tempdir().unwrap();
        let record = record(dir.path(), &[1, 2, 0, 3, 4, 5]);
        assert_eq!(record.steps.len(), 6);
        let outcomes: std::collections::BTreeSet<Vec<u8>> =
            (0..60).map(|seed| left(dir.path(), &record, Cut { steps: 6, pretended: None }, seed)).collect();
        assert!(outcomes.iter().all(|left| left.starts_with(&[1, 2])), "{outcomes:?}");
        assert_eq!(outcomes.len(), 8, "each subset of three: {outcomes:?}");
        // Steps after the cut never happened.
        assert_eq!(left(dir.path(), &record, Cut { steps: 3, pretended: None }, 1), [1, 2]);
    }

    #[test]
    fn a_flush_that_was_only_pretended_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let record = record(dir.path(), &[1, 0, 2, 0]);
        let cut = Cut { steps: 4, pretended: Some(3) };
        assert_eq!(left(dir.path(), &record, cut, 1), [1]);
        assert_eq!(left(dir.path(), &record, Cut { steps: 4, pretended: None }, 1), [1, 2]);
    }

    #[test]
    fn a_record_that_ends_in_the_middle_of_a_write_is_read_up_to_there() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), &[1, 0, 2]);
        let path = dir.path().join("record");
        let bytes = fs::read(&path).unwrap();
        assert!(Record::open(&path).unwrap().complete);
        fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
        let record = Record::open(&path).unwrap();
        assert_eq!((record.steps.len(), record.complete), (2, false));
    }

    #[test]
    fn what_the_superblock_does_not_count_yet_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), &[1, 0, 2]);
        let path = dir.path().join("record");
        let mut bytes = fs::read(&path).unwrap();
        bytes[16] = 2;
        fs::write(&path, bytes).unwrap();
        let record = Record::open(&path).unwrap();
        assert_eq!((record.steps.len(), record.complete), (2, true));
        assert_eq!(record.steps[1], Step::Flush);
    }

    #[test]
    fn a_write_that_is_durable_by_itself_is_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), &[1, 2]);
        let path = dir.path().join("record");
        let mut bytes = fs::read(&path).unwrap();
        bytes[512 + 16] = 2;
        fs::write(&path, bytes).unwrap();
        let record = Record::open(&path).unwrap();
        let outcomes: std::collections::BTreeSet<Vec<u8>> =
            (0..60).map(|seed| left(dir.path(), &record, Cut { steps: 2, pretended: None }, seed)).collect();
        assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
    }
}
