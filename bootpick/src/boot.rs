//! The whole way, from the table to a set that runs. Every decision is one line on the console, with its reason.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use signpost::handover::Handover;
use signpost::start::{self, Candidate, Why};
use signpost::table::{Copies, Found, Sectors, Which, WriteError, replace, settled};

/// What a start needs of a machine, beside its disk.
pub trait Machine {
    /// A set's kernel, ready to be started.
    type Loaded;

    /// Shows a line to whoever stands before the machine.
    fn say(&mut self, line: fmt::Arguments<'_>);

    /// Lets the firmware reset the machine unless the set takes over in time.
    fn arm_watchdog(&mut self);

    /// Lets nothing reset the machine.
    fn disarm_watchdog(&mut self);

    /// Brings what a set holds into memory, without starting it.
    ///
    /// # Errors
    /// Why that cannot be, as a fragment.
    fn load(&mut self, candidate: &Candidate) -> Result<Self::Loaded, String>;

    /// Leaves word of what was chosen, and starts it. When it returns, the set did not run; the answer says why.
    fn start(&mut self, loaded: Self::Loaded, handover: &Handover) -> String;
}

/// Nothing could be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NothingBoots;

/// Starts a set. The table's copies are read once, after the disk was told to keep what it holds in its cache; both are
/// whole and equal, and the start is paid for on the medium, before anything of the set is touched.
pub fn boot<S: Sectors, M: Machine>(disk: &mut S, machine: &mut M) -> NothingBoots {
    let mut copies = settled(disk).unwrap_or_else(|error| {
        machine.say(format_args!("the disk does not sync: {error}"));
        Copies::read(disk)
    });
    tell_copies(machine, &copies);
    let mut aside: Vec<u32> = Vec::new();
    let mut reason = String::new();
    loop {
        let table = match copies.current() {
            Ok((table, _)) => table,
            Err(unusable) => {
                machine.say(format_args!("the partition table cannot be used: {unusable}"));
                return NothingBoots;
            }
        };
        let candidates = start::candidates(table.entries());
        let Some((index, why)) = start::choose(&candidates, &aside) else { break };
        let candidate = candidates[index];
        tell_choice(machine, &candidates, &candidate, why);
        let paid = match pay(disk, machine, &copies, &candidate) {
            Ok(after) => {
                copies = after;
                true
            }
            Err(()) => {
                // Some of it may be on the medium; only reading tells.
                copies = Copies::read(disk);
                false
            }
        };
        // Without a try spent, a set that hangs would hang for ever. A proven set runs all the same.
        if !paid && !candidate.bits.successful {
            reason = put_aside(machine, &candidate, "its try cannot be spent");
            aside.push(candidate.number);
            continue;
        }
        if candidate.bits.successful {
            machine.disarm_watchdog();
        } else {
            machine.arm_watchdog();
        }
        let failed = match machine.load(&candidate) {
            Ok(loaded) => {
                let handover = Handover {
                    boot: candidate.guid,
                    why,
                    detail: if why == Why::Priority { String::new() } else { reason.clone() },
                };
                machine.start(loaded, &handover)
            }
            Err(why) => why,
        };
        reason = put_aside(machine, &candidate, &failed);
        aside.push(candidate.number);
    }
    if !copies.are_equal() {
        mend(disk, machine, &copies);
    }
    NothingBoots
}

fn tell_copies<M: Machine>(machine: &mut M, copies: &Copies) {
    for which in [Which::Primary, Which::Backup] {
        if let Found::Broken(defect) = copies.found(which) {
            machine.say(format_args!("the {which} partition table is broken: {defect}"));
        }
    }
    let both_whole =
        [Which::Primary, Which::Backup].iter().all(|&which| copies.found(which).table().is_some());
    if both_whole && !copies.are_equal() {
        machine.say(format_args!("the two copies of the partition table differ; the primary counts"));
    }
}

fn tell_choice<M: Machine>(machine: &mut M, candidates: &[Candidate], chosen: &Candidate, why: Why) {
    for candidate in candidates {
        let (bits, attempts) = (candidate.bits, candidate.attempts.get());
        machine.say(format_args!(
            "{candidate}: priority {}, tries {}, {}, {attempts} starts without a root",
            bits.priority,
            bits.tries,
            if bits.successful { "proven" } else { "unproven" },
        ));
    }
    match why {
        Why::Priority => machine.say(format_args!("{chosen} has the highest priority")),
        Why::Aside => machine.say(format_args!("{chosen} is next in priority")),
        Why::Attempts => machine.say(format_args!(
            "{chosen} is taken: the set before it did not reach its root in {} starts",
            signpost::Attempts::MOST.get()
        )),
    }
}

fn put_aside<M: Machine>(machine: &mut M, candidate: &Candidate, why: &str) -> String {
    machine.say(format_args!("{candidate} is put aside for this boot: {why}"));
    alloc::format!("{candidate}: {why}")
}

/// Writes what the start costs. Both copies are whole and equal afterwards, also when it costs nothing.
fn pay<S: Sectors, M: Machine>(
    disk: &mut S,
    machine: &mut M,
    copies: &Copies,
    candidate: &Candidate,
) -> Result<Copies, ()> {
    let after = start::pay(disk, copies, candidate).map_err(|error| tell_failure(machine, &error))?;
    if !copies.are_equal() {
        machine.say(format_args!("the partition table is repaired"));
    }
    machine.say(format_args!("{candidate} pays {}", start::cost(candidate)));
    Ok(after)
}

fn mend<S: Sectors, M: Machine>(disk: &mut S, machine: &mut M, copies: &Copies) {
    let Ok((table, _)) = copies.current() else { return };
    let entries = table.entries().clone();
    match replace(disk, copies, &entries) {
        Ok(_) => machine.say(format_args!("the partition table is repaired")),
        Err(error) => tell_failure(machine, &error),
    }
}

fn tell_failure<M: Machine, D: fmt::Display>(
    machine: &mut M,
    error: &WriteError<D, core::convert::Infallible>,
) {
    machine.say(format_args!("failed to {error}"));
}
