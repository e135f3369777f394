//! `pubrepo hold add|remove|list`.

use chrono::{DateTime, Utc};
use semver::Version;

use super::desk::ChangeArgs;
use super::place::PlaceArgs;
use crate::Error;
use crate::hold::{self, HeldReport, HoldReport};

/// Releases that are withheld from hosts, by whoever keeps a role for holds
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

const EXAMPLES: &str = "\
Bottlerocket's own hosts take no notice of holds: for them \"pubrepo pause\" with the targets key.

Examples:
  Whoever holds the targets key delegates to a role that can withhold releases and do nothing else:
    pubrepo delegate add guard --holds --first guard.json --public-key guard.pub \\
      --repo /srv/updates --keys ~/keys --variant metal --arch x86_64

  Whoever keeps it, with guard.pem, snapshot.pem, timestamp.pem and root.json in ~/guard:
    pubrepo hold add 1.1.0 --team guard --reason '12 of 300 hosts fell back' \\
      --repo /srv/updates --keys ~/guard --variant metal --arch x86_64
    pubrepo hold remove 1.1.0 --team guard \\
      --repo /srv/updates --keys ~/guard --variant metal --arch x86_64";

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Let no host take a release from now on
    Add(Box<AddArgs>),
    /// Let hosts take a release again
    Remove(Box<RemoveArgs>),
    /// Tell what is withheld, by whom and why
    List(PlaceArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The version of the release
    version: Version,
    /// Why, in a few words: people on hosts read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The version of the release
    version: Version,
    #[command(flatten)]
    change: ChangeArgs,
}

/// What a step answers with.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The holds as they are published.
    Published(HoldReport),
    /// What is withheld.
    Held(HeldReport),
}

impl Answer {
    /// Whether nothing was done but to find this out.
    #[must_use]
    pub fn is_look(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Published(report) => report.fmt(f),
            Self::Held(report) => report.fmt(f),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// As [`hold::add`], [`hold::remove`] and [`hold::held`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<Answer, Error> {
    match args.step {
        Step::Add(args) => {
            let AddArgs { version, reason, change } = *args;
            let (desk, lifetimes) = change.read()?;
            hold::add(&desk, &version, &reason, lifetimes, now).await.map(Answer::Published)
        }
        Step::Remove(args) => {
            let RemoveArgs { version, change } = *args;
            let (desk, lifetimes) = change.read()?;
            hold::remove(&desk, &version, lifetimes, now).await.map(Answer::Published)
        }
        Step::List(place) => hold::held(&place.into()).await.map(Answer::Held),
    }
}
