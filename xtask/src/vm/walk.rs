//! What `cargo xtask doc-run boot` does after the page's commands: starts the disk that they made, and waits until the
//! machine took the second release by itself.

use std::error::Error;
use std::path::Path;

use testdata::disk::layout::types;
use testdata::{BootBits, DiskImage, FaultyServer};

use super::firmware::Firmware;
use super::machine::{Ending, Machine, MachineSize, Parts};
use super::scenario::Unmet;
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
    let mut second = start(2)?;
    second
        .sees("the second release is marked good", || bits(&disk, 1).is_some_and(|bits| bits.successful))
        .map_err(|unmet| told(unmet, &second))?;
    println!("✓ the second release is up, and marked good");
    Ok(())
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
