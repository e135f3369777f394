//! What `cargo xtask doc-run boot` does after the page's commands: starts the disk that they made, waits until the machine
//! took the second release by itself, and offers it releases whose boots come to no end.

use std::error::Error;
use std::path::Path;

use super::distribution::{Distribution, FIRST, SECOND, is_proven, told};
use super::machine::{Ending, Machine};
use super::unmet::Unmet;
use super::{boot_program, needs, stands_still};
use crate::Outcome;

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
    match Distribution::begin(dir, None).and_then(|on| Walk { on }.boots()) {
        Ok(()) => Ok(true),
        Err(unmet) => {
            println!("NOT SHOWN: {unmet}");
            Ok(false)
        }
    }
}

/// The machine of the page.
struct Walk<'a> {
    on: Distribution<'a>,
}

impl Walk<'_> {
    fn boots(&mut self) -> Result<(), Unmet> {
        println!("The machine starts; under emulation that takes its minutes.");
        let mut first = self.on.start()?;
        self.on.first_is_good(&mut first)?;
        println!("✓ the first release is up, and marked good");
        self.takes("the second release", SECOND, &mut first)?;
        // Published before the second release looks for an update: it takes that at once.
        self.publish(STANDING_STILL[0])?;
        let mut second = self.on.start()?;
        self.on.is_good("the second release", SECOND, &mut second)?;
        println!("✓ the second release is up, and marked good");
        self.takes(STANDING_STILL[0].0, FIRST, &mut second)?;
        self.stands_still(STANDING_STILL[0])?;
        for (at, next) in STANDING_STILL.into_iter().enumerate().skip(1) {
            self.publish(next)?;
            let mut back = self.on.start()?;
            returned(STANDING_STILL[at - 1].0, &mut back)?;
            self.takes(next.0, FIRST, &mut back)?;
            self.stands_still(next)?;
        }
        let mut back = self.on.start()?;
        returned(STANDING_STILL[STANDING_STILL.len() - 1].0, &mut back)
    }

    /// The machine takes a release by itself.
    fn takes(&self, release: &str, set: usize, machine: &mut Machine) -> Result<(), Unmet> {
        self.on.takes(release, set, machine)?;
        println!("✓ it took {release}, and reboots; no unit of the distribution or of ours has failed");
        Ok(())
    }

    fn publish(&self, (version, unit): (&str, stands_still::Unit)) -> Result<(), Unmet> {
        stands_still::publish(self.on.dir, version, unit)
            .map_err(|error| Unmet::new(format!("publish {version}: {error}")))?;
        println!("{version} is published, in which {} stands still", unit.what());
        Ok(())
    }

    /// A release whose boot comes to no end is reset.
    fn stands_still(&mut self, (version, unit): (&str, stands_still::Unit)) -> Result<(), Unmet> {
        let mut machine = self.on.start()?;
        machine.shows(stands_still::SAID).map_err(|unmet| told(unmet, &machine))?;
        let ending = machine.ends().map_err(|unmet| told(unmet, &machine))?;
        let panicked = machine.console().contains("Kernel panic");
        if ending != Ending::Reset || panicked || is_proven(&self.on.disk, FIRST) {
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
