//! `update explain`: every known version, and what speaks for or against it.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::api::Api;
use crate::error::Error;
use crate::screen::{table, time};
use crate::tell::{answer, answer_json};
use crate::update::form::Form;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// What the server explains, as far as people are told.
#[derive(Debug, Deserialize)]
struct Explanation {
    running: Image,
    seed: Option<u32>,
    updates: Vec<Update>,
}

#[derive(Debug, Deserialize)]
struct Image {
    variant: String,
    arch: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Update {
    version: String,
    verdict: String,
    reason: String,
    wave_opens: Option<DateTime<Utc>>,
}

/// Prints it.
///
/// # Errors
/// When the server cannot explain, or does not answer.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let uri = "/updates/explain";
    let failed = Error::call("ask why which update is chosen");
    let value = match api.get(uri).await {
        Ok(value) => value,
        Err(error) => return Err(failed(error)),
    };
    if args.form.is_json() {
        return answer_json(&value);
    }
    match Explanation::deserialize(value) {
        Ok(explanation) => answer(&screen(&explanation)),
        Err(error) => Err(failed(Api::nonsense(uri, &error))),
    }
}

fn screen(explanation: &Explanation) -> String {
    let Explanation { running, seed, updates } = explanation;
    let place = seed.map(|seed| format!("; its place in the fleet is {seed} of 2048")).unwrap_or_default();
    let runs = format!("This host runs {} ({}, {}){place}.", running.version, running.variant, running.arch);
    if updates.is_empty() {
        return format!("{runs}\nThe repository has no version for it.");
    }
    let rows: Vec<[String; 4]> = updates
        .iter()
        .map(|update| {
            let opens = update.wave_opens.map_or_else(|| "-".to_owned(), time);
            [update.version.clone(), update.verdict.clone(), opens, update.reason.clone()]
        })
        .collect();
    format!("{runs}\n{}", table(["VERSION", "VERDICT", "ITS WAVE OPENS", "WHY"], &rows))
}
