//! What a boot program does to a disk before it starts a set: every choice against a rule written apart, what is read and
//! written, and power cuts at every point of it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;
use signpost::sectors::DiskSectors;
use signpost::start::{Candidate, Cost, Why, candidates, choose, cost, pay};
use signpost::table::{Copies, Geometry, Sectors, Which, settled};
use signpost::transition;
use signpost::{Attempts, BootBits, SetName, State};
use uuid::Uuid;

use crate::model::{BootProgram, Search, state_of};
use crate::power::{Disk512, Op};
use crate::torn::{disk_in, state};

fn candidate(number: u32, bits: BootBits, attempts: u64) -> Candidate {
    Candidate {
        number,
        set: None,
        guid: Uuid::from_u128(number.into()),
        first_lba: 0,
        last_lba: 0,
        bits,
        attempts: Attempts::from_attributes(attempts << 58),
    }
}

/// The rule in other words: all that may boot, the best first; a worn one comes after every proven one that is not.
fn expected(candidates: &[Candidate], aside: &[u32]) -> Option<u32> {
    let mut left: Vec<&Candidate> = candidates
        .iter()
        .filter(|one| !aside.contains(&one.number))
        .filter(|one| one.bits.priority > 0 && (one.bits.successful || one.bits.tries > 0))
        .collect();
    left.sort_by_key(|one| (std::cmp::Reverse(one.bits.priority), one.number));
    let first = left.first()?;
    let worn = |one: &Candidate| one.bits.successful && one.attempts.get() == 3;
    let chosen = if worn(first) {
        left.iter().find(|one| one.bits.successful && !worn(one)).unwrap_or(first)
    } else {
        first
    };
    Some(chosen.number)
}

fn some_bits() -> impl Strategy<Value = (BootBits, u64)> {
    (0u8..4, 0u8..3, any::<bool>(), 0u64..4).prop_map(|(priority, tries, successful, attempts)| {
        (BootBits { priority, tries, successful }, attempts)
    })
}

proptest! {
    #[test]
    fn the_choice_is_the_rules(
        bits in proptest::collection::vec(some_bits(), 0..4),
        aside in proptest::collection::vec(1u32..5, 0..4),
    ) {
        let candidates: Vec<Candidate> =
            bits.iter().zip(1..).map(|(&(bits, attempts), number)| candidate(number, bits, attempts)).collect();
        let chosen = choose(&candidates, &aside);
        prop_assert_eq!(chosen.map(|(index, _)| candidates[index].number), expected(&candidates, &aside));
        if let Some((index, why)) = chosen {
            let chosen = candidates[index];
            let before = |one: &&Candidate| {
                one.bits.priority > chosen.bits.priority
                    || one.bits.priority == chosen.bits.priority && one.number < chosen.number
            };
            let aside_before = candidates.iter().filter(before).any(|one| aside.contains(&one.number));
            let left_before = candidates.iter().filter(before).any(|one| {
                !aside.contains(&one.number) && one.bits.would_boot()
            });
            let expected = match (aside_before, left_before) {
                (true, _) => Why::Aside,
                (false, true) => Why::Attempts,
                (false, false) => Why::Priority,
            };
            prop_assert_eq!(why, expected);
        }
    }

    #[test]
    fn putting_aside_goes_through_everything_that_may_boot(bits in proptest::collection::vec(some_bits(), 0..4)) {
        let candidates: Vec<Candidate> =
            bits.iter().zip(1..).map(|(&(bits, attempts), number)| candidate(number, bits, attempts)).collect();
        let mut aside = Vec::new();
        while let Some((index, _)) = choose(&candidates, &aside) {
            prop_assert!(candidates[index].bits.would_boot());
            prop_assert!(!aside.contains(&candidates[index].number));
            aside.push(candidates[index].number);
        }
        prop_assert_eq!(aside.len(), candidates.iter().filter(|one| one.bits.would_boot()).count());
    }
}

/// What a start does to a disk: the choice is paid for. `None` when nothing boots.
fn start(disk: &mut impl Sectors<Error = std::io::Error>) -> Option<SetName> {
    let copies = settled(disk).unwrap();
    let candidates = candidates(copies.current().unwrap().0.entries());
    let (index, _) = choose(&candidates, &[])?;
    let after = pay::<_, Infallible>(disk, &copies, &candidates[index]).unwrap();
    assert_eq!(after, Copies::read(disk), "what is told of the disk afterwards is what it holds");
    assert!(after.are_equal());
    candidates[index].set
}

/// All states that a machine with a counting boot program may be switched off in.
fn reachable() -> Vec<State> {
    Search::from_factory(transition::apply, &[], BootProgram::Counts).running().collect()
}

