//! What may be said, and which file answers it.

use std::path::PathBuf;

use crate::discover::Choice;
use crate::{Command, Error, OsDisk, SetName};
use clap::{Parser, Subcommand};
use host_io::log::Level;
use host_io::{OperationLock, Paths};

use super::ignored::Ignored;
use super::{
    boot_deadline, change, create, has_boot_ever_succeeded, install_bootpick, pick, repair, running, status,
    verify,
};

const EXAMPLES: &str = "\
Examples:
  signpost status                        which set runs, and which boots next
  signpost upgrade-to-inactive           boot the other set next
  signpost cancel-upgrade                stay with this one after all
  signpost --disk disk.img --active A status --json
                                         look at a disk image
  signpost --disk disk.img create --size 8G
                                         make one
  signpost help COMMAND                  examples of each command

Exit status: 0 on success, 1 on any error. Answers go to stdout, everything else to stderr.";

/// The heading over what every command takes.
const EVERYWHERE: &str = "Every command";

/// Show and change which partition set boots.
#[derive(Debug, Parser)]
#[command(name = "signpost", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// The disk or image file that carries the sets; found from the running system otherwise
    #[arg(long, value_name = "PATH", global = true, help_heading = EVERYWHERE)]
    disk: Option<PathBuf>,

    /// The set that is running, A or B, where the system cannot tell
    #[arg(long, value_name = "SET", global = true, help_heading = EVERYWHERE)]
    active: Option<SetName>,

    /// How much to narrate on stderr: off, error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", global = true, default_value_t, help_heading = EVERYWHERE)]
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
    #[command(after_help = status::EXAMPLES)]
    Status(status::Args),
    /// Print the nodes of the running set's partitions, for a shell
    #[command(after_help = running::EXAMPLES)]
    Running,
    /// Note that the running set works
    #[command(after_help = change::MARK_SUCCESSFUL_BOOT)]
    MarkSuccessfulBoot(Ignored),
    /// Note that the running set has reached its root; for its initramfs
    #[command(after_help = change::REACHED_ROOT)]
    ReachedRoot(Ignored),
    /// Forbid the other set to boot, before it is written to
    #[command(after_help = change::CLEAR_INACTIVE)]
    ClearInactive(Ignored),
    /// Grant the other set one try, after it was written and checked
    #[command(after_help = change::MARK_INACTIVE_VALID)]
    MarkInactiveValid(Ignored),
    /// Boot the other set next: it must be valid, and not flipped to yet
    #[command(after_help = change::UPGRADE_TO_INACTIVE)]
    UpgradeToInactive(change::Upgrade),
    /// Boot the running set next after all; the other one keeps its try
    #[command(after_help = change::CANCEL_UPGRADE)]
    CancelUpgrade(Ignored),
    /// Boot the other set next: it must hold a system that ran before, or a valid image
    #[command(after_help = change::ROLLBACK_TO_INACTIVE)]
    RollbackToInactive(Ignored),
    /// Reset the machine, if its set was not marked good and the other one boots
    #[command(after_help = boot_deadline::EXAMPLES)]
    BootDeadline(boot_deadline::Args),
    /// Pick the set that is started, as the boot program does; for hosts that start it by a command
    #[command(after_help = pick::EXAMPLES)]
    Pick(pick::Args),
    /// Print "true" if some boot of this disk has succeeded, nothing otherwise
    #[command(after_help = has_boot_ever_succeeded::EXAMPLES)]
    HasBootEverSucceeded(Ignored),
    /// Make both copies of the partition table equal and durable; changes no bits
    #[command(after_help = change::REWRITE_TABLE)]
    RewriteTable(Ignored),
    /// Check both copies of the partition table, and the kernel's partitions against them; changes nothing
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Args),
    /// Mend a broken copy of the partition table; changes no bits
    #[command(after_help = repair::EXAMPLES)]
    Repair(repair::Args),
    /// Put the boot program on both partitions that firmware starts from, and tell the firmware
    #[command(after_help = install_bootpick::EXAMPLES)]
    InstallBootpick(install_bootpick::Args),
    /// Lay out a disk or an image file with partition sets; never one that holds something, unless forced
    #[command(after_help = create::EXAMPLES)]
    Create(create::Args),
}

impl Args {
    /// Does what was said.
    pub(crate) fn run(self) -> Result<(), Error> {
        let paths = Paths::from_option(self.root);
        let choice = Choice { disk: self.disk, active: self.active };
        let find = || OsDisk::discover_with(&paths, &choice);
        let change = |command| {
            let disk = find()?;
            let _lock = OperationLock::acquire(&paths)?;
            change::run(command, &disk)
        };
        match self.verb {
            Verb::Status(args) => status::run(&args, &find()?),
            Verb::Running => running::run(&find()?),
            Verb::MarkSuccessfulBoot(words) => {
                words.mention();
                // The one change that does not wait for an update: the boot that it reports is over either way.
                change::run(Command::MarkSuccessfulBoot, &find()?)
            }
            Verb::ReachedRoot(words) => {
                words.mention();
                // Nor does this one, which comes before anything that could hold the lock.
                change::run(Command::ReachedRoot, &find()?)
            }
            Verb::ClearInactive(words) => change(words.after(Command::ClearInactive)),
            Verb::MarkInactiveValid(words) => change(words.after(Command::MarkInactiveValid)),
            Verb::UpgradeToInactive(args) => {
                let disk = find()?;
                let _lock = OperationLock::acquire(&paths)?;
                args.run(&disk)
            }
            Verb::CancelUpgrade(words) => change(words.after(Command::CancelUpgrade)),
            Verb::RollbackToInactive(words) => change(words.after(Command::RollbackToInactive)),
            Verb::HasBootEverSucceeded(words) => {
                words.mention();
                has_boot_ever_succeeded::run(&find()?)
            }
            Verb::Pick(args) => pick::run(&args, &find()?),
            Verb::BootDeadline(args) => find()
                .and_then(|disk| boot_deadline::run(&args, &disk, &paths))
                .map_err(Error::of_an_overdue_boot),
            Verb::RewriteTable(words) => change(words.after(Command::RewriteTable)),
            Verb::Verify(args) => verify::run(&args, &find()?),
            Verb::Repair(args) => {
                let disk = find()?;
                let _lock = OperationLock::acquire(&paths)?;
                repair::run(&args, &disk)
            }
            Verb::InstallBootpick(args) => {
                let disk = find()?;
                let _lock = OperationLock::acquire(&paths)?;
                install_bootpick::run(&args, &disk, &paths)
            }
            // A new disk has nothing to be found by, and nothing that was found may be taken for it.
            Verb::Create(args) => create::run(args, choice.disk, &paths),
        }
    }
}
