//! `signpost repair`: both copies of the table whole, equal and durable; with `--relocate` the backup at the disk's end.

use crate::{Command, Error, OsDisk};

use super::answer::narrate;

pub(super) const EXAMPLES: &str = "\
The primary copy counts while it is whole, else the backup; the other one is made like it.

Examples:
  signpost repair                        after \"signpost verify\" found a broken copy
  signpost repair --relocate             after the disk was enlarged";

/// What `repair` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Move the backup copy to the end of a disk that was enlarged
    #[arg(long)]
    relocate: bool,
}

pub(super) fn run(args: &Args, disk: &OsDisk) -> Result<(), Error> {
    let status = if args.relocate { disk.relocate()? } else { disk.apply(Command::RewriteTable)? };
    narrate(&status);
    Ok(())
}
