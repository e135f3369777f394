//! `signpost boot-deadline`: what a timer runs when a boot was not marked good in time.

use crate::deadline::{Overdue, overdue};
use crate::{Error, OsDisk};
use host_io::{Host as _, Paths, SystemHost, say};

use super::answer;

pub(super) const EXAMPLES: &str = "\
A set that is not marked good resets the machine, if the other set boots. Neither a session nor a program that
asks to be left alone prevents that, nor a service that does not stop. Otherwise the machine stays up, and this fails
with exit code 1, so that the service manager calls the system degraded; 3 means that trying again may help. A set that
is marked good is left alone.

Examples:
  signpost boot-deadline --dry-run       say what would be done
  systemctl status boot-deadline.timer   when it is done";

/// What `boot-deadline` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, disk: &OsDisk, paths: &Paths) -> Result<(), Error> {
    let status = disk.status()?;
    let active = status.active;
    match overdue(status.active().bits, status.inactive().map(|set| set.bits), status.next) {
        Overdue::Proven => answer::give(&format!("set {active} is marked good\n")),
        Overdue::Reset { next } => {
            let said = format!("set {active} was not marked good in time: reset, and set {next} boots\n");
            if args.dry_run {
                return answer::give(&said);
            }
            // Whoever reads it, or does not, the machine is reset.
            say::outcome(&said);
            SystemHost::new(paths.clone()).reset().map_err(Error::Reset)
        }
        Overdue::Degraded => Err(Error::Degraded(active)),
    }
}
