//! `updata show`: what a manifest offers.

use std::path::PathBuf;

use crate::explain::instant;
use crate::waves::opens_at;
use crate::{Manifest, Seed, Update};
use chrono::{DateTime, Utc};
use host_io::Fs;
use serde_json::{Value, json};

use super::answer::{Answer, table};
use super::exit::Error;
use super::file;

/// Show what a manifest offers: updates, when they open, and migrations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let manifest = file::load(fs, &self.file)?;
        Ok(Answer::new(text(&manifest), json(&manifest)))
    }
}

/// Every update with the date since when it is paused, if it is.
fn all(manifest: &Manifest) -> impl Iterator<Item = (&Update, Option<DateTime<Utc>>)> {
    let paused = manifest.extensions.paused.iter().map(|paused| (&paused.update, Some(paused.since)));
    manifest.updates.iter().map(|update| (update, None)).chain(paused)
}

fn text(manifest: &Manifest) -> String {
    let row = |(update, paused): (&Update, Option<DateTime<Utc>>)| {
        let [first, half, everybody] = match opens(update) {
            Some(dates) => dates.map(instant),
            None => ["at once", "", ""].map(str::to_owned),
        };
        let version = update.version.to_string();
        let max_version = update.max_version.to_string();
        let dates = update.waves.len().to_string();
        let notes = notes(update, paused).join("; ");
        [
            update.variant.clone(),
            update.arch.clone(),
            version,
            max_version,
            dates,
            first,
            half,
            everybody,
            notes,
        ]
    };
    let headings = ["VARIANT", "ARCH", "VERSION", "MAX", "DATES", "FIRST", "HALF", "ALL", "NOTES"];
    let updates = table(headings, all(manifest).map(row).collect());
    let step = |((from, to), names): (&(_, _), &Vec<String>)| {
        let names = if names.is_empty() { "nothing to run".to_owned() } else { names.join(", ") };
        [format!("{from}"), format!("{to}"), names]
    };
    let migrations = table(["FROM", "TO", "MIGRATIONS"], manifest.migrations.iter().map(step).collect());
    format!("{updates}\n{migrations}")
}

fn notes(update: &Update, paused: Option<DateTime<Utc>>) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(paused.map(|since| format!("paused since {}", instant(since))));
    if update.version > update.max_version {
        notes.push("taken back".to_owned());
    }
    if update.extensions.barrier {
        notes.push("barrier".to_owned());
    }
    notes.extend(update.extensions.min_updater.as_ref().map(|least| format!("updog {least} or newer")));
    if let Some(frames) = &update.extensions.frames {
        let roles: Vec<&str> = frames.named().map(|(role, _)| role).collect();
        notes.push(format!("frames of {}", roles.join(" and ")));
    }
    if !update.extensions.packs.is_empty() {
        let from: Vec<String> = update.extensions.packs.iter().map(|packs| packs.from.to_string()).collect();
        notes.push(format!("packs from {}", from.join(" and ")));
    }
    notes.extend(update.extensions.misread().map(|field| format!("its {field} cannot be read")));
    notes
}

/// When the first host, half of the fleet, and the last host may take an update; `None` when nobody waits.
fn opens(update: &Update) -> Option<[DateTime<Utc>; 3]> {
    let at = |seed| opens_at(&update.waves, Seed::new(seed).expect("a small number"));
    let last = at(2048)?;
    // A schedule that begins above some seeds lets those in at any time.
    let begin = *update.waves.values().next()?;
    Some([at(1).unwrap_or(begin), at(1024).unwrap_or(begin), last])
}

fn json(manifest: &Manifest) -> Value {
    let update = |(update, paused): (&Update, Option<DateTime<Utc>>)| {
        let opens =
            opens(update).map(|[first, half, all]| json!({ "first": first, "half": half, "all": all }));
        json!({
            "variant": update.variant, "arch": update.arch, "version": update.version,
            "max_version": update.max_version, "images": update.images, "dates": update.waves.len(), "opens": opens,
            "paused_since": paused, "barrier": update.extensions.barrier,
            "min_updater": update.extensions.min_updater, "frames": update.extensions.frames,
            "packs": update.extensions.packs, "notes": notes(update, paused),
        })
    };
    let step =
        |((from, to), names): (&(_, _), &Vec<String>)| json!({ "from": from, "to": to, "names": names });
    json!({
        "updates": all(manifest).map(update).collect::<Vec<_>>(),
        "migrations": manifest.migrations.iter().map(step).collect::<Vec<_>>(),
    })
}
