//! A distribution on the machine, with systemd: its starts, and what can be seen of it from outside.
//!
//! It has no side door as the scenarios' own small system has one: what counts is the disk, the console, and how a power
//! cycle ends.

use std::path::{Path, PathBuf};
use std::time::Instant;

use testdata::disk::layout::types;
use testdata::{BootBits, DiskImage, FaultyServer};

use super::firmware::Firmware;
use super::machine::{Ending, Machine, MachineSize, Parts};
use super::unmet::Unmet;

/// The places of set A and set B in the table.
pub(super) const FIRST: usize = 0;
/// See [`FIRST`].
pub(super) const SECOND: usize = 1;

/// `disk.img` in a directory, with the repository in `repo` that a server hands out, and how often it was started.
pub(super) struct Distribution<'a> {
    pub(super) dir: &'a Path,
    pub(super) disk: PathBuf,
    firmware: Firmware,
    server: FaultyServer,
    starts: usize,
    more: Vec<String>,
    until: Option<Instant>,
}

impl<'a> Distribution<'a> {
    pub(super) fn begin(dir: &'a Path, until: Option<Instant>) -> Result<Self, Unmet> {
        let firmware =
            Firmware::uefi(dir, false).map_err(|error| Unmet::new(format!("make variables: {error}")))?;
        let server = FaultyServer::start(dir.join("repo"));
        Ok(Self { dir, disk: dir.join("disk.img"), firmware, server, starts: 0, more: Vec::new(), until })
    }

    /// Its firmware, which was not started yet, starts only what is signed.
    pub(super) fn secure(&mut self) -> Result<(), Unmet> {
        self.firmware = Firmware::uefi(self.dir, true)
            .map_err(|error| Unmet::new(format!("make variables with keys: {error}")))?;
        Ok(())
    }

    /// How often it was started.
    pub(super) fn starts(&self) -> usize {
        self.starts
    }

    /// Gives the machine something more from the next start on, in QEMU's words.
    pub(super) fn add(&mut self, words: &[&str]) {
        self.more.extend(words.iter().map(|word| (*word).to_owned()));
    }

    /// Takes away all that was added.
    pub(super) fn take_away(&mut self) {
        self.more.clear();
    }

    pub(super) fn start(&mut self) -> Result<Machine, Unmet> {
        self.starts += 1;
        Machine::start(&Parts {
            disk: &self.disk,
            firmware: &self.firmware,
            repository: self.server.address().port(),
            writes: None,
            number: self.starts,
            dir: self.dir,
            until: self.until,
            size: MachineSize::Distribution,
            more: &self.more,
        })
    }

    /// Some boot of this disk is marked good.
    pub(super) fn first_is_good(&self, machine: &mut Machine) -> Result<(), Unmet> {
        let seen = machine.sees("the first release is marked good", || ever_succeeded(&self.disk));
        seen.map_err(|unmet| told(unmet, machine))
    }

    /// The set with this place is marked good.
    pub(super) fn is_good(&self, what: &str, set: usize, machine: &mut Machine) -> Result<(), Unmet> {
        let seen = machine.sees(&format!("{what} is marked good"), || is_proven(&self.disk, set));
        seen.map_err(|unmet| told(unmet, machine))
    }

    /// The machine takes a release by itself, writes it to the set with this place, and reboots into it; none of its units
    /// has failed.
    pub(super) fn takes(&self, release: &str, set: usize, machine: &mut Machine) -> Result<(), Unmet> {
        self.takes_at_last(release, set, machine)?;
        no_unit_failed(machine)
    }

    /// The same, where units had reason to fail before that.
    pub(super) fn takes_at_last(
        &self,
        release: &str,
        set: usize,
        machine: &mut Machine,
    ) -> Result<(), Unmet> {
        let ending = machine.ends().map_err(|unmet| told(unmet, machine))?;
        let chosen = bits(&self.disk, set).is_some_and(|bits| bits.tries == 1 && bits.priority == 2);
        if ending != Ending::Reset || !chosen {
            return Err(told(Unmet::new(format!("it takes {release}, and reboots into it")), machine));
        }
        Ok(())
    }
}

/// The service manager names each unit that fails: on the console itself until somebody may log in there, and afterwards
/// in its journal, whose warnings the command line has sent there.
pub(super) fn no_unit_failed(machine: &Machine) -> Result<(), Unmet> {
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
pub(super) fn told(unmet: Unmet, machine: &Machine) -> Unmet {
    let console = machine.console();
    let last: Vec<&str> = console.lines().rev().take(30).collect();
    Unmet {
        what: format!(
            "{unmet}; the console's last lines:\n{}",
            last.into_iter().rev().collect::<Vec<_>>().join("\n")
        ),
        ..unmet
    }
}

/// The boot bits of the set with this place, read while the machine is on.
fn bits(disk: &Path, set: usize) -> Option<BootBits> {
    let boots =
        DiskImage::at(disk).partitions().into_iter().filter(|partition| partition.type_guid == types::BOOT);
    boots.map(|boot| BootBits::from_attributes(boot.attributes)).nth(set)
}

/// Whether the set with this place was marked good.
pub(super) fn is_proven(disk: &Path, set: usize) -> bool {
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
