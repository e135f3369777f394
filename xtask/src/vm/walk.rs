//! What `cargo xtask doc-run boot` does after the page's commands: starts the disk that they made, and waits until the
//! machine took the second release by itself.

use std::error::Error;
use std::path::Path;

use testdata::disk::layout::types;
use testdata::{BootBits, DiskImage, FaultyServer};

use super::firmware::Firmware;
use super::machine::{Ending, Machine, MachineSize, Parts};
use super::unmet::Unmet;
use super::{boot_program, needs};
use crate::Outcome;

/// Sees that the page's commands have what they need.
pub(crate) fn prepare() -> Result<(), Box<dyn Error>> {
    needs::all_there()?;
    boot_program().map(drop)
}

/// Starts `disk.img` in `dir`, with the repository in `repo`.
pub(crate) fn walk(dir: &Path) -> Outcome {
    match boots(dir) {
        Ok(()) => Ok(true),
        Err(unmet) => {
            println!("NOT SHOWN: {unmet}");
            Ok(false)
        }
    }
}

fn boots(dir: &Path) -> Result<(), Unmet> {
    let disk = dir.join("disk.img");
    let firmware =
        Firmware::uefi(dir, false).map_err(|error| Unmet::new(format!("make variables: {error}")))?;
    let server = FaultyServer::start(dir.join("repo"));
    let start = |number| {
        Machine::start(&Parts {
            disk: &disk,
            firmware: &firmware,
            repository: server.address().port(),
            writes: None,
            number,
            dir,
            until: None,
            size: MachineSize::Distribution,
        })
    };
    println!("The machine starts; under emulation that takes its minutes.");
    let mut first = start(1)?;
    first
        .sees("the first release is marked good", || ever_succeeded(&disk))
        .map_err(|unmet| told(unmet, &first))?;
    println!("✓ the first release is up, and marked good");
    let ending = first.ends().map_err(|unmet| told(unmet, &first))?;
    if ending != Ending::Reset || !bits(&disk, 1).is_some_and(|bits| bits.tries == 1 && bits.priority == 2) {
        return Err(told(Unmet::new("it takes the second release, and reboots into it"), &first));
    }
    println!("✓ it took the second release, and reboots");
    no_unit_failed(&first)?;
    let mut second = start(2)?;
    second
        .sees("the second release is marked good", || bits(&disk, 1).is_some_and(|bits| bits.successful))
        .map_err(|unmet| told(unmet, &second))?;
    println!("✓ the second release is up, and marked good");
    no_unit_failed(&second)?;
    println!("✓ no unit of the distribution or of ours has failed in either start");
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
