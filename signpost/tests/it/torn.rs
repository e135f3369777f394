//! Power cuts and kills at every point of every command: some copy is whole, and it says either the old or the new.

use std::collections::BTreeSet;
use std::path::PathBuf;

use host_io::{Disk, Paths};
use signpost::create::Blueprint;
use signpost::create::laid::{FirstBoot, Laid};
use signpost::discover::Choice;
use signpost::layout::Layout;
use signpost::sectors::DiskSectors;
use signpost::table::{Copies, Entries, Sectors, Which, lay_down};
use signpost::transition::{self, Refusal};
use signpost::{Attempts, BootBits, Command, OsDisk, SetName, State};

use crate::disks::{self, PROVEN};
use crate::model::{BootProgram, Search, state_of};
use crate::power::{Disk512, Op, SECTOR};

/// A factory disk that runs set A.
fn factory() -> State {
    state_of(SetName::A, PROVEN, BootBits::CLEAR, false)
}

/// The bits on a disk, while `active` is running. `None` when no copy is whole.
pub(crate) fn state(disk: &dyn Disk, active: SetName) -> Option<State> {
    let copies = Copies::read(&mut DiskSectors::on_medium(disk));
    let (table, _) = copies.current().ok()?;
    Layout::find(table).unwrap().state(table.entries(), active)
}

fn equal(disk: &dyn Disk) -> bool {
    Copies::read(&mut DiskSectors::on_medium(disk)).are_equal()
}

/// The product's view of a recorded disk. No host is there: nothing but the choice names the disk and the running set.
pub(crate) fn os_disk(active: SetName) -> OsDisk {
    let nowhere = Paths::under(env!("CARGO_TARGET_TMPDIR"));
    let choice = Choice { disk: Some(PathBuf::from("recorded")), active: Some(active) };
    OsDisk::discover_with(&nowhere, &choice).unwrap()
}

