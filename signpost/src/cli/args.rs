//! What may be said, and which file answers it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use host_io::log::Level;
use host_io::{OperationLock, Paths};
use signpost::discover::Choice;
use signpost::{Command, Error, OsDisk, SetName};

use super::{change, has_boot_ever_succeeded, repair, status, verify};

const EXAMPLES: &str = "\
Examples:
  signpost status                        which set runs, and which boots next
  signpost upgrade-to-inactive           boot the other set next
  signpost cancel-upgrade                stay with this one after all
  signpost --disk disk.img --active A status --json
                                         look at a disk image

Exit status: 0 on success, 1 on any error. Answers go to stdout, everything else to stderr.";

/// Show and change which partition set boots.
#[derive(Debug, Parser)]
#[command(name = "signpost", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// The disk or image file that carries the sets; found from the running system otherwise
    #[arg(long, value_name = "PATH", global = true)]
    disk: Option<PathBuf>,

    /// The set that is running, A or B, where the system cannot tell
    #[arg(long, value_name = "SET", global = true)]
    active: Option<SetName>,

    /// How much to narrate on stderr: off, error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", global = true, default_value_t)]
    pub(crate) log_level: Level,

    /// Take this directory as the whole host
    #[arg(long, value_name = "DIR", global = true, hide = true)]
    root: Option<PathBuf>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show both sets, which one runs, and which one boots next
    Status(status::Args),
    /// Note that the running set works
    MarkSuccessfulBoot(Ignored),
    /// Forbid the other set to boot, before it is written to
    ClearInactive(Ignored),
    /// Grant the other set one try, after it was written and checked
    MarkInactiveValid(Ignored),
    /// Boot the other set next: it must be valid, and not flipped to yet
    UpgradeToInactive(change::Upgrade),
    /// Boot the running set next after all; the other one keeps its try
    CancelUpgrade(Ignored),
    /// Boot the other set next: it must hold a system that ran before, or a valid image
    RollbackToInactive(Ignored),
    /// Print "true" if some boot of this disk has succeeded, nothing otherwise
    HasBootEverSucceeded(Ignored),
    /// Make both copies of the partition table equal and durable; changes no bits
    RewriteTable(Ignored),
    /// Check both copies of the partition table, and the kernel's partitions against them; changes nothing
    Verify(verify::Args),
    /// Mend a broken copy of the partition table; changes no bits
    Repair(repair::Args),
}

/// Words after a command without meaning: older callers pass some, and were never refused.
#[derive(Debug, clap::Args)]
pub(super) struct Ignored {
    #[arg(hide = true)]
    ignored: Vec<String>,
}

impl Args {
    /// Does what was said.
    pub(crate) fn run(self) -> Result<(), Error> {
        let paths = Paths::from_option(self.root);
        let choice = Choice { disk: self.disk, active: self.active };
        let disk = OsDisk::discover_with(&paths, &choice)?;
        let command = match self.verb {
            Verb::Status(args) => return status::run(&args, &disk),
            Verb::Verify(args) => return verify::run(&args, &disk),
            Verb::Repair(args) => {
                let _lock = OperationLock::acquire(&paths)?;
                return repair::run(&args, &disk);
            }
            Verb::UpgradeToInactive(args) => {
                let _lock = OperationLock::acquire(&paths)?;
                return args.run(&disk);
            }
            Verb::HasBootEverSucceeded(words) => {
                words.mention();
                return has_boot_ever_succeeded::run(&disk);
            }
            // The one change that does not wait for an update: the boot that it reports is over either way.
            Verb::MarkSuccessfulBoot(words) => {
                words.mention();
                return change::run(Command::MarkSuccessfulBoot, &disk);
            }
            Verb::ClearInactive(words) => words.after(Command::ClearInactive),
            Verb::MarkInactiveValid(words) => words.after(Command::MarkInactiveValid),
            Verb::CancelUpgrade(words) => words.after(Command::CancelUpgrade),
            Verb::RollbackToInactive(words) => words.after(Command::RollbackToInactive),
            Verb::RewriteTable(words) => words.after(Command::RewriteTable),
        };
        let _lock = OperationLock::acquire(&paths)?;
        change::run(command, &disk)
    }
}

impl Ignored {
    pub(super) fn mention(&self) {
        if !self.ignored.is_empty() {
            tracing::warn!("ignored: {}", self.ignored.join(" "));
        }
    }

    fn after(&self, command: Command) -> Command {
        self.mention();
        command
    }
}
