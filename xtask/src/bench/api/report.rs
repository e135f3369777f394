//! The figures, for people and for programs, beside what is aimed at.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::install::Installs;
use super::load::Answers;
use super::scale::{CALLERS, KEYS};
use super::settings::Changes;

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) at_rest: u64,
    pub(super) after: u64,
    pub(super) requests: Answers,
    pub(super) paced: Answers,
    pub(super) unpaced: Answers,
    pub(super) settings: Changes,
    pub(super) client: Duration,
    pub(super) client_size: u64,
    pub(super) install: Installs,
}

impl Figures {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let answers = |answers: &Answers| {
            json!({
                "answers": answers.count,
                "errors": answers.errors,
                "body_bytes": answers.body,
                "seconds": answers.wall.as_secs_f64(),
                "p50_ms": ms(answers.permille(500)),
                "p99_ms": ms(answers.permille(990)),
                "max_ms": ms(answers.permille(1000)),
            })
        };
        let Installs { alone, watched } = &self.install;
        json!({
            "resident_at_rest": self.at_rest,
            "resident_after_requests": self.after,
            "os": answers(&self.requests),
            "settings_paced": answers(&self.paced),
            "settings_at_once": answers(&self.unpaced),
            "one_setting": self.settings.json(),
            "apiclient_ms": ms(self.client),
            "apiclient_bytes": self.client_size,
            "install": {
                "alone_seconds": alone.wall.as_secs_f64(),
                "watched_seconds": watched.wall.as_secs_f64(),
                "asked": watched.asked,
                "server_cpu_alone_ms": ms(alone.server),
                "server_cpu_watched_ms": ms(watched.server),
                "cost": self.install.cost(),
            },
        })
        .to_string()
    }

    /// A table; the last column is what is aimed at.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, is: String, aim: &str| {
            let _ = writeln!(text, "{what:<56}{is:>34}   {aim}");
        };
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let times = |answers: &Answers| {
            format!(
                "{:.2} / {:.2} / {:.2} ms, {} errors",
                ms(answers.permille(500)),
                ms(answers.permille(990)),
                ms(answers.permille(1000)),
                answers.errors
            )
        };
        line("apiserver, memory at rest", mb(self.at_rest), "<= 15 MB");
        line(
            &format!("GET /os, {} by {CALLERS} callers", self.requests.count + self.requests.errors),
            format!(
                "{} errors, {:.0} a second",
                self.requests.errors,
                self.requests.count as f64 / self.requests.wall.as_secs_f64()
            ),
            "0 errors",
        );
        line("  memory after that", mb(self.after), "");
        line(
            &format!("GET /settings, {KEYS} keys, {CALLERS} callers, 10 a second each"),
            times(&self.paced),
            "p50 / p99 / max; p99 <= 10 ms",
        );
        line("  the same, each at once again", times(&self.unpaced), "");
        for (what, is, aim) in self.settings.rows() {
            line(&what, is, &aim);
        }
        line("apiclient raw -u /os, from start to end", format!("{:.1} ms", ms(self.client)), "<= 10 ms");
        line("  its size", mb(self.client_size), "<= 8 MB");
        let Installs { alone, watched } = &self.install;
        line(
            &format!(
                "an install of {:.1} s, asked {} times how far it is",
                watched.wall.as_secs_f64(),
                watched.asked
            ),
            format!("{:.2} % of its time", self.install.cost() * 100.0),
            "<= 2 %",
        );
        line(
            "  processor time of the server, alone and watched",
            format!("{:.0} and {:.0} ms", ms(alone.server), ms(watched.server)),
            "",
        );
        text.trim_end().to_owned()
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
