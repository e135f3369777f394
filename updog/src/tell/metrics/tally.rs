//! What is counted over runs and reboots: a rule over values.
//!
//! It lies on the partition that both releases share, so fields are only ever added. One that cannot be read begins anew, as
//! counters may.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::page::{Number, Page};
use super::seen::{Asked, Chosen};
use crate::tell::evidence::{Evidence, Outcome};

/// How many different words of one label are kept. All of them are words of a program, and no program has as many.
const WORDS: usize = 64;

/// What was counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    checks: Counts,
    last_check: Option<LastCheck>,
    last_success: Option<DateTime<Utc>>,
    /// By command and outcome, apart by a space.
    runs: Counts,
    /// By stage and code, apart by a space.
    failures: Counts,
    /// In milliseconds.
    last_runs: Counts,
    /// In milliseconds.
    phases: Counts,
    network: u64,
    /// Bytes of images by source.
    images: Counts,
    written: u64,
}

type Counts = BTreeMap<String, u64>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastCheck {
    at: DateTime<Utc>,
    result: String,
    #[serde(default)]
    millis: u64,
    #[serde(default)]
    chosen: Option<Version>,
    #[serde(default)]
    opens: Option<DateTime<Utc>>,
    #[serde(default)]
    withheld: u64,
}

/// A run that ended.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// The subcommand.
    pub command: &'static str,
    /// Where and why it failed, if it did.
    pub failed: Option<(Stage, &'static str)>,
    /// The repository that it asked last.
    pub asked: Option<Asked>,
    /// What it did, where there is a record of that.
    pub evidence: Option<&'a Evidence>,
    /// Bytes received over the network.
    pub fetched: u64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// How far a run came that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was chosen yet.
    Check,
    /// A release was chosen, and nothing changed.
    Prepare,
    /// The other set was cleared, and stays so.
    Install,
    /// Of the boot bits, and what stands beside them.
    Flip,
    /// Of a boot that was to be marked good.
    Confirm,
}

impl Stage {
    /// The stage as it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Prepare => "prepare",
            Self::Install => "install",
            Self::Flip => "flip",
            Self::Confirm => "confirm",
        }
    }
}

impl Tally {
    /// With a run more.
    #[must_use]
    pub fn with(mut self, run: &Run<'_>) -> Self {
        if let Some(asked) = &run.asked {
            self.asked(asked);
        }
        if let Some((stage, code)) = run.failed {
            add(&mut self.failures, &format!("{} {code}", stage.as_str()), 1);
        }
        self.network = self.network.saturating_add(run.fetched);
        if let Some(evidence) = run.evidence {
            add(&mut self.runs, &format!("{} {}", run.command, evidence.outcome.as_str()), 1);
            for (phase, millis) in &evidence.timings {
                add(&mut self.phases, phase, *millis);
            }
            let bytes = evidence.bytes;
            if bytes.written > 0 || evidence.outcome == Outcome::Staged {
                let of_network = evidence.images.values().map(|image| image.bytes.fetched).sum();
                for (source, count) in
                    [("network", of_network), ("running_set", bytes.copied), ("in_place", bytes.skipped)]
                {
                    add(&mut self.images, source, count);
                }
            }
            self.written = self.written.saturating_add(bytes.written);
        }
        set(&mut self.last_runs, run.command, run.millis);
        self
    }

    fn asked(&mut self, asked: &Asked) {
        let result = asked.failed.unwrap_or("ok");
        add(&mut self.checks, result, 1);
        if asked.failed.is_none() {
            self.last_success = Some(asked.at);
        }
        let before = self.last_check.take();
        // Whoever asks without choosing, or in vain, takes back nothing that was chosen.
        let Chosen { version: chosen, opens } = asked.choice.clone().unwrap_or_else(|| {
            before.as_ref().map_or_else(Chosen::default, |before| Chosen {
                version: before.chosen.clone(),
                opens: before.opens,
            })
        });
        let withheld = match asked.failed {
            None => asked.withheld,
            Some(_) => before.map_or(0, |before| before.withheld),
        };
        let millis = u64::try_from(asked.took.as_millis()).unwrap_or(u64::MAX);
        let result = result.to_owned();
        self.last_check = Some(LastCheck { at: asked.at, result, millis, chosen, opens, withheld });
    }

