//! `updata set-waves`: when an update opens for whom.

use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::author::{Selector, set_paced_waves};
use crate::{Density, Pace, WavePolicy, pace, span};
use chrono::{DateTime, TimeDelta, Utc};
use host_io::Fs;
use serde_json::json;
use tracing::{info, warn};

use super::answer::{Answer, named};
use super::exit::Error;
use super::file;
use super::typed::{Which, date};

/// Give an update the waves of a policy; its old ones go away.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// The policy, a TOML file.
    #[arg(short = 'w', long)]
    wave_file: PathBuf,
    /// When the rollout starts, like 2026-01-31T09:00:00Z [default: now].
    #[arg(long, value_name = "DATE", value_parser = date)]
    start_at: Option<DateTime<Utc>>,
    /// Write a date for each so many seeds, so that hosts with the older rule for waves are paced as well.
    #[arg(long, value_name = "SEEDS", default_value_t = pace::STEP)]
    dense_step: NonZeroU32,
    /// Write the dates of the policy only.
    #[arg(long, conflicts_with = "dense_step")]
    no_dense: bool,
    /// Spread the last wave over so long a time, like 24h; without it everybody who is left comes at once.
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    tail: Option<TimeDelta>,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs, now: DateTime<Utc>) -> Result<Answer, Error> {
        let text = file::text(fs, &self.wave_file)?;
        let policy = WavePolicy::parse(&text)
            .map_err(|source| Error::Policy { path: self.wave_file.clone(), source })?;
        for advice in policy.advice() {
            warn!("{}: {advice}", self.wave_file.display());
        }
        let selector = Selector::from(self.which);
        let start = self.start_at.unwrap_or(now);
        let density = if self.no_dense { Density::Sparse } else { Density::Every(self.dense_step) };
        let pace = Pace { density, tail: self.tail };
        let manifest = set_paced_waves(file::load(fs, &self.file)?, &selector, &policy, pace, start)?;
        let waves =
            manifest.updates.iter().find(|update| selector.matches(update)).map(|update| &update.waves);
        let dates = waves.map_or(0, |waves| waves.len());
        let updates = selector.count(&manifest);
        match updates {
            1 => info!(
                "setting {} waves of {selector}, {dates} dates, counted from {start}",
                policy.waves.len()
            ),
            count => warn!("{selector} is in the manifest {count} times, and all of them get the waves"),
        }
        file::store(fs, &self.file, &manifest)?;
        Ok(Answer::changed(json!({
            "paced": named(&selector), "updates": updates, "waves": policy.waves.len(), "dates": dates, "start": start,
        })))
    }
}
