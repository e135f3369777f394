//! `pubrepo delegate sign|add|remove`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};
use trusted_repo::author::{Delegation, Purpose};

use super::desk::{ChangeArgs, public_key};
use super::passphrase::PassphraseArgs;
use crate::Error;
use crate::delegate::{self, DelegateReport};

/// Teams with keys of their own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

const EXAMPLES: &str = "\
Examples:
  The team makes a key and the first version of its role:
    pubrepo root new-key --out team-a.pem --public team-a.pub
    pubrepo delegate sign team-a --key team-a.pem --out team-a.json

  Whoever holds the targets key lets it look after one variant:
    pubrepo delegate add team-a --first team-a.json --public-key team-a.pub \\
      --path manifest-metal.json --path 'ours-metal-*' \\
      --repo /srv/updates --keys ~/keys --variant metal --arch x86_64

  The team publishes, with team-a.pem, snapshot.pem and timestamp.pem in ~/team:
    pubrepo add --team team-a --repo /srv/updates --keys ~/team --variant metal \\
      --arch x86_64 --version 1.1.0 --boot boot.img --root root.img";

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Write the first version of a team's role, which lists nothing yet
    Sign(SignArgs),
    /// Let a team list some targets
    Add(Box<AddArgs>),
    /// Let a team list nothing any more
    Remove(Box<RemoveArgs>),
}

#[derive(Debug, clap::Args)]
struct SignArgs {
    /// The name of the role: small letters, digits and hyphens
    name: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A key of the team; once for each that has to sign
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// How long the role holds
    #[arg(long, default_value_t = 14, value_name = "DAYS")]
    days: u16,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The name of the role
    name: String,
    /// The first version of the role, as "delegate sign" writes it
    #[arg(long, value_name = "FILE")]
    first: PathBuf,
    /// The public key of a member of the team; once for each: any one of them signs
    #[arg(long, value_name = "FILE", required = true)]
    public_key: Vec<PathBuf>,
    /// A pattern of names that the team may list, such as manifest-metal.json or 'ours-metal-*'; once for each
    #[arg(long, value_name = "PATTERN", required_unless_present = "holds")]
    path: Vec<String>,
    /// The role withholds releases from hosts ("pubrepo hold"), and lists nothing else
    #[arg(long, conflicts_with_all = ["path", "terminating"])]
    holds: bool,
    /// Ask no later team for these names
    #[arg(long)]
    terminating: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The name of the role
    name: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// What a step answers with.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The delegations as they are published.
    Published(DelegateReport),
    /// A file was written.
    Written {
        /// The file.
        first: PathBuf,
    },
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Published(report) => report.fmt(f),
            Self::Written { first } => write!(f, "{}: version 1, lists nothing yet", first.display()),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// As [`delegate::first`], [`delegate::add`] and [`delegate::remove`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<Answer, Error> {
    match args.step {
        Step::Sign(args) => {
            let passphrase = args.passphrase.source()?;
            let keys =
                args.key.iter().map(|path| passphrase.open(path)).collect::<Result<Vec<_>, Error>>()?;
            let expires = now + Duration::days(args.days.into());
            delegate::first(&args.name, &keys, &args.out, expires).await?;
            Ok(Answer::Written { first: args.out })
        }
        Step::Add(args) => {
            let AddArgs { name, first, public_key: keys, path, holds, terminating, change } = *args;
            let keys = keys.iter().map(public_key).collect::<Result<_, _>>()?;
            let purpose = if holds { Purpose::Holds } else { Purpose::Targets(path) };
            let delegation = Delegation { name, keys, threshold: 1, purpose, terminating };
            let (desk, lifetimes) = change.read()?;
            delegate::add(&desk, &delegation, &first, lifetimes, now).await.map(Answer::Published)
        }
        Step::Remove(args) => {
            let RemoveArgs { name, change } = *args;
            let (desk, lifetimes) = change.read()?;
            delegate::remove(&desk, &name, lifetimes, now).await.map(Answer::Published)
        }
    }
}