    /// Says all of it. `running` is what runs here: it is chosen no more.
    pub fn say(&self, page: &mut Page, running: Option<&Version>) {
        if let Some(last) = &self.last_check {
            let chosen = last.chosen.as_ref().filter(|chosen| running != Some(*chosen));
            if let Some(chosen) = chosen {
                page.say("chosen_release_info", &[&chosen.to_string()], 1);
            }
            page.say_if("wave_opens_timestamp_seconds", last.opens.map(seconds));
            page.say("last_check_timestamp_seconds", &[], seconds(last.at));
            if of_a_program(&last.result) {
                page.say("last_check_info", &[&last.result], 1);
            }
            page.say("last_check_duration_seconds", &[], Number::Millis(last.millis));
            page.say("withheld_releases", &[], last.withheld);
        }
        page.say_if("last_successful_check_timestamp_seconds", self.last_success.map(seconds));
        each(&self.checks, |result, count| page.say("checks_total", &[result], count));
        for (counts, name) in [(&self.runs, "runs_total"), (&self.failures, "failures_total")] {
            each(counts, |pair, count| {
                if let Some((one, other)) = pair.split_once(' ') {
                    page.say(name, &[one, other], count);
                }
            });
        }
        each(&self.last_runs, |command, millis| {
            page.say("last_run_duration_seconds", &[command], Number::Millis(millis));
        });
        each(&self.phases, |phase, millis| {
            page.say("phase_duration_seconds_total", &[phase], Number::Millis(millis));
        });
        page.say("network_bytes_total", &[], self.network);
        each(&self.images, |source, count| page.say("image_bytes_total", &[source], count));
        page.say("written_bytes_total", &[], self.written);
    }
}

/// A time as it is told.
#[must_use]
pub fn seconds(at: DateTime<Utc>) -> Number {
    Number::Whole(at.timestamp())
}

fn add(counts: &mut Counts, word: &str, more: u64) {
    let now = counts.get(word).copied().unwrap_or_default();
    set(counts, word, now.saturating_add(more));
}

fn set(counts: &mut Counts, word: &str, count: u64) {
    if counts.len() < WORDS || counts.contains_key(word) {
        counts.insert(word.to_owned(), count);
    }
}

/// Every count whose word is one of a program.
fn each(counts: &Counts, mut say: impl FnMut(&str, u64)) {
    let known = counts.iter().filter(|(word, _)| of_a_program(word)).take(WORDS);
    known.for_each(|(word, count)| say(word, *count));
}

