//! What a step of the demo has shown, for people and for programs.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::memory::Peaks;

/// How the demo speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Narration on stdout.
    People,
    /// One JSON object a line on stdout.
    Json,
}

/// One step, as it went.
#[derive(Debug, Serialize)]
pub(crate) struct StepReport {
    /// Its letter.
    pub(crate) step: &'static str,
    /// What it is about.
    pub(crate) title: &'static str,
    /// Whether every expectation held.
    pub(crate) ok: bool,
    /// The version that the host runs at the end.
    pub(crate) version: Option<String>,
    /// The set that it runs from.
    pub(crate) active: Option<String>,
    /// Wall time in seconds.
    pub(crate) seconds: f64,
    /// Bytes that the repository's server sent.
    pub(crate) bytes_fetched: u64,
    /// What was seen to be so.
    pub(crate) proved: Vec<String>,
    /// What was expected and was not so; at most one, for a step ends there.
    pub(crate) failed: Vec<String>,
}

/// A step that is being played.
pub(crate) struct Step {
    voice: Voice,
    started: Instant,
    report: StepReport,
}

/// An expectation that did not hold: the step ends here.
#[derive(Debug)]
pub(crate) struct Unmet;

impl Step {
    #[expect(clippy::disallowed_methods, reason = "the demo tells how long each step took")]
    pub(crate) fn begin(voice: Voice, step: &'static str, title: &'static str) -> Self {
        if voice == Voice::People {
            println!("\n{step}. {title}");
        }
        let report = StepReport {
            step,
            title,
            ok: false,
            version: None,
            active: None,
            seconds: 0.0,
            bytes_fetched: 0,
            proved: Vec::new(),
            failed: Vec::new(),
        };
        Self { voice, started: Instant::now(), report }
    }

    /// Tells people what is being done.
    pub(crate) fn say(&self, text: &str) {
        if self.voice == Voice::People {
            println!("   {text}");
        }
    }

    /// Shows a command and what it printed.
    pub(crate) fn show(&self, command: &str, printed: &str) {
        if self.voice == Voice::People {
            println!("   $ {command}");
            for line in printed.lines() {
                println!("     {line}");
            }
        }
    }

    /// Notes that something is so, or ends the step.
    pub(crate) fn expect(&mut self, holds: bool, what: impl Into<String>) -> Result<(), Unmet> {
        let what = what.into();
        if self.voice == Voice::People {
            println!("   {} {what}   [{}]", if holds { "✓" } else { "✗" }, seconds(self.started.elapsed()));
        }
        if holds {
            self.report.proved.push(what);
            Ok(())
        } else {
            self.report.failed.push(what);
            Err(Unmet)
        }
    }

    /// Ends the step with where the host stands and what the server sent.
    pub(crate) fn end(
        mut self,
        outcome: Result<(), Unmet>,
        version: Option<String>,
        active: Option<String>,
        bytes_fetched: u64,
    ) -> StepReport {
        self.report.ok = outcome.is_ok();
        self.report.seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.report.version = version;
        self.report.active = active;
        self.report.bytes_fetched = bytes_fetched;
        match self.voice {
            Voice::Json => println!("{}", json!(self.report)),
            Voice::People => println!(
                "   {} in {}, {} fetched",
                if self.report.ok { "done" } else { "FAILED" },
                seconds(self.started.elapsed()),
                bytes(bytes_fetched)
            ),
        }
        self.report
    }
}

/// The end of the demo. Returns whether everything held.
pub(crate) fn conclude(voice: Voice, steps: &[StepReport], wall: Duration, peaks: &Peaks) -> bool {
    let ok = !steps.is_empty() && steps.iter().all(|step| step.ok);
    match voice {
        Voice::Json => {
            let wall = (wall.as_secs_f64() * 1000.0).round() / 1000.0;
            println!("{}", json!({"wall_seconds": wall, "peak_memory_bytes": peaks}));
            println!("{}", json!({"demo": if ok { "ok" } else { "failed" }}));
        }
        Voice::People => {
            println!("\nWhat was proved");
            println!("  {:<6} {:>8} {:>12}  {:<10} {:<4} step", "", "time", "fetched", "runs", "set");
            for step in steps {
                println!(
                    "  {:<6} {:>8} {:>12}  {:<10} {:<4} {}. {}",
                    if step.ok { "ok" } else { "FAILED" },
                    seconds(Duration::from_secs_f64(step.seconds)),
                    bytes(step.bytes_fetched),
                    step.version.as_deref().unwrap_or("-"),
                    step.active.as_deref().unwrap_or("-"),
                    step.step,
                    step.title
                );
            }
            let peaks: Vec<String> =
                peaks.iter().map(|(program, peak)| format!("{program} {}", bytes(*peak))).collect();
            println!("\nWall time {}. Peak memory: {}.", seconds(wall), peaks.join(", "));
            println!("{}", if ok { "The demo is ok." } else { "The demo has FAILED." });
        }
    }
    ok
}

/// A time for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A count of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}
