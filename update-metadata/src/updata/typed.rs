//! What several subcommands take: which update is meant, a time, a seed.

use chrono::{DateTime, Utc};
use clap::Args;
use semver::Version;

use crate::Seed;
use crate::author::Selector;

/// Which update is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The variant of the update.
    #[arg(short = 'l', long, visible_short_alias = 'f')]
    variant: String,
    /// The version of the update.
    #[arg(short = 'v', long)]
    version: Version,
    /// The architecture of the update.
    #[arg(short = 'a', long)]
    arch: String,
}

impl From<Which> for Selector {
    fn from(Which { variant, version, arch }: Which) -> Self {
        Self { variant, arch, version }
    }
}

/// A time as RFC 3339 has it.
pub(crate) fn date(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|date| date.to_utc())
        .map_err(|_| "write it like 2026-01-31T09:00:00Z".to_owned())
}

/// A seed.
pub(crate) fn seed(text: &str) -> Result<Seed, String> {
    let seed = text.parse().ok().and_then(|seed| Seed::new(seed).ok());
    seed.ok_or_else(|| "it must be a number between 0 and 2048".to_owned())
}
