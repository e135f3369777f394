//! What is on the disk, for people and for programs.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use crate::bits::{BootBits, Role};
use crate::discover::Source;
use crate::inspect::Inspection;
use crate::set::SetName;
use crate::table::{Found, Which};

/// The state of both sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The disk's node or image file.
    pub disk: PathBuf,
    /// The set that is running.
    pub active: SetName,
    /// Who says so.
    pub active_source: Source,
    /// Set A.
    pub a: Set,
    /// Set B, on a disk that has one.
    pub b: Option<Set>,
    /// The set that the boot program starts next; `None` when it would find none.
    pub next: Option<SetName>,
    /// Whether some boot of this disk has succeeded once.
    pub boot_has_ever_succeeded: bool,
    /// What a person should know beside this, a sentence each.
    pub notes: Vec<String>,
}

impl Status {
    /// A set by its name.
    #[must_use]
    pub fn set(&self, name: SetName) -> Option<&Set> {
        match name {
            SetName::A => Some(&self.a),
            SetName::B => self.b.as_ref(),
        }
    }

    /// The running set.
    #[must_use]
    pub fn active(&self) -> &Set {
        self.set(self.active).unwrap_or(&self.a)
    }

    /// The other set, on a disk that has one.
    #[must_use]
    pub fn inactive(&self) -> Option<&Set> {
        self.b.as_ref().and_then(|_| self.set(self.active.other()))
    }
}

/// One partition set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: SetName,
    /// Kernel and command line.
    pub boot: Partition,
    /// The root file system.
    pub root: Partition,
    /// The hash tree over it.
    pub hash: Partition,
    /// Its boot bits.
    pub bits: BootBits,
}

impl Set {
    /// The partition with a role.
    #[must_use]
    pub const fn partition(&self, role: Role) -> &Partition {
        match role {
            Role::Boot => &self.boot,
            Role::Root => &self.root,
            Role::Hash => &self.hash,
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number on the disk, from 1.
    pub number: u32,
    /// Its identifier (PARTUUID).
    pub guid: Uuid,
    /// Its first byte on the disk.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Its node; for an image file the file's name and the number: `disk.img#5`.
    pub node: PathBuf,
}

/// The status as `signpost status` prints it (`docs/compatibility.md`, "signpost").
#[derive(Debug)]
pub struct Screen<'a> {
    found: &'a Inspection,
    colour: bool,
}

impl<'a> Screen<'a> {
    /// The screen, plain.
    #[must_use]
    pub const fn new(found: &'a Inspection) -> Self {
        Self { found, colour: false }
    }

    /// The screen, where it is seen by a person: the same words, in colour.
    #[must_use]
    pub const fn in_colour(found: &'a Inspection) -> Self {
        Self { found, colour: true }
    }

    fn paint(&self, paint: Paint, text: impl fmt::Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", paint as u8) } else { text.to_string() }
    }
}

/// What a colour says; the values are the terminal's.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Bold = 1,
    Wrong = 31,
    Good = 32,
    Open = 33,
}

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        writeln!(f, "OS disk: {}", found.disk().display())?;
        for set in [SetName::A, SetName::B].into_iter().filter_map(|name| found.set(name)) {
            let tries = if set.bits.tries > 0 { Paint::Open } else { Paint::Bold };
            let successful = if set.bits.successful { Paint::Good } else { Paint::Open };
            writeln!(
                f,
                "Set {}:   boot={} root={} hash={} priority={} tries_left={} successful={}",
                set.name,
                set.boot.node.display(),
                set.root.node.display(),
                set.hash.node.display(),
                self.paint(Paint::Bold, set.bits.priority),
                self.paint(tries, set.bits.tries),
                self.paint(successful, set.bits.successful)
            )?;
        }
        let active = match found.active() {
            Ok((active, _)) => self.paint(Paint::Bold, format_args!("Set {active}")),
            Err(_) => self.paint(Paint::Wrong, "unknown"),
        };
        writeln!(f, "Active:  {active}")?;
        let next = match found.next() {
            Some(next) => self.paint(Paint::Bold, format_args!("Set {next}")),
            None => self.paint(Paint::Wrong, "None"),
        };
        writeln!(f, "Next:    {next}")
    }
}

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
            sets: sets.into_iter().map(|set| set_report(set, active.ok().map(|(name, _)| name))).collect(),
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

fn set_report(set: Set, active: Option<SetName>) -> SetReport {
    let partition = |partition: Partition| PartitionReport {
        node: partition.node,
        number: partition.number,
        guid: partition.guid.to_string(),
        start: partition.start,
        len: partition.len,
    };
    SetReport {
        name: set.name.to_string(),
        active: active == Some(set.name),
        priority: set.bits.priority,
        tries_left: set.bits.tries,
        successful: set.bits.successful,
        would_boot: set.bits.would_boot(),
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
        [other] if other.bits.priority == chosen.priority => {
            format!("both sets have priority {}, and set {next} comes first", chosen.priority)
        }
        _ => format!("set {next} has the highest priority, {}", chosen.priority),
    }
}
