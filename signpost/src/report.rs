//! The status for programs.

use std::path::PathBuf;

use serde::Serialize;

use crate::bits::Attempts;
use crate::inspect::Inspection;
use crate::set::SetName;
use crate::status::{Partition, Set};
use crate::table::{Found, Which};

/// The status for programs: `signpost status --json`.
#[derive(Debug, Serialize)]
pub struct Report {
    disk: PathBuf,
    sector_size: u32,
    /// The running set; null when nobody can say.
    active: Option<String>,
    /// Who says so, or why nobody can say.
    active_reason: String,
    next: Option<String>,
    next_reason: String,
    boot_has_ever_succeeded: bool,
    sets: Vec<SetReport>,
    table: TableReport,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SetReport {
    name: String,
    active: bool,
    priority: u8,
    tries_left: u8,
    successful: bool,
    would_boot: bool,
    /// Starts of the proven set that did not reach its root, as far as the boot program counts them.
    attempts: u8,
    boot: PartitionReport,
    root: PartitionReport,
    hash: PartitionReport,
}

#[derive(Debug, Serialize)]
struct PartitionReport {
    node: PathBuf,
    number: u32,
    guid: String,
    start: u64,
    len: u64,
}

#[derive(Debug, Serialize)]
struct TableReport {
    equal: bool,
    grown: bool,
    primary: CopyReport,
    backup: CopyReport,
}

#[derive(Debug, Serialize)]
struct CopyReport {
    lba: u64,
    valid: bool,
    /// Whether this is the copy that counts.
    counts: bool,
    defect: Option<String>,
}

impl Report {
    /// The report on what was found.
    #[must_use]
    pub fn new(found: &Inspection) -> Self {
        let active = found.active();
        let sets: Vec<Set> =
            [SetName::A, SetName::B].into_iter().filter_map(|name| found.set(name)).collect();
        let copies = found.copies();
        let copy = |which, lba| CopyReport {
            lba,
            valid: copies.found(which).table().is_some(),
            counts: found.counts == which,
            defect: match copies.found(which) {
                Found::Valid(_) => None,
                Found::Broken(defect) => Some(defect.to_string()),
            },
        };
        Self {
            disk: found.disk().to_owned(),
            sector_size: copies.geometry().sector_size,
            active: active.ok().map(|(name, _)| name.to_string()),
            active_reason: match active {
                Ok((_, source)) => source.to_string(),
                Err(unknown) => unknown.to_string(),
            },
            next: found.next().map(|name| name.to_string()),
            next_reason: next_reason(found.next(), &sets),
            boot_has_ever_succeeded: found.boot_has_ever_succeeded(),
            sets: sets.into_iter().map(|set| set_report(found, set)).collect(),
            table: TableReport {
                equal: copies.are_equal(),
                grown: copies.has_grown(),
                primary: copy(Which::Primary, 1),
                backup: copy(Which::Backup, copies.backup_lba()),
            },
            notes: found.notes(),
        }
    }
}

fn set_report(found: &Inspection, set: Set) -> SetReport {
    let partition = |partition: Partition| PartitionReport {
        node: partition.node,
        number: partition.number,
        guid: partition.guid.to_string(),
        start: partition.start,
        len: partition.len,
    };
    SetReport {
        name: set.name.to_string(),
        active: found.active().is_ok_and(|(active, _)| active == set.name),
        priority: set.bits.priority,
        tries_left: set.bits.tries,
        successful: set.bits.successful,
        would_boot: set.bits.would_boot(),
        attempts: found.attempts(set.name).get(),
        boot: partition(set.boot),
        root: partition(set.root),
        hash: partition(set.hash),
    }
}

/// Why the boot program would take this set.
fn next_reason(next: Option<SetName>, sets: &[Set]) -> String {
    let Some(next) = next else {
        return "no set has a priority above 0 and either a try left or a successful boot".to_owned();
    };
    let Some((chosen, others)) = sets.iter().find(|set| set.name == next).map(|chosen| {
        (chosen.bits, sets.iter().filter(|set| set.name != next && set.bits.would_boot()).collect::<Vec<_>>())
    }) else {
        return String::new();
    };
    match others[..] {
        [] => format!("set {next} is the only one that would boot"),
        [other] if other.bits.priority > chosen.priority => {
            format!(
                "set {} did not reach its root in {} starts, and set {next} is proven",
                other.name,
                Attempts::MOST.get()
            )
        }
        [other] if other.bits.priority == chosen.priority => {
            format!("both sets have priority {}, and set {next} comes first", chosen.priority)
        }
        _ => format!("set {next} has the highest priority, {}", chosen.priority),
    }
}
