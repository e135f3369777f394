//! What `cargo xtask doc-run boot` does after the page's commands: starts the disk that they made, waits until the machine
//! took the second release by itself, and offers it releases whose boots come to no end.

use std::error::Error;
use std::path::{Path, PathBuf};

use testdata::disk::layout::types;
use testdata::{BootBits, DiskImage, FaultyServer};

use super::firmware::Firmware;
use super::machine::{Ending, Machine, MachineSize, Parts};
use super::unmet::Unmet;
use super::{boot_program, needs, stands_still};
use crate::Outcome;

/// The places of set A and set B in the table.
const FIRST: usize = 0;
const SECOND: usize = 1;
/// The releases behind the second one, and what stands still in each. Both are written to set A.
const STANDING_STILL: [(&str, stands_still::Unit); 2] =
    [("1.2.0", stands_still::Unit::BeforeFileSystems), ("1.3.0", stands_still::Unit::Migrator)];

/// Sees that the page's commands have what they need.
pub(crate) fn prepare() -> Result<(), Box<dyn Error>> {
    needs::all_there()?;
    boot_program().map(drop)
}

/// Starts `disk.img` in `dir`, with the repository in `repo` and the releases' tree in `tree`.
pub(crate) fn walk(dir: &Path) -> Outcome {
    match Walk::begin(dir).and_then(|mut walk| walk.boots()) {
        Ok(()) => Ok(true),
        Err(unmet) => {
            println!("NOT SHOWN: {unmet}");
            Ok(false)
        }
    }
}

/// The machine, and how often it was started.
struct Walk<'a> {
    dir: &'a Path,
    disk: PathBuf,
    firmware: Firmware,
    server: FaultyServer,
    starts: usize,
}

impl<'a> Walk<'a> {
    fn begin(dir: &'a Path) -> Result<Self, Unmet> {
        let firmware =
            Firmware::uefi(dir, false).map_err(|error| Unmet::new(format!("make variables: {error}")))?;
        let server = FaultyServer::start(dir.join("repo"));
        Ok(Self { dir, disk: dir.join("disk.img"), firmware, server, starts: 0 })
    }

    fn start(&mut self) -> Result<Machine, Unmet> {
        self.starts += 1;
        Machine::start(&Parts {
            disk: &self.disk,
            firmware: &self.firmware,
            repository: self.server.address().port(),
            writes: None,
            number: self.starts,
            dir: self.dir,
            until: None,
            size: MachineSize::Distribution,
        })
    }

    fn boots(&mut self) -> Result<(), Unmet> {
        println!("The machine starts; under emulation that takes its minutes.");
        let mut first = self.start()?;
        first
            .sees("the first release is marked good", || ever_succeeded(&self.disk))
            .map_err(|unmet| told(unmet, &first))?;
        println!("✓ the first release is up, and marked good");
        self.takes("the second release", SECOND, &mut first)?;
        // Published before the second release looks for an update: it takes that at once.
        self.publish(STANDING_STILL[0])?;
        let mut second = self.start()?;
        second
            .sees("the second release is marked good", || is_proven(&self.disk, SECOND))
            .map_err(|unmet| told(unmet, &second))?;
        println!("✓ the second release is up, and marked good");
        self.takes(STANDING_STILL[0].0, FIRST, &mut second)?;
        self.stands_still(STANDING_STILL[0])?;
        for (at, next) in STANDING_STILL.into_iter().enumerate().skip(1) {
            self.publish(next)?;
            let mut back = self.start()?;
            returned(STANDING_STILL[at - 1].0, &mut back)?;
            self.takes(next.0, FIRST, &mut back)?;
            self.stands_still(next)?;
        }
        let mut back = self.start()?;
        returned(STANDING_STILL[STANDING_STILL.len() - 1].0, &mut back)
    }

    /// The machine takes a release by itself, writes it to the set with this place, and reboots into it; none of its units
    /// has failed.
    fn takes(&self, release: &str, set: usize, machine: &mut Machine) -> Result<(), Unmet> {
        let ending = machine.ends().map_err(|unmet| told(unmet, machine))?;
        let chosen = bits(&self.disk, set).is_some_and(|bits| bits.tries == 1 && bits.priority == 2);
        if ending != Ending::Reset || !chosen {
            return Err(told(Unmet::new(format!("it takes {release}, and reboots into it")), machine));
        }
        no_unit_failed(machine)?;
        println!("✓ it took {release}, and reboots; no unit of the distribution or of ours has failed");
        Ok(())
    }