/// Whether a word may be one of a program: whatever else stands in the file is not passed on.
fn of_a_program(word: &str) -> bool {
    word.len() <= WORDS && word.chars().all(|at| at.is_ascii_lowercase() || " _-".contains(at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::v;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute)
    }

    fn asked(minute: i64, failed: Option<&'static str>, choice: Option<Chosen>) -> Asked {
        Asked { at: at(minute), failed, took: Duration::from_millis(1500), choice, withheld: 2 }
    }

    fn check(asked: Asked) -> Run<'static> {
        let failed = asked.failed.map(|code| (Stage::Check, code));
        Run {
            command: "check-update",
            failed,
            asked: Some(asked),
            evidence: None,
            fetched: 100,
            millis: 2000,
        }
    }

    fn lines(tally: &Tally, running: &str) -> Vec<String> {
        let mut page = Page::default();
        tally.say(&mut page, Some(&v(running)));
        let lines = page.text();
        let said = |line: &&str| !line.starts_with('#');
        lines.lines().filter(said).map(|line| line.trim_start_matches("update_stack_").to_owned()).collect()
    }

    #[test]
    fn checks_are_counted_and_the_last_one_is_told() {
        let chosen = Chosen { version: Some(v("1.1.0")), opens: None };
        let tally = Tally::default().with(&check(asked(1, None, Some(chosen)))).with(&check(asked(
            2,
            Some("unreachable"),
            None,
        )));
        assert_eq!(
            lines(&tally, "1.0.0"),
            [
                "chosen_release_info{version=\"1.1.0\"} 1",
                "last_check_timestamp_seconds 120",
                "last_check_info{result=\"unreachable\"} 1",
                "last_successful_check_timestamp_seconds 60",
                "last_check_duration_seconds 1.500",
                "checks_total{result=\"ok\"} 1",
                "checks_total{result=\"unreachable\"} 1",
                "failures_total{stage=\"check\",code=\"unreachable\"} 1",
                "last_run_duration_seconds{command=\"check-update\"} 2.000",
                "network_bytes_total 200",
                "written_bytes_total 0",
                "withheld_releases 2",
            ]
        );
        assert!(!lines(&tally, "1.1.0").iter().any(|line| line.starts_with("chosen")), "it runs");
        let waits = Chosen { version: None, opens: Some(at(60)) };
        let waits = lines(&tally.with(&check(asked(3, None, Some(waits)))), "1.0.0");
        assert!(waits.contains(&"wave_opens_timestamp_seconds 3600".to_owned()), "{waits:?}");
        assert!(!waits.iter().any(|line| line.starts_with("chosen")), "{waits:?}");
    }

    #[test]
    fn an_update_is_counted_by_how_it_ended_and_where_its_bytes_came_from() {
        let mut evidence = Evidence { outcome: Outcome::Staged, ..Evidence::default() };
        evidence.bytes = crate::tell::evidence::Bytes { fetched: 50, copied: 7, skipped: 8, written: 9 };
        let root = crate::tell::evidence::Bytes { fetched: 40, ..Default::default() };
        let image = crate::tell::evidence::ImageEvidence { bytes: root, ..Default::default() };
        evidence.images.insert("root".to_owned(), image);
        evidence.timings.insert("write".to_owned(), 1234);
        let run = |evidence| Run {
            command: "update-image",
            failed: None,
            asked: None,
            evidence: Some(evidence),
            fetched: 50,
            millis: 3000,
        };
        let tally = Tally::default().with(&run(&evidence)).with(&run(&evidence));
        let lines = lines(&tally, "1.0.0");
        for line in [
            "runs_total{command=\"update-image\",outcome=\"staged\"} 2",
            "phase_duration_seconds_total{phase=\"write\"} 2.468",
            "network_bytes_total 100",
            "image_bytes_total{source=\"network\"} 80",
            "image_bytes_total{source=\"running_set\"} 14",
            "image_bytes_total{source=\"in_place\"} 16",
            "written_bytes_total 18",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line} in {lines:?}");
        }
    }

    #[test]
    fn a_file_of_another_release_or_of_somebody_else_is_read_and_not_passed_on() {
        let text = r#"{"new":{},"checks":{"ok":3,"https://user:secret@host/":4},"runs":{"one":1},
            "last_check":{"at":"2024-06-01T00:00:00Z","result":"ok","more":[]}}"#;
        let tally: Tally = serde_json::from_str(text).unwrap();
        let lines = lines(&tally, "1.0.0");
        assert!(lines.contains(&"checks_total{result=\"ok\"} 3".to_owned()), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("secret") || line.starts_with("runs")), "{lines:?}");
    }

    #[test]
    fn only_so_many_words_are_kept() {
        let mut counts = Counts::new();
        (0..200).for_each(|number| add(&mut counts, &format!("word-{number}"), 1));
        assert_eq!(counts.len(), WORDS);
        add(&mut counts, "word-0", 1);
        assert_eq!(counts["word-0"], 2);
    }
}
