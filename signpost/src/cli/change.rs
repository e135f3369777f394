//! Every command that changes bits. Silent on stdout; stderr says what is true on the disk now.

use crate::{Command, Error, OsDisk};

use super::answer::narrate;
use super::ignored::Ignored;

pub(super) const MARK_SUCCESSFUL_BOOT: &str = "\
It also takes back the boot program's count of starts. It does not wait for an update that is going on.

Examples:
  signpost mark-successful-boot          this system works: it stays";

pub(super) const REACHED_ROOT: &str = "\
The boot program counts the starts of a proven set, and after three that end before this it starts the other one, if that
is proven, too. Nothing is written when nothing was counted. It waits for no update and needs no root file system.

Examples:
  signpost reached-root                  root and persistent partition are mounted: the count is taken back";

pub(super) const CLEAR_INACTIVE: &str = "\
Refused while the running set is not proven: the other one may be the only way back.

Examples:
  signpost clear-inactive                before the other set is written to by hand";

pub(super) const MARK_INACTIVE_VALID: &str = "\
It does not boot yet: see upgrade-to-inactive.

Examples:
  signpost mark-inactive-valid           what was written to the other set is complete";

pub(super) const UPGRADE_TO_INACTIVE: &str = "\
A set that does not come up in that many starts is left, and the running one boots again.

Examples:
  signpost upgrade-to-inactive           boot the other set next, once
  signpost upgrade-to-inactive --tries 3 grant it three starts";

pub(super) const CANCEL_UPGRADE: &str = "\
Refused while the running set is not proven: the other one may be the only way back.

Examples:
  signpost cancel-upgrade                stay here; upgrade-to-inactive asks for it again";

pub(super) const ROLLBACK_TO_INACTIVE: &str = "\
Examples:
  signpost rollback-to-inactive          return to the set that ran before
  reboot";

pub(super) const REWRITE_TABLE: &str = "\
The same as repair.

Examples:
  signpost rewrite-table                 after another tool has changed the table";

/// What `upgrade-to-inactive` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Upgrade {
    /// How many starts the other set is granted before the boot program returns to this one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=15))]
    tries: Option<u8>,
    #[command(flatten)]
    words: Ignored,
}

impl Upgrade {
    pub(super) fn run(&self, disk: &OsDisk) -> Result<(), Error> {
        self.words.mention();
        match self.tries {
            None => run(Command::UpgradeToInactive, disk),
            Some(tries) => disk.upgrade_with_tries(tries).map(|status| narrate(&status)),
        }
    }
}

pub(super) fn run(command: Command, disk: &OsDisk) -> Result<(), Error> {
    disk.apply(command).map(|status| narrate(&status))
}
