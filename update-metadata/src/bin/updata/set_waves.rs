//! `updata set-waves`: when an update opens for whom.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use host_io::Fs;
use tracing::{info, warn};
use update_metadata::WavePolicy;
use update_metadata::author::{Selector, set_waves};

use crate::cli::Which;
use crate::exit::Error;
use crate::file;

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
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs, now: DateTime<Utc>) -> Result<(), Error> {
        let text = file::text(fs, &self.wave_file)?;
        let policy = WavePolicy::parse(&text)
            .map_err(|source| Error::Policy { path: self.wave_file.clone(), source })?;
        for advice in policy.advice() {
            warn!("{}: {advice}", self.wave_file.display());
        }
        let selector = Selector::from(self.which);
        let start = self.start_at.unwrap_or(now);
        let manifest = set_waves(file::load(fs, &self.file)?, &selector, &policy, start)?;
        match selector.count(&manifest) {
            1 => info!("setting {} waves of {selector}, counted from {start}", policy.waves.len()),
            count => warn!("{selector} is in the manifest {count} times, and all of them get the waves"),
        }
        file::store(fs, &self.file, &manifest)
    }
}

fn date(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|date| date.to_utc())
        .map_err(|_| "write it like 2026-01-31T09:00:00Z".to_owned())
}
