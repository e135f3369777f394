//! Going through a recording from its beginning to its end, and making disks of its points on the way.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::medium::SECTOR;
use super::point::{Kept, Point, Stretch, stretches};
use super::raw::{Raw, Undo};
use crate::bench::tools::{command, said};
use crate::crash::dice::Dice;
use crate::vm::recording::{Act, Recording};
use crate::vm::writes::{Record, Step};

/// A recording with what was written in it.
pub(super) struct Replay<'a> {
    pub(super) recording: &'a Recording,
    pub(super) records: Vec<Record>,
    /// Both ends of the disk as they were at the beginning of everything.
    tables: Arc<[(u64, Vec<u8>); 2]>,
    /// The size of the disk in bytes.
    pub(super) disk_len: u64,
}

/// A disk that goes through a cycle.
pub(super) struct Tape<'a> {
    record: &'a Record,
    /// So many steps are on the disk for good.
    at: usize,
    pub(super) raw: Raw,
}

impl<'a> Replay<'a> {
    /// Reads what was recorded. A record that lacks something of what its machine did is refused.
    pub(super) fn of(recording: &'a Recording) -> Result<Self, Box<dyn Error>> {
        let mut records = Vec::new();
        for cycle in &recording.cycles {
            let path = recording.file(&cycle.record);
            let record = Record::open(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
            if !record.complete {
                return Err(format!("read {}: it has less than it counts", path.display()).into());
            }
            records.push(record);
        }
        let first = recording.cycles.first().ok_or("find a power cycle in the recording")?;
        let raw = Raw::read(&recording.file(&first.base), None)?;
        Ok(Self { recording, records, tables: Arc::clone(raw.tables()), disk_len: raw.len })
    }

    /// The acts of a cycle, with their numbers.
    pub(super) fn acts(&self, cycle: usize) -> Vec<(usize, &'a Act)> {
        self.recording.acts.iter().enumerate().filter(|(_, act)| act.cycle == cycle).collect()
    }

    /// All stretches of all cycles.
    pub(super) fn stretches(&self, dice: &mut Dice) -> Vec<Stretch> {
        let of = |(cycle, record): (usize, &Record)| stretches(&self.acts(cycle), record, dice);
        self.records.iter().enumerate().flat_map(of).collect()
    }

    /// The beginning of a cycle.
    pub(super) fn tape(&self, cycle: usize) -> Result<Tape<'_>, Box<dyn Error>> {
        let raw = self.raw(&self.recording.cycles[cycle].base)?;
        Ok(Tape { record: &self.records[cycle], at: 0, raw })
    }

    /// The beginning of the cycle that a point is in.
    pub(super) fn tape_of(&self, point: &Point) -> Result<Tape<'_>, Box<dyn Error>> {
        let cycle = self.cycle_of(point)?;
        self.tape(cycle)
    }

    /// The cycle that a point is in.
    fn cycle_of(&self, point: &Point) -> Result<usize, String> {
        let act = self.recording.acts.get(point.act);
        let is_there =
            |cycle: &usize| point.durable <= point.cut && point.cut <= self.records[*cycle].steps.len();
        let cycle = act.map(|act| act.cycle).filter(is_there);
        cycle.ok_or_else(|| format!("find the point {point} in this recording"))
    }

    /// The first point of the recording at which half of a superblock is kept: no kernel mounts what has it.
    pub(super) fn torn_superblock(&self, stretches: &[Stretch]) -> Result<Option<Point>, Box<dyn Error>> {
        let mut tape: Option<(usize, Tape<'_>)> = None;
        for stretch in stretches {
            let cycle = self.recording.acts[stretch.act].cycle;
            if tape.as_ref().is_none_or(|(of, _)| *of != cycle) {
                tape = Some((cycle, self.tape(cycle)?));
            }
            let tape = &mut tape.as_mut().expect("it was just made").1;
            let count = stretch.candidates.first().map_or(0, Vec::len);
            for torn in 0..count {
                let mut shown = Vec::new();
                for kept in [Kept::Lost, Kept::Whole, Kept::Torn] {
                    let mut all = vec![Kept::Whole; count];
                    all[torn] = kept;
                    let undo = tape.show(&stretch.point(&all))?;
                    shown.push((tape.raw.superblock().to_vec(), all));
                    tape.raw.put_back(undo)?;
                }
                let [(lost, _), (whole, _), (half, kept)] = &shown[..] else { continue };
                if half != lost && half != whole {
                    return Ok(Some(stretch.point(kept)));
                }
            }
        }
        Ok(None)
    }

    /// The whole disk of a point, as a file below `dir`.
    pub(super) fn disk_of(&self, point: &Point, dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let disk = dir.join("point.img");
        let base = &self.recording.cycles[self.cycle_of(point)?].base;
        said(command("cp").arg("--sparse=always").arg(self.recording.file(base)).arg(&disk))?;
        let mut tape = self.tape_of(point)?;
        tape.show(point)?;
        tape.raw.write_to(&disk)?;
        Ok(disk)
    }

    /// Goes through every cycle, and holds what was recorded against what was there in the end.
    pub(super) fn accounts_for_everything(&self) -> Result<(), Box<dyn Error>> {
        for (cycle, told) in self.recording.cycles.iter().enumerate() {
            let mut tape = self.tape(cycle)?;
            tape.wind(tape.record.steps.len())?;
            tape.raw.agrees(&self.raw(&told.after)?)?;
        }
        Ok(())
    }

    fn raw(&self, disk: &Path) -> std::io::Result<Raw> {
        Raw::read(&self.recording.file(disk), Some(&self.tables))
    }
}

