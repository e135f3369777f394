//! `pubrepo expiring`.

use chrono::{DateTime, Duration, Utc};

use super::place::{PlaceArgs, span};
use crate::Error;
use crate::refresh::{ExpiringReport, expiring};

/// Tell which roles expire soon; the exit status is 1 if there is one, or the role of a team cannot be had
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// How soon
    #[arg(long, value_name = "TIME", value_parser = span)]
    within: Duration,
}

const EXAMPLES: &str = "\
Exit status: 0 when nothing expires within the time, 1 when something does, or already has, or the\nrole of a team cannot be had or trusted.

Examples:
  For a monitor:
    pubrepo expiring https://updates.example.com --variant metal --arch x86_64 \\
      --trusted-root root.json --within 3d";

/// Runs the command.
///
/// # Errors
/// As [`expiring`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<ExpiringReport, Error> {
    expiring(&args.place.into(), args.within, now).await
}