    fn publish(&self, (version, unit): (&str, stands_still::Unit)) -> Result<(), Unmet> {
        stands_still::publish(self.dir, version, unit)
            .map_err(|error| Unmet::new(format!("publish {version}: {error}")))?;
        println!("{version} is published, in which {} stands still", unit.what());
        Ok(())
    }

    /// A release whose boot comes to no end is reset.
    fn stands_still(&mut self, (version, unit): (&str, stands_still::Unit)) -> Result<(), Unmet> {
        let mut machine = self.start()?;
        machine.shows(stands_still::SAID).map_err(|unmet| told(unmet, &machine))?;
        let ending = machine.ends().map_err(|unmet| told(unmet, &machine))?;
        let panicked = machine.console().contains("Kernel panic");
        if ending != Ending::Reset || panicked || is_proven(&self.disk, FIRST) {
            return Err(told(Unmet::new(format!("the deadline resets {version}")), &machine));
        }
        println!("✓ {} stood still in {version}, and the machine was reset", unit.what());
        Ok(())
    }
}

/// The second release is back, and its status says what became of `version`.
fn returned(version: &str, machine: &mut Machine) -> Result<(), Unmet> {
    let status = format!("{version} (system, tried once): it was not marked good in time");
    machine.shows(&status).map_err(|unmet| told(unmet, machine))?;
    println!("✓ the second release is back, and says: {status}");
    Ok(())
}

/// The service manager names each unit that fails: on the console itself until somebody may log in there, and afterwards
/// in its journal, whose warnings the page has sent there.
fn no_unit_failed(machine: &Machine) -> Result<(), Unmet> {
    let console = machine.console();
    match failed_units(&console)[..] {
        [] => Ok(()),
        ref failed => Err(told(Unmet::new(format!("no unit fails: {}", failed.join("; "))), machine)),
    }
}

fn failed_units(console: &str) -> Vec<String> {
    let plain = without_colours(console);
    let failed = |line: &&str| {
        let journal = line.split_once("systemd[1]: ").is_some_and(|(_, said)| {
            said.contains(": Failed with result ")
                || said.starts_with("Failed to start ")
                || said.starts_with("Dependency failed for ")
        });
        journal || line.starts_with("[FAILED]") || line.starts_with("[DEPEND]")
    };
    plain.lines().filter(failed).map(str::to_owned).collect()
}

/// Text without the sequences that give it colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts
        .map(|part| part.split_once(|ends: char| ends.is_ascii_alphabetic()).map_or("", |(_, rest)| rest));
    rest.fold(first, |plain, rest| plain + rest)
}

/// With what the console showed last.
fn told(unmet: Unmet, machine: &Machine) -> Unmet {
    let console = machine.console();
    let last: Vec<&str> = console.lines().rev().take(30).collect();
    Unmet::new(format!(
        "{unmet}; the console's last lines:\n{}",
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    ))
}

/// The boot bits of the set with this place, read while the machine is on.
fn bits(disk: &Path, set: usize) -> Option<BootBits> {
    let boots =
        DiskImage::at(disk).partitions().into_iter().filter(|partition| partition.type_guid == types::BOOT);
    boots.map(|boot| BootBits::from_attributes(boot.attributes)).nth(set)
}

/// Whether the set with this place was marked good.
fn is_proven(disk: &Path, set: usize) -> bool {
    bits(disk, set).is_some_and(|bits| bits.successful)
}

/// Whether some boot of this disk was marked good: bit 57 of the private partition.
fn ever_succeeded(disk: &Path) -> bool {
    let all = DiskImage::at(disk).partitions();
    all.iter().any(|partition| partition.type_guid == types::PRIVATE && partition.attributes >> 57 & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_failed_is_found_among_those_that_did_not() {
        let console = "[\u{1b}[0;32m  OK  \u{1b}[0m] Started \u{1b}[0;1;39mone.service\u{1b}[0m.\n\
            [\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to start \u{1b}[0;1;39mtwo.service\u{1b}[0m.\n\
            [\u{1b}[0;1;33mDEPEND\u{1b}[0m] Dependency failed for \u{1b}[0;1;39mthree.mount\u{1b}[0m.\n\
            [   12.5] somebody: FAILED is a word\n\
            [   77.1] systemd[1]: four.service: Failed with result 'exit-code'.\n\
            [   77.2] systemd[1]: five.service: Scheduled restart job, restart counter is at 1.\n";
        let failed = failed_units(console);
        assert_eq!(failed.len(), 3);
        assert!(failed[2].contains("four.service"));
        assert!(failed[0].contains("two.service") && failed[1].contains("three.mount"));
        assert!(failed_units("").is_empty());
    }
}
