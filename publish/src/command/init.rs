//! `pubrepo init`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use super::desk::DeskArgs;
use crate::{Desk, Error, InitOptions, InitReport};

/// Make keys, the root role and an empty repository
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    desk: DeskArgs,
    /// The first root role, signed by its holders; see "pubrepo root new" [default: root keys are made here]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root_keys", "root_threshold", "root_days"])]
    root: Option<PathBuf>,
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

  With a root role that its holders have signed, each wherever the key is:
    pubrepo init --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --root first.json --passphrase-env SECRET

  A second variant in the same place, with the same keys:
    pubrepo init --repo /srv/updates --keys ~/keys --variant cloud --arch x86_64";

/// Runs the command.
///
/// # Errors
/// As [`crate::init()`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<InitReport, Error> {
    let Desk { repo, keys, variant, arch } = args.desk.desk()?;
    let options = InitOptions {
        repo,
        keys,
        variant,
        arch,
        root: args.root,
        root_keys: args.root_keys,
        root_threshold: args.root_threshold,
        root_lifetime: Duration::days(args.root_days.into()),
    };
    crate::init(&options, now).await
}