/// Runs a command by the product's code. `false` when it is refused, which must leave the disk alone.
fn run(disk: &Disk512, active: SetName, command: Command) -> bool {
    match os_disk(active).apply_to(disk, command) {
        Ok(_) => true,
        Err(signpost::Error::Refused { .. }) => {
            assert!(!disk.log().iter().any(|op| matches!(op, Op::Write(..))), "a refusal writes nothing");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// A disk in a state, with both copies whole and equal.
pub(crate) fn disk_in(state: &State) -> Disk512 {
    let image = disks::two_sets(512, state.a, state.b.unwrap());
    for (number, bits, attempts) in [(2, state.a, state.attempts_a), (5, state.b.unwrap(), state.attempts_b)]
    {
        if attempts != Attempts::NONE {
            image.set_attributes(number, attempts.patch(bits.patch(0)));
        }
    }
    if state.boot_has_ever_succeeded {
        image.set_attributes(8, 1 << 57);
    }
    Disk512::holding(&image)
}

/// What an enumeration came to.
#[derive(Debug, Default)]
struct Count {
    commands: usize,
    cuts: usize,
    without_whole_copy: usize,
    neither_old_nor_new: usize,
}

/// Every power cut in a command that starts on `start`.
fn cut_everywhere(start: &Disk512, state_before: State, command: Command, count: &mut Count) -> Vec<Disk512> {
    let Ok(after) = transition::apply(&state_before, command) else { return Vec::new() };
    let disk = start.killed_after(&[], 0);
    assert!(run(&disk, state_before.active, command), "{command:?} on {state_before:?}");
    assert!(equal(&disk));
    assert_eq!(state(&disk, state_before.active), Some(after));
    let log = disk.log();
    assert!(matches!(log.last(), Some(Op::Sync)), "what was done last is durable");
    count.commands += 1;
    let mut outcomes = Vec::new();
    for done in 0..=log.len() {
        for outcome in start.cut_after(&log, done) {
            count.cuts += 1;
            match state(&outcome, state_before.active) {
                None => count.without_whole_copy += 1,
                Some(found) if found != state_before && found != after => count.neither_old_nor_new += 1,
                Some(_) => outcomes.push(outcome),
            }
        }
    }
    outcomes
}

fn reachable() -> Vec<State> {
    Search::from_factory(transition::apply, &[], BootProgram::SpendsTries).running().collect()
}

#[test]
fn no_power_cut_leaves_a_disk_without_a_whole_copy() {
    let (mut once, mut again) = (Count::default(), Count::default());
    for before in reachable() {
        for command in Command::ALL {
            // What the first cut left is what the second command starts on: torn copies, and copies that differ.
            let mut seen = BTreeSet::new();
            for torn in cut_everywhere(&disk_in(&before), before, command, &mut once) {
                if equal(&torn) || !seen.insert(torn.durable()) {
                    continue;
                }
                let found = state(&torn, before.active).unwrap();
                for repair in [Command::RewriteTable, Command::MarkSuccessfulBoot, command] {
                    cut_everywhere(&torn, found, repair, &mut again);
                }
            }
        }
    }
    // A boot program that counts makes reaching the root a change at every boot.
    for before in reachable().into_iter().filter(|before| before.active_bits().successful) {
        let counted = before.with_active_attempts(Attempts::MOST);
        for command in [Command::ReachedRoot, Command::MarkSuccessfulBoot] {
            cut_everywhere(&disk_in(&counted), counted, command, &mut once);
        }
    }
    println!("cut once: {once:?}\ncut again on what that left: {again:?}");
    for count in [&once, &again] {
        assert_eq!((count.without_whole_copy, count.neither_old_nor_new), (0, 0));
        assert!(count.cuts > 1000);
    }
}

#[test]
fn no_kill_followed_by_another_command_and_a_power_cut_does_either() {
    let mut count = Count::default();
    for before in reachable() {
        for command in Command::ALL {
            let start = disk_in(&before);
            let disk = start.killed_after(&[], 0);
            if !run(&disk, before.active, command) {
                continue;
            }
            for done in 0..disk.log().len() {
                let left = start.killed_after(&disk.log(), done);
                let found = state(&left, before.active).unwrap();
                // Before the next command has synced, the cut may still lose what the killed one wrote.
                let Ok(after) = transition::apply(&found, Command::MarkSuccessfulBoot) else { continue };
                let next = left.killed_after(&[], 0);
                assert!(run(&next, before.active, Command::MarkSuccessfulBoot));
                count.commands += 1;
                for cut in 0..=next.log().len() {
                    for outcome in left.cut_after(&next.log(), cut) {
                        count.cuts += 1;
                        match state(&outcome, before.active) {
                            None => count.without_whole_copy += 1,
                            Some(state) if ![before, found, after].contains(&state) => {
                                count.neither_old_nor_new += 1;
                            }
                            Some(_) => {}
                        }
                    }
                }
            }
        }
    }
    println!("killed, then cut in the next command: {count:?}");
    assert_eq!((count.without_whole_copy, count.neither_old_nor_new), (0, 0));
    assert!(count.cuts > 1000);
}

/// A flip as four sectors: header and entries of each copy, old and new.
fn flip() -> (Disk512, Vec<Op>) {
    let start = disk_in(&factory());
    let disk = start.killed_after(&[], 0);
    assert!(run(&disk, SetName::A, Command::MarkInactiveValid));
    (start, disk.log())
}

fn bad_cuts(start: &Disk512, log: &[Op]) -> (usize, usize) {
    let outcomes = start.cut_after(log, log.len());
    let bad = outcomes.iter().filter(|outcome| state(*outcome, SetName::A).is_none()).count();
    (bad, outcomes.len())
}

#[test]
fn a_flip_is_one_sync_per_copy_after_one_that_settles() {
    let (_, log) = flip();
    let kinds: String = log.iter().map(|op| if matches!(op, Op::Sync) { 'S' } else { 'w' }).collect();
    assert_eq!(kinds, "SwwSwwS");
    // A command that changes nothing has nothing to write, and the first sync has made it durable.
    let start = disk_in(&factory());
    assert!(run(&start, SetName::A, Command::RewriteTable));
    assert!(matches!(start.log()[..], [Op::Sync]));
}

#[test]
fn the_order_with_a_single_sync_would_lose_the_table() {
    let (start, log) = flip();
    let writes: Vec<Op> = log.into_iter().filter(|op| matches!(op, Op::Write(..))).collect();
    let (bad, all) = bad_cuts(&start, &writes);
    println!("one sync at the end of both copies: {bad} of {all} outcomes without a whole copy");
    assert_eq!((bad, all), (4, 16));
}

#[test]
fn writing_the_backup_first_would_lose_the_table_when_the_primary_is_torn() {
    let (start, log) = flip();
    // Tear the primary: its entries are new, its header is old. The backup is the only whole copy.
    let primary_entries: Vec<Op> =
        log.iter().filter(|op| matches!(op, Op::Write(lba, _) if (2..34).contains(lba))).cloned().collect();
    let torn = start.killed_after(&primary_entries, primary_entries.len());
    torn.sync().unwrap();
    let copies = Copies::read(&mut DiskSectors::on_medium(&torn));
    assert_eq!(copies.current().unwrap().1, Which::Backup);
    let backup: Vec<Op> =
        log.iter().filter(|op| matches!(op, Op::Write(lba, _) if *lba >= 34)).cloned().collect();
    let (bad, all) = bad_cuts(&torn, &backup);
    println!("backup first although the primary is torn: {bad} of {all} outcomes without a whole copy");
    assert_eq!((bad, all), (2, 4));
}

#[test]
fn without_the_first_sync_a_killed_writer_would_lose_the_table() {
    let (start, log) = flip();
    // Killed before the last sync: the primary is changed, and not durable.
    let left = start.killed_after(&log, log.len() - 1);
    let next = left.killed_after(&[], 0);
    assert!(run(&next, SetName::A, Command::ClearInactive));
    let ops = next.log();
    let settled = ops.iter().take_while(|op| matches!(op, Op::Sync)).count();
    let first_copy: Vec<Op> =
        ops[settled..].iter().take_while(|op| matches!(op, Op::Write(..))).cloned().collect();
    let (bad, all) = bad_cuts(&left, &first_copy);
    println!("no sync before the first write, after a kill: {bad} of {all} outcomes without a whole copy");
    assert!(bad > 0);
    // With it, as the product does it:
    let (bad, _) = bad_cuts(&left, &ops[..settled + first_copy.len()]);
    assert_eq!(bad, 0);
}

#[test]
fn a_copy_that_was_wiped_is_rebuilt_without_touching_the_other_first() {
    for wiped in [1..34u64, 0..33] {
        let image = disks::factory();
        let sectors = image.bytes().len() as u64 / SECTOR as u64;
        let range = if wiped.start == 0 { sectors - 33..sectors } else { wiped };
        image.damage(|bytes| {
            let at = |lba: u64| usize::try_from(lba).unwrap() * SECTOR;
            bytes[at(range.start)..at(range.end)].fill(0xa5);
        });
        let start = Disk512::holding(&image);
        let disk = start.killed_after(&[], 0);
        assert!(run(&disk, SetName::A, Command::MarkSuccessfulBoot));
        let log = disk.log();
        let first_write = log.iter().find_map(|op| match op {
            Op::Write(lba, _) => Some(*lba),
            Op::Sync => None,
        });
        assert!(range.contains(&first_write.unwrap()), "the broken copy goes first");
        // 33 unsynced sectors have too many subsets; the whole copy is untouched until they are durable, which says
        // the same.
        let first_copy: Vec<u64> = log
            .iter()
            .skip_while(|op| matches!(op, Op::Sync))
            .map_while(|op| match op {
                Op::Write(lba, _) => Some(*lba),
                Op::Sync => None,
            })
            .collect();
        assert_eq!(first_copy.len(), 33);
        assert!(first_copy.iter().all(|lba| range.contains(lba)));
        assert!(equal(&disk));
    }
}

#[test]
fn a_backup_is_moved_to_the_end_of_a_grown_disk_without_a_gap() {
    let image = disks::factory();
    let old_end = image.bytes().len() as u64 / SECTOR as u64 - 1;
    let file = std::fs::OpenOptions::new().write(true).open(&image.path).unwrap();
    file.set_len(image.bytes().len() as u64 + disks::MIB).unwrap();
    let mut start = Disk512::holding(&image);
    start.keep(&image, old_end - 32..=old_end);
    let disk = start.killed_after(&[], 0);
    os_disk(SetName::A).relocate_on(&disk).unwrap();
    let copies = Copies::read(&mut DiskSectors::on_medium(&disk));
    assert!(copies.are_equal() && !copies.has_grown());
    let log = disk.log();
    let mut cuts = 0;
    for done in 0..=log.len() {
        for outcome in start.cut_after(&log, done) {
            cuts += 1;
            assert_eq!(state(&outcome, SetName::A), Some(factory()));
            let (primary, backup) = {
                let copies = Copies::read(&mut DiskSectors::on_medium(&outcome));
                (
                    copies.found(Which::Primary).table().is_some(),
                    copies.found(Which::Backup).table().is_some(),
                )
            };
            assert!(primary && backup, "the primary always names a whole backup");
        }
    }
    println!("moving the backup: {cuts} cuts, both copies whole after each");
    assert!(cuts > 20);
}

#[test]
fn a_new_layout_over_an_old_one_is_the_old_or_the_new_after_a_cut() {
    let disk = disk_in(&factory());
    let mut fresh = (1..).map(uuid::Uuid::from_u128);
    let blueprint = Blueprint::parse(crate::create::SMALL).unwrap();
    let geometry = DiskSectors::on_medium(&disk).geometry();
    // As much of the layout as the old disk has room for.
    let partitions = &blueprint.partitions[1..5];
    let laid = Laid::make(partitions, geometry, FirstBoot::SetA, &mut || Ok(fresh.next().unwrap())).unwrap();
    let (new, old) = (table(laid.ends().clone()).unwrap(), table(DiskSectors::on_medium(&disk)).unwrap());
    for broken in [None, Some(1u64)] {
        let start = disk.killed_after(&[], 0);
        if let Some(lba) = broken {
            start.write_at(lba * SECTOR as u64, &[0; SECTOR]).unwrap();
            start.sync().unwrap();
        }
        let start = start.cut_after(&[], 0).remove(0);
        let written = start.killed_after(&[], 0);
        let ends = laid.ends();
        lay_down::<_, String>(&mut DiskSectors::on_medium(&written), ends.start(), ends.end()).unwrap();
        assert_eq!(table(DiskSectors::on_medium(&written)), Some(new.clone()));
        let log = written.log();
        let mut found = [0, 0];
        for done in 0..=log.len() {
            for outcome in start.cut_after(&log, done) {
                match table(DiskSectors::on_medium(&outcome)) {
                    Some(table) if table == old => found[0] += 1,
                    Some(table) if table == new => found[1] += 1,
                    other => panic!("after {done} operations: {other:?}"),
                }
            }
        }
        println!(
            "a new layout, old primary broken: {}: {found:?} cuts leave the old, the new",
            broken.is_some()
        );
        assert!(found.iter().all(|&count| count > 1));
    }
}

/// The entries that count on a disk.
fn table<S: Sectors>(mut disk: S) -> Option<Entries> {
    Copies::read(&mut disk).current().ok().map(|(table, _)| table.entries().clone())
}

#[test]
fn a_refused_command_leaves_the_disk_alone() {
    let mut refused = 0;
    for before in reachable() {
        for command in Command::ALL {
            if let Err(refusal) = transition::apply(&before, command) {
                assert!(!run(&disk_in(&before), before.active, command), "{command:?} on {before:?}");
                assert_ne!(refusal, Refusal::NothingLeftToBoot { active: before.active }, "{before:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}
