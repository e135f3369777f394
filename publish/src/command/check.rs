//! `pubrepo check`.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use semver::Version;

use super::place::{PlaceArgs, span};
use crate::Error;
use crate::check::{CheckOptions, CheckReport, Sizes, check};
use crate::progress::Bar;

/// Walk a repository as hosts do, and tell everything that they would stumble over
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    check: CheckArgs,
}

/// Which repository is walked, and for which hosts.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The oldest version that hosts may come from [default: the oldest on offer]
    #[arg(long, value_name = "VERSION")]
    oldest: Option<Version>,
    /// How long the root role has to hold from now on
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = span)]
    root_margin: Duration,
    /// The size of the system image that hosts were partitioned for, in GiB: sets the three sizes below
    #[arg(long, value_name = "GIB", default_value_t = 2)]
    layout: u32,
    /// The size of a host's BOOT partition in bytes
    #[arg(long, value_name = "BYTES")]
    boot_size: Option<u64>,
    /// The size of a host's ROOT partition in bytes
    #[arg(long, value_name = "BYTES")]
    root_size: Option<u64>,
    /// The size of a host's HASH partition in bytes
    #[arg(long, value_name = "BYTES")]
    hash_size: Option<u64>,
}

const EXAMPLES: &str = "\
Exit status: 0 when there is nothing but advice, 1 when there are errors.

Examples:
  Before it is served:
    pubrepo check /srv/updates --variant metal --arch x86_64 --trusted-root keys/root.json

  As the field sees it, for hosts as old as 1.0.0 with partitions of their own:
    pubrepo check https://updates.example.com --variant metal --arch x86_64 \\
      --trusted-root root.json --oldest 1.0.0 --root-size 1073741824 --json";

/// Runs the command.
///
/// # Errors
/// As [`check`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<CheckReport, Error> {
    check(&args.check.read(), now, Arc::new(Bar::new("check"))).await
}

impl CheckArgs {
    /// As given.
    #[must_use]
    pub fn read(self) -> CheckOptions {
        let layout = Sizes::of_layout(self.layout);
        CheckOptions {
            place: self.place.into(),
            sizes: Sizes {
                boot: self.boot_size.unwrap_or(layout.boot),
                root: self.root_size.unwrap_or(layout.root),
                hash: self.hash_size.unwrap_or(layout.hash),
            },
            oldest: self.oldest,
            root_margin: self.root_margin,
        }
    }
}
