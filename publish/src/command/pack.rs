//! `pubrepo pack`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use semver::Version;

use super::desk::{DeskArgs, LifetimeArgs};
use crate::Error;
use crate::pack::{PackOptions, PacksReport, pack};
use crate::progress::Bar;

/// Make the pack that leads from one published release to another
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    desk: DeskArgs,
    /// The release that hosts run before
    #[arg(long, value_name = "VERSION", value_parser = host_io::host::typed_version)]
    from: Version,
    /// The release that they run after it
    #[arg(long, value_name = "VERSION", value_parser = host_io::host::typed_version)]
    to: Version,
    #[command(flatten)]
    lifetimes: LifetimeArgs,
}

const EXAMPLES: &str = "\
\"pubrepo add\" makes packs from the last three releases by itself; this is for others.

Examples:
  Many hosts still run 1.0.0:
    pubrepo pack --from 1.0.0 --to 1.9.0 --repo /srv/updates --keys ~/keys --variant metal --arch x86_64";

/// Runs the command.
///
/// # Errors
/// As [`pack`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<PacksReport, Error> {
    let Args { desk, from, to, lifetimes } = args;
    let options = PackOptions { desk: desk.desk()?, from, to, lifetimes: lifetimes.lifetimes()? };
    pack(&options, now, Arc::new(Bar::new("pack"))).await
}
