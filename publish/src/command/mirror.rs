//! `pubrepo mirror`.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use semver::Version;

use super::place::PlaceArgs;
use crate::Error;
use crate::mirror::{MirrorOptions, MirrorReport, mirror};
use crate::progress::Bar;

/// Copy a repository, or a part of it, for places without a network
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// The directory of the copy
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A version whose images are copied; may be given again [default: all]
    #[arg(long = "version", value_name = "VERSION")]
    versions: Vec<Version>,
}

const EXAMPLES: &str = "\
Examples:
  Only 1.1.0, onto a stick; hosts find it at file:///media/stick:
    pubrepo mirror https://updates.example.com --variant metal --arch x86_64 \\
      --trusted-root root.json --out /media/stick --version 1.1.0";

/// Runs the command.
///
/// # Errors
/// As [`mirror`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<MirrorReport, Error> {
    let options = MirrorOptions { place: args.place.into(), out: args.out, versions: args.versions };
    mirror(&options, now, Arc::new(Bar::new("copy"))).await
}
