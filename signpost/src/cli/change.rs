//! Every command that changes bits. Silent on stdout; stderr says what is true on the disk now.

use signpost::{Command, Error, OsDisk, Status};

use super::args::Ignored;

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

/// Says what is true on the disk after a change.
pub(super) fn narrate(status: &Status) {
    match status.next {
        Some(next) if next == status.active => tracing::info!("set {next} boots next; it is running now"),
        Some(next) => tracing::info!("set {next} boots next; set {} is running now", status.active),
        None => tracing::warn!("no set would boot next"),
    }
    for note in &status.notes {
        tracing::warn!("{note}");
    }
}
