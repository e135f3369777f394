//! The boot program's work on a disk, for hosts that start a set by a command: an initramfs with kexec, or the host of a
//! virtual machine. It is the same choice, and costs the same.

use crate::disk::OsDisk;
use crate::error::Error;
use crate::inspect::Inspection;
use crate::sectors::DiskSectors;
use crate::set::SetName;
use crate::start::{self, Candidate, Cost, Why};
use crate::status::Set;
use crate::table::settled;

/// Whether the start is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Nothing is written: this only asks.
    Nothing,
    /// What the start costs is on the medium before the answer is given.
    Start,
}

/// The set to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// It, with its partitions, and its bits as they were before.
    pub set: Set,
    /// Why this one.
    pub why: Why,
    /// What its start costs.
    pub cost: Cost,
}

impl OsDisk {
    /// Which set is started when those in `aside` cannot be. Needs no set that is running.
    ///
    /// # Errors
    /// When there is no table with sets, no set may be started, or the disk fails; the start is not paid for then.
    pub fn pick(&self, aside: &[SetName], charge: Charge) -> Result<Picked, Error> {
        match charge {
            Charge::Nothing => self.chosen(&self.inspect()?, aside).map(|(picked, _)| picked),
            Charge::Start => self.locked(|disk| {
                let mut sectors = DiskSectors::on_medium(disk);
                let settle = |source| crate::table::WriteError::Settle(source);
                let copies = settled(&mut sectors).map_err(settle).map_err(|error| self.explain(error))?;
                let (picked, candidate) = self.chosen(&self.judged(copies.clone())?, aside)?;
                start::pay(&mut sectors, &copies, &candidate).map_err(|error| self.explain(error))?;
                Ok(picked)
            }),
        }
    }

    fn chosen(&self, found: &Inspection, aside: &[SetName]) -> Result<(Picked, Candidate), Error> {
        let candidates = start::candidates(found.entries());
        let numbers: Vec<u32> = candidates
            .iter()
            .filter(|candidate| candidate.set.is_some_and(|set| aside.contains(&set)))
            .map(|candidate| candidate.number)
            .collect();
        let nothing = || Error::NothingBoots { path: self.path().to_owned(), aside: aside.to_vec() };
        let (index, why) = start::choose(&candidates, &numbers).ok_or_else(nothing)?;
        let candidate = candidates[index];
        let set = candidate.set.and_then(|name| found.set(name)).ok_or_else(nothing)?;
        Ok((Picked { set, why, cost: start::cost(&candidate) }, candidate))
    }
}
