//! `pubrepo init`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use crate::{Error, InitOptions, InitReport};

/// Make keys, the root role and an empty repository
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The directory that a web server will serve
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The directory for the keys, outside of the repository; keys that are there are used
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The variant
    #[arg(long)]
    variant: String,
    /// The architecture, such as x86_64 or aarch64
    #[arg(long)]
    arch: String,
    /// How many root keys to make
    #[arg(long, default_value_t = 3, value_name = "N")]
    root_keys: u32,
    /// How many of them have to sign the root role
    #[arg(long, default_value_t = 2, value_name = "N")]
    root_threshold: u32,
    /// How long the root role holds
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    root_days: u16,
}

const EXAMPLES: &str = "\
Examples:
  Five holders of root keys, any three of whom sign:
    pubrepo init --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --root-keys 5 --root-threshold 3

  A second variant in the same place, with the same keys:
    pubrepo init --repo /srv/updates --keys ~/keys --variant cloud --arch x86_64";

/// Runs the command.
///
/// # Errors
/// As [`crate::init()`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<InitReport, Error> {
    let options = InitOptions {
        repo: args.repo,
        keys: args.keys,
        variant: args.variant,
        arch: args.arch,
        root_keys: args.root_keys,
        root_threshold: args.root_threshold,
        root_lifetime: Duration::days(args.root_days.into()),
    };
    crate::init(&options, now).await
}
