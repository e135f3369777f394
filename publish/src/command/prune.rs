//! `pubrepo prune`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use super::place::span;
use crate::Error;
use crate::prune::{PruneOptions, PruneReport, prune};

/// Remove files of targets that no metadata names any more; without --yes they are only told
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The repository: the directory that a web server serves
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// How long a file stays after the last snapshot that named it has expired
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = span)]
    grace: Duration,
    /// Remove them
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only tell (as without --yes)
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  What could go:
    pubrepo prune --repo /srv/updates

  Let it go, a month after anybody could have asked for it:
    pubrepo prune --repo /srv/updates --grace 30d --yes";

/// Runs the command.
///
/// # Errors
/// As [`prune`].
pub fn run(args: &Args, now: DateTime<Utc>) -> Result<PruneReport, Error> {
    prune(&PruneOptions { repo: args.repo.clone(), grace: args.grace, dry_run: !args.yes }, now)
}
