//! `pubrepo refresh`.

use chrono::{DateTime, Utc};

use super::desk::ChangeArgs;
use crate::Error;
use crate::refresh::{RefreshReport, refresh};

/// Sign the roles below root again, with new dates; no target changes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    change: ChangeArgs,
}

const EXAMPLES: &str = "\
Examples:
  Every day, long before the timestamp expires:
    pubrepo refresh --repo /srv/updates --keys ~/keys --variant metal --arch x86_64

  As a policy file says:
    pubrepo refresh --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --expiration-policy expiration.toml --json";

/// Runs the command.
///
/// # Errors
/// As [`refresh`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<RefreshReport, Error> {
    let (desk, lifetimes) = args.change.read()?;
    refresh(&desk, lifetimes, now).await
}
