//! One step after the other, each timed; the summary says what ran, what failed, and what was left out and why.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cargo::cargo;

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(String),
}

/// The steps that ran so far.
pub(crate) struct Steps {
    only: Option<String>,
    done: Vec<(String, Outcome)>,
}

/// The end of a run.
pub(crate) struct Report {
    /// Whether any step failed, or none ran at all.
    pub(crate) failed: bool,
    /// The summary for people.
    pub(crate) text: String,
}

impl Steps {
    pub(crate) fn new(only: Option<String>) -> Self {
        Self { only, done: Vec::new() }
    }

    /// Whether `cargo NAME` can be called here.
    pub(crate) fn has_cargo_tool(&self, name: &str) -> bool {
        cargo()
            .args([name, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    pub(crate) fn cargo(&mut self, name: &str, args: &[&str]) {
        self.cargo_with(name, args, &[]);
    }

    pub(crate) fn cargo_with(&mut self, name: &str, args: &[&str], environment: &[(&str, &str)]) {
        self.step(name, || {
            let mut command = cargo();
            command.args(args).envs(environment.iter().copied());
            match command.status() {
                Ok(status) if status.success() => Vec::new(),
                Ok(status) => vec![format!("cargo {} ended with {status}", args.join(" "))],
                Err(error) => vec![format!("cargo {} could not start: {error}", args.join(" "))],
            }
        });
    }

    /// Another task of ours, as a developer would call it.
    pub(crate) fn xtask(&mut self, name: &str, args: &[&str]) {
        self.step(name, || {
            let status = std::env::current_exe().and_then(|own| Command::new(own).args(args).status());
            match status {
                Ok(status) if status.success() => Vec::new(),
                Ok(status) => vec![format!("cargo xtask {} ended with {status}", args.join(" "))],
                Err(error) => vec![format!("cargo xtask {} could not start: {error}", args.join(" "))],
            }
        });
    }

    /// A check of ours; it returns its findings, one sentence each.
    pub(crate) fn check(&mut self, name: &str, check: fn() -> Vec<String>) {
        self.step(name, check);
    }

    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        if self.wanted(name) {
            self.done.push((name.to_owned(), Outcome::Skipped(why.to_owned())));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the summary tells how long each step took")]
    fn step(&mut self, name: &str, run: impl FnOnce() -> Vec<String>) {
        if !self.wanted(name) {
            return;
        }
        println!("==> {name}");
        let started = Instant::now();
        let findings = run();
        let took = started.elapsed();
        for finding in &findings {
            println!("    {finding}");
        }
        let outcome = if findings.is_empty() { Outcome::Passed(took) } else { Outcome::Failed(took) };
        self.done.push((name.to_owned(), outcome));
    }

    fn wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|word| name.contains(word.as_str()))
    }

    pub(crate) fn finish(self) -> Report {
        let mut text = String::from("\nSummary\n");
        for (name, outcome) in &self.done {
            let _ = match outcome {
                Outcome::Passed(took) => writeln!(text, "  ok      {name:<28} {:>7.1} s", took.as_secs_f64()),
                Outcome::Failed(took) => writeln!(text, "  FAILED  {name:<28} {:>7.1} s", took.as_secs_f64()),
                Outcome::Skipped(why) => writeln!(text, "  not run {name:<28} {why}"),
            };
        }
        let ran = self.done.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Skipped(_))).count();
        let failed = self.done.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) || ran == 0;
        text.push_str(if failed { "A step failed." } else { "Every step that ran has passed." });
        Report { failed, text }
    }
}
