//! What one changed setting costs beside few settings and beside thousands, in turn on both hosts, so that whatever else
//! the machine does befalls both.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::Caller;
use super::server::Server;

/// How many settings the hosts have.
const FEW: usize = 10;
const MANY: usize = 5000;
/// How often each of them is told something.
const ROUNDS: usize = 100;
/// How many times as long it may take beside many.
const AIM: f64 = 3.0;

/// The medians.
pub(super) struct Changes {
    few: Duration,
    many: Duration,
}

impl Changes {
    fn ratio(&self) -> f64 {
        self.many.as_secs_f64() / self.few.as_secs_f64()
    }

    pub(super) fn json(&self) -> Value {
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        json!({ "beside_few_ms": ms(self.few), "beside_many_ms": ms(self.many), "ratio": self.ratio() })
    }

    /// What was measured, what came of it, and what is aimed at.
    pub(super) fn rows(&self) -> [(String, String, String); 2] {
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        let both = format!("{:.2} and {:.2} ms", ms(self.few), ms(self.many));
        [
            (format!("one setting changed beside {FEW}, and beside {MANY}"), both, String::new()),
            ("  times as long".to_owned(), format!("{:.2}", self.ratio()), format!("<= {AIM}")),
        ]
    }

    /// The same as lines.
    pub(super) fn table(&self) -> String {
        self.rows()
            .map(|(what, is, aim)| format!("{what:<56}{is:>34}   {aim}").trim_end().to_owned())
            .join("\n")
    }
}

/// Changes one setting, again and again, on a host with few and on one with many, one after the other.
pub(super) fn measure() -> Result<Changes, Box<dyn Error>> {
    let hosts = [Server::start(FEW)?, Server::start(MANY)?];
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (host, took) in hosts.iter().zip(&mut took) {
            took.push(change(host.socket(), round)?);
        }
    }
    let [few, many] = took.map(|mut took| {
        took.sort_unstable();
        took[ROUNDS / 2]
    });
    Ok(Changes { few, many })
}

/// A value in a transaction, and that put in force.
#[expect(clippy::disallowed_methods, reason = "a time is measured")]
fn change(socket: &Path, round: usize) -> io::Result<Duration> {
    let mut caller = Caller::connect(socket)?;
    let body = format!(r#"{{"group-0":{{"key-0":"round {round}"}}}}"#);
    let started = Instant::now();
    for (method, uri, body) in
        [("PATCH", "/settings?tx=bench", body.as_str()), ("POST", "/tx/commit_and_apply?tx=bench", "")]
    {
        let status = caller.tell(method, uri, body)?;
        if !(200..300).contains(&status) {
            return Err(io::Error::other(format!("{method} {uri} was answered with {status}")));
        }
    }
    Ok(started.elapsed())
}