impl Tape<'_> {
    /// Lets everything up to a step be on the disk.
    pub(super) fn wind(&mut self, to: usize) -> Result<(), Box<dyn Error>> {
        if to < self.at {
            return Err(format!("wind from step {} back to step {to}", self.at).into());
        }
        for step in &self.record.steps[self.at..to] {
            if let Step::Write { at, from, len, .. } = *step {
                self.raw.write(at, &self.record.bytes(from, len)?, None)?;
            }
        }
        self.at = to;
        Ok(())
    }

    /// Makes the disk what it is at a point. [`Raw::put_back`] takes that back.
    pub(super) fn show(&mut self, point: &Point) -> Result<Undo, Box<dyn Error>> {
        self.wind(point.durable)?;
        let mut undo = Undo::default();
        let steps = super::point::writes(self.record, point.durable, point.cut);
        let steps: Vec<Step> = steps.collect();
        if steps.len() != point.kept.len() {
            return Err(format!("make {point}: {} writes are under way there", steps.len()).into());
        }
        for (place, (step, kept)) in (0..).zip(steps.into_iter().zip(&point.kept)) {
            let Step::Write { at, from, len, .. } = step else { continue };
            if *kept == Kept::Lost {
                continue;
            }
            let bytes = self.record.bytes(from, len)?;
            match kept {
                Kept::Torn => {
                    // What is kept is the same each time that the point is made.
                    let mut dice = Dice::new((point.cut as u64) << 20 | place);
                    for (number, bytes) in (0..).zip(bytes.chunks(SECTOR)) {
                        if dice.below(2) == 0 {
                            self.raw.write(at + number * SECTOR as u64, bytes, Some(&mut undo))?;
                        }
                    }
                }
                Kept::Lost | Kept::Whole => self.raw.write(at, &bytes, Some(&mut undo))?,
            }
        }
        Ok(undo)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt as _;

    use testdata::disk::layout::types;
    use testdata::{DiskImage, Layout, Set};

    use super::*;
    use crate::vm::recording::Cycle;

    /// A record by hand, in which `None` is a flush.
    fn record(path: &Path, steps: &[Option<(u64, Vec<u8>)>]) {
        let sector = |words: [u64; 3]| {
            let mut bytes = vec![0; 512];
            for (place, word) in words.into_iter().enumerate() {
                bytes[place * 8..][..8].copy_from_slice(&word.to_le_bytes());
            }
            bytes
        };
        let mut bytes = sector([0x006a_7366_7773_6872, 1, steps.len() as u64]);
        for step in steps {
            match step {
                None => bytes.extend(sector([0, 0, 1])),
                Some((at, written)) => {
                    bytes.extend(sector([at / 512, written.len() as u64 / 512, 0]));
                    bytes.extend(written);
                }
            }
        }
        fs::write(path, bytes).unwrap();
    }

    /// A disk on which set A was written over, flushed, and then the persistent partition with two writes.
    fn recorded(dir: &Path) -> (Recording, u64) {
        let base = DiskImage::create(&dir.join("base"), &Layout::default(), "seed").unwrap();
        let root = base.partition(&Set::A.label("ROOT")).start;
        let partitions = base.partitions().into_iter();
        let data = partitions.filter(|one| one.type_guid == types::DATA).map(|one| one.start).sum();
        let steps = [
            Some((root, vec![1; 1024])),
            None,
            Some((data, vec![2; 4096])),
            Some((data + 4096, vec![3; 64 * 512])),
        ];
        record(&dir.join("record"), &steps);
        fs::copy(base.path(), dir.join("after")).unwrap();
        let after = fs::File::options().write(true).open(dir.join("after")).unwrap();
        for (at, bytes) in steps.iter().flatten() {
            after.write_all_at(bytes, *at).unwrap();
        }
        let path = |name: &str| PathBuf::from(name);
        let cycle = Cycle { base: path("base"), record: path("record"), after: path("after") };
        let act = Act { name: "something is done".to_owned(), cycle: 0, from: 0, to: 4, wants_newest: true };
        (Recording { dir: dir.to_owned(), cycles: vec![cycle], acts: vec![act], releases: Vec::new() }, data)
    }

    #[test]
    fn what_is_lost_at_a_point_is_not_there_and_everything_before_the_flush_is() {
        let dir = tempfile::tempdir().unwrap();
        let (recording, _) = recorded(dir.path());
        let replay = Replay::of(&recording).unwrap();
        let mut tape = replay.tape(0).unwrap();
        let (empty, empty_data) = (tape.raw.key(), tape.raw.persistent_key());
        let mut shows = |kept: &str| {
            let point: Point = format!("0:2-4:{kept}").parse().unwrap();
            let undo = tape.show(&point).unwrap();
            let shown = (tape.raw.persistent()[0], tape.raw.persistent()[4096]);
            let keys = (tape.raw.key(), tape.raw.persistent_key());
            let threes = tape.raw.persistent().chunks(512).filter(|sector| sector[0] == 3).count();
            tape.raw.put_back(undo).unwrap();
            (shown, keys, threes)
        };
        let [neither, one, other, both] = ["00", "10", "01", "11"].map(&mut shows);
        assert_eq!([neither.0, one.0, other.0, both.0], [(0, 0), (2, 0), (0, 3), (2, 3)]);
        assert_eq!(neither.1.1, empty_data);
        assert_ne!(neither.1.0, empty, "the set was written before the flush");
        assert_eq!(neither, shows("00"), "what was shown is taken back");
        let torn = shows("0t");
        assert!((2..64).contains(&torn.2), "some sectors: {torn:?}");
        assert_eq!(torn, shows("0t"), "the same sectors each time");
        assert!(tape.show(&"0:2-4:1".parse().unwrap()).is_err(), "two writes are under way there");
    }

    #[test]
    fn a_superblock_of_which_a_part_is_kept_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (recording, _) = recorded(dir.path());
        let replay = Replay::of(&recording).unwrap();
        let stretches = replay.stretches(&mut Dice::new(1));
        let point = replay.torn_superblock(&stretches).unwrap().expect("one write goes over it");
        assert_eq!(point.to_string(), "0:2-4:t1");
        let mut tape = replay.tape_of(&point).unwrap();
        tape.show(&point).unwrap();
        let halves: Vec<u8> = tape.raw.superblock().chunks(512).map(|half| half[0]).collect();
        assert!(halves == [0, 2] || halves == [2, 0], "{halves:?}");
    }

    #[test]
    fn a_write_that_was_not_recorded_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (recording, data) = recorded(dir.path());
        Replay::of(&recording).unwrap().accounts_for_everything().unwrap();
        let after = fs::File::options().write(true).open(dir.path().join("after")).unwrap();
        after.write_all_at(b"other", data + 512).unwrap();
        let error = Replay::of(&recording).unwrap().accounts_for_everything().unwrap_err();
        assert!(error.to_string().contains(&format!("what is at {} of the disk", data + 512)), "{error}");
    }

    #[test]
    fn stretches_end_at_flushes_and_where_an_act_does() {
        let dir = tempfile::tempdir().unwrap();
        let (mut recording, _) = recorded(dir.path());
        recording.acts[0].to = 3;
        recording.acts.push(Act { from: 3, to: 4, ..recording.acts[0].clone() });
        let replay = Replay::of(&recording).unwrap();
        let of = |stretch: &Stretch| (stretch.act, stretch.durable, stretch.cut, stretch.candidates[0].len());
        let found: Vec<_> = replay.stretches(&mut Dice::new(1)).iter().map(of).collect();
        // What was under way when the first act ended may still be lost in the second one.
        assert_eq!(found, [(0, 0, 1, 1), (0, 2, 3, 1), (1, 2, 4, 2)]);
    }
}
