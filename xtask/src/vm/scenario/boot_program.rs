//! The boot program is installed anew: the power goes, or the firmware has lost the way to it.

use crate::vm::dice::Dice;
use crate::vm::disk::ESPS;
use crate::vm::stage::Stage;
use crate::vm::stage::recipe::good;
use crate::vm::unmet::Unmet;
use crate::vm::writes::{Cut, Record};

const INSTALL: &str = "signpost install-bootpick --json /usr/lib/signpost/BOOTX64.EFI";
/// The name of the boot program that started the system.
const LOADER_INFO: &str = "tail -c +5 /sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f | \
     tr -d '\\000' | cut -d ' ' -f 1";
/// What the kernel's first part says once everything is in memory that a boot program brings.
const KERNEL_HAS_ALL: &str = "EFI stub: Loaded initrd";
/// What ours may take of the other's time, in percent. Most of it is the firmware's reading of kernel and initramfs, which
/// both need once: twice the time means that something is done twice.
const MOST_OF_THE_OTHER: u32 = 200;
/// What the firmware says of the entry that it starts: its name follows.
const STARTING: &str = "BdsDxe: starting Boot";

/// The power goes at any write while another build of the boot program is installed: each of the four places holds the
/// old one or the new one, and the machine starts.
pub(super) fn bootpick_update(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    let old = stage.boot_program()?.to_owned();
    let old = std::fs::read(old).map_err(|error| Unmet::new(format!("read the boot program: {error}")))?;
    let new = stage.boot_program_that_it_brings()?.ok_or_else(|| Unmet::new("the release brings one"))?;
    stage.factory(good("1.0.0"))?;
    let recorded = stage.record("install")?;
    stage.boots_into("1.0.0")?;
    let from = Record::len(&recorded.record);
    stage.guest(INSTALL)?;
    let to = Record::len(&recorded.record);
    stage.expect(to > from, "installing writes to the disk")?;
    stage.power_off()?;
    stage.stop_recording();
    let all_are = |programs: &[Vec<u8>], wanted: &[u8]| programs.iter().all(|program| program == wanted);
    stage.expect(all_are(&stage.boot_programs()?, &new), "the new one is in all four places")?;
    let record =
        Record::open(&recorded.record).map_err(|error| Unmet::new(format!("read the record: {error}")))?;
    let (rounds, seed) = stage.rounds();
    let mut dice = Dice::new(seed);
    for round in 1..=rounds {
        let steps = from + usize::try_from(dice.below((to - from) as u64)).expect("an index") + 1;
        let disk = stage.dir().join("cut.img");
        record
            .rebuild(&recorded.base, &disk, Cut { steps, pretended: None }, &mut dice)
            .map_err(|error| Unmet::new(format!("make the disk of a cut: {error}")))?;
        // Its firmware has no entries: it looks at one place of one partition after the other.
        stage.use_disk(disk)?;
        let programs = stage.boot_programs()?;
        let whole = programs.iter().all(|program| *program == old || *program == new);
        let renewed = programs.iter().filter(|program| **program == new).count();
        stage.expect(
            whole,
            &format!("round {round}: cut at write {steps} of {from} to {to}: {renewed} of 4 places have the new one, the others the old one"),
        )?;
        stage.boots_into("1.0.0")?;
        stage.guest(INSTALL)?;
        stage.power_off()?;
        stage.expect(all_are(&stage.boot_programs()?, &new), "installed again, it is in all four places")?;
        stage.judge_quietly()?;
        stage.count(match renewed {
            0 => "before the first place",
            1..4 => "between the places",
            _ => "after the last place",
        });
    }
    Ok(())
}

/// The firmware starts our entries once they are made, forgets them, and has them again; then the first of the partitions
/// that it starts from is gone.
pub(super) fn lost_boot_entries(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.boot_program()?;
    stage.factory(good("1.0.0"))?;
    let [first, second] = ESPS.map(|label| format!("signpost {}", stage.disk().partition(label).number));
    for forgotten in [false, true] {
        if forgotten {
            stage.firmware_forgets()?;
        }
        starts_by(stage, |entry| !entry.contains("signpost"), "finds the boot program by itself")?;
        stage.guest(INSTALL)?;
        stage.power_off()?;
        starts_by(stage, |entry| entry == first, "starts by the entry that was made")?;
        stage.power_off()?;
    }
    stage.lose_first_esp()?;
    starts_by(stage, |entry| entry == second, "starts by the entry of the other partition")?;
    stage.power_off()?;
    stage.judge()
}

/// Powers on: the set comes up, and the firmware's entry is the right one.
fn starts_by(stage: &mut Stage<'_>, right: impl Fn(&str) -> bool, what: &str) -> Result<(), Unmet> {
    stage.boots_into("1.0.0")?;
    let console = stage.machine()?.console();
    // It says so of each that it tries; the last one has started.
    let entry = console.lines().rev().find_map(|line| line.split_once(STARTING)?.1.split('"').nth(1));
    let entry = entry.ok_or_else(|| Unmet::new("the firmware says what it starts"))?;
    stage.expect(right(entry), &format!("the firmware {what}: {entry:?}"))
}

/// How long our boot program has the machine, and how long systemd's has it that starts the same system: from when the
/// firmware says that it starts it to when the kernel's first part says that it has its initramfs.
pub(super) fn loader_time(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.boot_program()?;
    stage.factory(good("1.0.0"))?;
    let ours = usual_time(stage, "bootpick", "bootpick, µs")?;
    stage.systemd_boot()?;
    let other = usual_time(stage, "systemd-boot", "systemd-boot, µs")?;
    let percent = ours * 100 / other.max(1);
    stage.figure("bootpick of systemd-boot, %", percent);
    stage.expect(
        percent < MOST_OF_THE_OTHER,
        &format!("ours takes {percent} % of the other's time, and pays for the start"),
    )
}

/// The median over some starts, by a clock outside of the machine: systemd's boot program does not trust the machine's own
/// under an emulator, and tells no time.
fn usual_time(stage: &mut Stage<'_>, loader: &str, figure: &'static str) -> Result<u32, Unmet> {
    let (rounds, _) = stage.rounds();
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        stage.power_on()?;
        let took = stage.machine()?.time_between(STARTING, KERNEL_HAS_ALL)?;
        stage.shows("guest: 1.0.0 is marked good")?;
        let who = stage.guest(LOADER_INFO)?;
        stage.power_off()?;
        stage.expect(who.trim() == loader, &format!("{loader} has started it"))?;
        times.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }
    times.sort_unstable();
    let usual = times[times.len() / 2];
    stage.say(&format!("{loader} has the machine for {} ms, the median of {times:?} µs", usual / 1000));
    stage.figure(figure, usual);
    Ok(usual)
}
