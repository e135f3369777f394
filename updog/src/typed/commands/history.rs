//! `history`: what was done on this host lately, and one run in full. Needs no network and changes nothing.

use chrono::{DateTime, SecondsFormat, Utc};
use host_io::OperationLock;
use host_io::bar::mib;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::evidence::{Evidence, Outcome};
use crate::tell::history;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// One record, by its name or number; all of them where it is absent.
    pub id: Option<String>,
}

/// Answers on stdout, newest first.
///
/// # Errors
/// When there is no such record.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let records = history::load(&*context.fs, &context.paths);
    let Some(id) = &args.id else {
        return match context.format {
            Format::Json => answer::pretty(&records),
            Format::Text if records.is_empty() => answer::lines(["Nothing was done yet".to_owned()]),
            Format::Text => {
                let busy = OperationLock::is_held(&context.paths).unwrap_or(false);
                answer::lines(table(&records, busy))
            }
        };
    };
    let found = records.into_iter().find(|record| record.id.is(id));
    let record = found.ok_or_else(|| Error::NoRecord { id: id.clone() })?;
    match context.format {
        Format::Json => answer::pretty(&record),
        Format::Text => answer::lines(detail(&record)),
    }
}

/// A line for each run. Only the newest one can still be running, and only while somebody holds the lock.
fn table(records: &[Evidence], busy: bool) -> Vec<String> {
    let header = ["NUMBER", "BEGAN", "COMMAND", "FROM", "TO", "FETCHED", "OUTCOME"].map(str::to_owned);
    let row = |(at, record): (usize, &Evidence)| {
        let text = |version: &Option<semver::Version>| {
            version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        let number = record.id.to_string();
        let number = number.split_once('-').map_or(number.as_str(), |(number, _)| number);
        [
            number.trim_start_matches('0').to_owned(),
            record.started.format("%Y-%m-%d %H:%M:%S").to_string(),
            record.command.clone(),
            text(&record.from),
            text(&record.to),
            fetched(record),
            outcome(record, busy && at == 0),
        ]
    };
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(records.iter().enumerate().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// What is known of one that did not end is from before its first change.
fn fetched(record: &Evidence) -> String {
    format!("{}{}", at_least(record), mib(record.bytes.fetched))
}

fn at_least(record: &Evidence) -> &'static str {
    if record.outcome == Outcome::Unfinished { "at least " } else { "" }
}

fn outcome(record: &Evidence, running: bool) -> String {
    let mut text = match record.outcome {
        Outcome::Unfinished if running => "running".to_owned(),
        Outcome::Unfinished => "cut short".to_owned(),
        other => other.as_str().to_owned(),
    };
    // The code of whatever has none of its own is the outcome once more.
    if let Some(error) = record.error.as_ref().filter(|error| error.code != text) {
        text.push_str(&format!(" ({})", error.code));
    }
    match record.repeats {
        0 => {}
        1 => text.push_str(", as once before"),
        more => text.push_str(&format!(", as {more} times before")),
    }
    text
}

fn second(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// One run in full.
fn detail(record: &Evidence) -> Vec<String> {
    let mut lines = vec![format!("{} {}: {}", record.command, record.id, outcome(record, false))];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<10} {text}"));
    line("began", second(record.started));
    if let Some(ended) = record.ended {
        line("ended", second(ended));
    }
    let kind = [&record.variant, &record.arch].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    if let Some(from) = &record.from {
        line("from", from.to_string());
    }
    if let Some(to) = &record.to {
        let set = record.set.as_ref().map_or_else(String::new, |set| format!(", set {set}"));
        line("to", format!("{to} ({kind}{set})"));
    }
    if let Some(metadata) = record.metadata {
        line(
            "decided by",
            format!(
                "root {}, timestamp {}, snapshot {}, targets {}",
                metadata.root, metadata.timestamp, metadata.snapshot, metadata.targets
            ),
        );
    }
    if let Some(manifest) = &record.manifest_sha256 {
        line("manifest", manifest.clone());
    }
    let bytes = |bytes: &crate::tell::evidence::Bytes| {
        format!(
            "{} fetched, {} copied, {} skipped, {} written",
            mib(bytes.fetched),
            mib(bytes.copied),
            mib(bytes.skipped),
            mib(bytes.written)
        )
    };
    line("bytes", format!("{}{}", at_least(record), bytes(&record.bytes)));
    for (name, image) in &record.images {
        let way = image.way.as_ref().map_or_else(String::new, |way| format!(" ({way})"));
        line(name, format!("{}{way}", bytes(&image.bytes)));
        if let Some(root_hash) = &image.root_hash {
            line("", format!("root hash {root_hash}"));
        }
        if let Some(sha256) = &image.sha256 {
            line("", format!("SHA-256 {sha256}"));
        }
    }
    if let Some(read_back) = &record.read_back {
        line("read back", format!("from the {}, after {} syncs", read_back.replace('-', " "), record.syncs));
    }
    for (phase, spent) in &record.timings {
        line("took", format!("{phase}: {spent} ms"));
    }
    for note in &record.notes {
        for (number, text) in note.lines().enumerate() {
            line(if number == 0 { "note" } else { "" }, text.to_owned());
        }
    }
    if let Some(error) = &record.error {
        line("failed", error.message.clone());
        if let Some(help) = &error.help {
            line("help", help.clone());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::tell::evidence::Failure;

    fn record(id: &str, outcome: Outcome) -> Evidence {
        let text = format!(
            r#"{{"id":"{id}","started":"2024-06-01T01:02:03Z","command":"update","outcome":"{}"}}"#,
            outcome.as_str()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_table_tells_a_run_that_runs_from_one_that_was_cut_short() {
        let done = Evidence {
            from: Some(Version::new(1, 0, 0)),
            to: Some(Version::new(1, 1, 0)),
            ..record("000007-x", Outcome::Activated)
        };
        let failed = Evidence {
            error: Some(Failure { code: "unreachable".to_owned(), ..Failure::default() }),
            repeats: 3,
            ..record("000006-x", Outcome::Failed)
        };
        let records = [record("000008-x", Outcome::Unfinished), done, failed];
        assert_eq!(
            table(&records, true),
            [
                "NUMBER  BEGAN                COMMAND  FROM   TO     FETCHED           OUTCOME",
                "8       2024-06-01 01:02:03  update   -      -      at least 0.0 MiB  running",
                "7       2024-06-01 01:02:03  update   1.0.0  1.1.0  0.0 MiB           activated",
                "6       2024-06-01 01:02:03  update   -      -      0.0 MiB           failed (unreachable), as 3 times before",
            ]
        );
        assert!(table(&records, false)[1].ends_with("cut short"));
    }
}