#[test]
fn no_power_cut_while_a_start_is_paid_for_leaves_a_disk_without_a_whole_copy() {
    let (mut cuts, mut again) = (0, BTreeSet::new());
    for before in reachable() {
        let disk = disk_in(&before);
        let fresh = disk.killed_after(&[], 0);
        let Some(active) = start(&mut DiskSectors::on_medium(&disk)) else {
            panic!("nothing boots: {before:?}")
        };
        let allowed = [state(&fresh, active).unwrap(), state(&disk, active).unwrap()];
        let log = disk.log();
        for done in 0..=log.len() {
            for torn in fresh.cut_after(&log, done) {
                cuts += 1;
                let found = state(&torn, active).expect("one copy is whole");
                assert!(allowed.contains(&found), "{before:?} → {found:?}");
                if again.insert(torn.durable()) {
                    // The next start mends what this one left, and may be cut as well.
                    let begin = torn.killed_after(&[], 0);
                    start(&mut DiskSectors::on_medium(&torn)).unwrap();
                    let log = torn.log();
                    for done in 0..=log.len() {
                        for torn in begin.cut_after(&log, done) {
                            cuts += 1;
                            assert!(state(&torn, active).is_some());
                        }
                    }
                }
            }
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 1000);
}

/// Counts what is read.
struct Counted<'a> {
    disk: DiskSectors<'a>,
    reads: BTreeMap<u64, usize>,
}

impl Sectors for Counted<'_> {
    type Error = std::io::Error;

    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> std::io::Result<()> {
        for lba in lba..lba + buf.len() as u64 / 512 {
            *self.reads.entry(lba).or_default() += 1;
        }
        self.disk.read(lba, buf)
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.disk.write(lba, bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.disk.sync()
    }
}

fn counted(disk: &Disk512) -> (BTreeMap<u64, usize>, Vec<Op>) {
    let mut counted = Counted { disk: DiskSectors::on_medium(disk), reads: BTreeMap::new() };
    let copies = settled(&mut counted).unwrap();
    let candidates = candidates(copies.current().unwrap().0.entries());
    let (index, _) = choose(&candidates, &[]).unwrap();
    pay::<_, Infallible>(&mut counted, &copies, &candidates[index]).unwrap();
    (counted.reads, disk.log())
}

#[test]
fn a_start_reads_each_copy_once_and_flushes_once_for_each_that_it_writes() {
    let granted = BootBits { priority: 2, tries: 1, successful: false };
    let proven = BootBits { priority: 1, tries: 0, successful: true };
    for other in [granted, BootBits::CLEAR] {
        let disk = disk_in(&state_of(SetName::A, proven, other, false));
        let (reads, log) = counted(&disk);
        let written: BTreeSet<u64> =
            log.iter().filter_map(|op| if let Op::Write(lba, _) = op { Some(*lba) } else { None }).collect();
        assert_eq!(written.len(), 4, "a header and a sector of entries of each copy");
        for (lba, times) in reads {
            // What was written is looked at once more; nothing else is.
            assert_eq!(times, if written.contains(&lba) { 2 } else { 1 }, "sector {lba}");
        }
        // One before anything is judged, and one for each copy.
        assert_eq!(log.iter().filter(|op| matches!(op, Op::Sync)).count(), 3);
    }
}

#[test]
fn a_start_that_costs_nothing_writes_nothing() {
    let worn =
        state_of(SetName::A, BootBits { priority: 1, tries: 0, successful: true }, BootBits::CLEAR, true);
    let disk = disk_in(&worn.with_active_attempts(Attempts::MOST));
    let (reads, log) = counted(&disk);
    assert!(reads.values().all(|&times| times == 1));
    assert!(matches!(log[..], [Op::Sync]));
}

#[test]
fn a_start_mends_the_copy_that_is_broken_before_it_touches_the_other() {
    let proven = BootBits { priority: 1, tries: 0, successful: true };
    let whole = disk_in(&state_of(SetName::A, proven, BootBits::CLEAR, false));
    for (which, header) in
        [(Which::Primary, 1), (Which::Backup, Copies::read(&mut DiskSectors::on_medium(&whole)).backup_lba())]
    {
        let disk = whole.killed_after(&[], 0);
        DiskSectors::on_medium(&disk).write(header, &[0x5a; 512]).unwrap();
        DiskSectors::on_medium(&disk).sync().unwrap();
        let before = disk.log().len();
        assert_eq!(start(&mut DiskSectors::on_medium(&disk)), Some(SetName::A));
        let log = disk.log();
        let first =
            log[before..].iter().find_map(|op| if let Op::Write(lba, _) = op { Some(*lba) } else { None });
        assert_eq!(first.unwrap() < 40, which == Which::Primary, "the broken copy is written first");
    }
}

#[test]
fn what_a_start_costs_is_told_before_it_is_paid() {
    let proven = candidate(1, BootBits { priority: 1, tries: 1, successful: true }, 2);
    assert_eq!(cost(&proven), Cost::Attempt(Attempts::MOST));
    assert_eq!(cost(&Candidate { attempts: Attempts::MOST, ..proven }), Cost::Nothing);
    let granted = candidate(1, BootBits { priority: 1, tries: 3, successful: false }, 3);
    assert_eq!(cost(&granted), Cost::Try { left: 2 });
}
