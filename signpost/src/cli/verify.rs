//! `signpost verify`: whether both copies of the table are whole and equal on the medium, and whether the kernel's
//! partitions are where the table says. Reads only.

use std::fmt::Write as _;

use crate::inspect::Inspection;
use crate::table::{Found, Which};
use crate::{Error, OsDisk};

use super::answer;
use super::ignored::Ignored;

pub(super) const EXAMPLES: &str = "\
It reads from the medium, and fails when anything is not as it should be.

Examples:
  signpost verify                        the disk of this host
  signpost --disk disk.img verify        a disk image";

/// What `verify` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    words: Ignored,
}

pub(super) fn run(args: &Args, disk: &OsDisk) -> Result<(), Error> {
    args.words.mention();
    let found = disk.inspect_medium()?;
    let (screen, problems) = judge(&found);
    answer::give(&screen)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Unhealthy { path: found.disk().to_owned(), problems })
}

/// What is printed, a line for each check, and what of it is wrong.
fn judge(found: &Inspection) -> (String, Vec<String>) {
    let (mut screen, mut problems) = (String::new(), Vec::new());
    let copies = found.copies();
    for (which, lba) in [(Which::Primary, 1), (Which::Backup, copies.backup_lba())] {
        match copies.found(which) {
            Found::Valid(_) => {
                say(&mut screen, &format!("{which} table"), &format!("whole, at sector {lba}"))
            }
            Found::Broken(defect) => {
                say(&mut screen, &format!("{which} table"), &format!("broken: {defect}"));
                problems.push(format!("the {which} copy is broken: {defect}"));
            }
        }
    }
    let whole = problems.is_empty();
    if whole && !copies.are_equal() {
        problems.push("the two copies differ".to_owned());
    }
    say(&mut screen, "both copies", if copies.are_equal() { "equal" } else { "not equal" });
    if copies.has_grown() {
        problems.push("the backup copy is not at the end of the disk".to_owned());
    }
    say(
        &mut screen,
        "backup's place",
        if copies.has_grown() { "before the disk's end" } else { "the disk's end" },
    );
    match found.extents_that_differ() {
        None => say(&mut screen, "kernel", "does not know this disk: nothing to compare"),
        Some(differences) if differences.is_empty() => say(&mut screen, "kernel", "has the same partitions"),
        Some(differences) => {
            say(&mut screen, "kernel", "has other partitions");
            problems.extend(differences);
        }
    }
    (screen, problems)
}

fn say(screen: &mut String, what: &str, how: &str) {
    let _ = writeln!(screen, "{:<16}{how}", format!("{what}:"));
}
