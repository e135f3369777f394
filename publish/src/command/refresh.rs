//! `pubrepo refresh`.

use chrono::{DateTime, Utc};

use super::desk::{DeskArgs, LifetimeArgs};
use crate::Error;
use crate::refresh::{RefreshReport, refresh};

/// Sign the roles below root again, with new dates; no target changes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    desk: DeskArgs,
    #[command(flatten)]
    lifetimes: LifetimeArgs,
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
    refresh(&args.desk.desk()?, args.lifetimes.lifetimes()?, now).await
}
