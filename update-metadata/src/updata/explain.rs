//! `updata explain`: what a host would make of a manifest, and why.

use std::path::PathBuf;

use crate::Seed;
use crate::explain::{Explained, Explanation, Host, Reader, explain, instant};
use chrono::{DateTime, Utc};
use host_io::Fs;
use semver::Version;
use serde_json::{Value, json};

use super::answer::{Answer, table};
use super::exit::Error;
use super::file;
use super::typed::{date, seed};

/// Say of each update what a host would make of it, and why.
///
/// The host wants the newest version and respects the schedule.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    /// The variant of the host.
    #[arg(short = 'l', long, visible_short_alias = 'f')]
    variant: String,
    /// The architecture of the host.
    #[arg(short = 'a', long)]
    arch: String,
    /// The version that the host runs.
    #[arg(short = 'v', long)]
    version: Version,
    /// The seed of the host, 0 to 2048.
    #[arg(short = 's', long, value_parser = seed)]
    seed: Seed,
    /// At what time, like 2026-01-31T09:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = date)]
    at: Option<DateTime<Utc>>,
    /// The version of the host's updog.
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    updater: Version,
    /// A host with the older rule for waves, which knows nothing of barriers and pauses.
    #[arg(long, conflicts_with = "updater")]
    older: bool,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs, now: DateTime<Utc>) -> Result<Answer, Error> {
        let manifest = file::load(fs, &self.file)?;
        let Self { variant, arch, version, seed, updater, .. } = self;
        let reader = if self.older { Reader::Older } else { Reader::Ours { updater } };
        let host = Host { variant, arch, version, seed, reader };
        let at = self.at.unwrap_or(now);
        let explanation = explain(&manifest, &host, at);
        Ok(Answer::new(text(&explanation), answer(&explanation, &host, at)))
    }
}

fn text(explanation: &Explanation<'_>) -> String {
    let row = |Explained { update, verdict }: &Explained<'_>| {
        let version = update.version.to_string();
        [update.variant.clone(), update.arch.clone(), version, verdict.word().to_owned(), verdict.to_string()]
    };
    let rows = explanation.updates.iter().map(row).collect();
    let summary = match (explanation.takes, explanation.next) {
        (Some(version), _) => format!("This host takes {version}."),
        (None, Some((version, at))) => {
            format!("This host takes nothing yet, and {version} from {} on.", instant(at))
        }
        (None, None) => "This host takes nothing.".to_owned(),
    };
    format!("{}\n{summary}\n", table(["VARIANT", "ARCH", "VERSION", "VERDICT", "WHY"], rows))
}

fn answer(explanation: &Explanation<'_>, host: &Host, at: DateTime<Utc>) -> Value {
    let update = |Explained { update, verdict }: &Explained<'_>| {
        let mut fields = json!({
            "variant": update.variant, "arch": update.arch, "version": update.version, "reason": verdict.to_string(),
        });
        let details = serde_json::to_value(verdict).expect("a verdict is plain data");
        for (name, value) in details.as_object().into_iter().flatten() {
            fields[name] = value.clone();
        }
        fields
    };
    let (rules, updater) = match &host.reader {
        Reader::Ours { updater } => ("ours", Some(updater)),
        Reader::Older => ("older", None),
    };
    json!({
        "host": {
            "variant": host.variant, "arch": host.arch, "version": host.version, "seed": host.seed.get(),
            "rules": rules, "updater": updater,
        },
        "at": at,
        "takes": explanation.takes,
        "next": explanation.next.map(|(version, at)| json!({ "version": version, "at": at })),
        "updates": explanation.updates.iter().map(update).collect::<Vec<_>>(),
    })
}
