//! What came of a rollout, as a table and in fields.

use std::fmt;

use serde::Serialize;

/// How many lines of the curve the table has.
const LINES: usize = 12;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// What the release is called.
    pub name: String,
    /// How many hosts there are.
    pub hosts: u64,
    /// How long a host waits from one check to the next.
    pub poll_seconds: i64,
    /// From where the fleet was drawn.
    pub rng_seed: u64,
    /// How many dates the schedule has.
    pub dates: usize,
    /// How many bytes a host fetches, where that is known.
    pub image_bytes: Option<u64>,
    /// How many bytes a host fetches that takes the frames of what changed, where that was said.
    pub frame_bytes: Option<u64>,
    /// How many bytes a host fetches that takes the packs from the newest release which they lead on from, where there are
    /// any.
    pub pack_bytes: Option<u64>,
    /// How many of the hosts that take it fail, 0 to 1, where that was asked for.
    pub fail_rate: Option<f64>,
    /// What each rule makes of it, ours first.
    pub rules: Vec<RuleOutcome>,
    /// Where one wave ends and the next begins, as planned.
    pub borders: Vec<Border>,
    /// The curve.
    pub points: Vec<Point>,
}

/// What a rule makes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleOutcome {
    /// `ours` or `older`.
    pub rule: String,
    /// Where the share of hosts that have had their turn is furthest from the plan.
    pub furthest: Gap,
    /// In how many minutes half of the hosts have it.
    pub half_at_minute: u64,
    /// In how many minutes all hosts have it.
    pub all_at_minute: u64,
    /// The busiest ten minutes.
    pub busiest: Busiest,
    /// How many bytes the servers send in one second of them, where the size is known.
    pub peak_egress_bytes_per_second: Option<f64>,
    /// What failing hosts lead to; `None` where nothing fails.
    pub halt: Option<Halt>,
}

/// Where one wave ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Border {
    /// Minutes since the release was published.
    pub minute: u64,
    /// The share of the fleet whose turn has come by then, in hundredths.
    pub share: f64,
}

/// How far from the plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Gap {
    /// By how many hundredths of the fleet.
    pub points: f64,
    /// When.
    pub minute: u64,
}

/// The busiest ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Busiest {
    /// How many hosts take it in one minute of them.
    pub hosts_per_minute: f64,
    /// When they begin.
    pub minute: u64,
}

/// A rollout that was paused because hosts failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Halt {
    /// When the first host fails.
    pub first_failure_minute: u64,
    /// When it is paused.
    pub minute: u64,
    /// How many hosts have taken it by then.
    pub exposed: u64,
    /// How many of those fail.
    pub failed: u64,
}

/// A point of the curve. Shares are in hundredths of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Minutes since the release was published.
    pub minute: u64,
    /// The share that the plan means to have reached.
    pub intended: f64,
    /// By our rule.
    pub ours: Shares,
    /// By the older rule.
    pub older: Shares,
}

/// How far a rollout is by one rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// The share of hosts that have had their turn.
    pub offered: f64,
    /// The share of hosts that have it.
    pub taken: f64,
    /// How many hosts take it in a minute, from here to the next point.
    pub hosts_per_minute: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, hosts, rng_seed, dates, .. } = self;
        let poll = span(u64::try_from(self.poll_seconds).unwrap_or(0).div_ceil(60));
        writeln!(
            f,
            "{name}: {} hosts, a check every {poll}, {dates} dates, fleet {rng_seed}",
            grouped(*hosts)
        )?;
        writeln!(f)?;
        let line = |f: &mut fmt::Formatter<'_>, what: &str, of: &dyn Fn(&RuleOutcome) -> String| {
            let cells: String = self.rules.iter().map(|rule| format!("  {:<28}", of(rule))).collect();
            writeln!(f, "{what:<26}{}", cells.trim_end())
        };
        line(f, "", &|rule| rule.rule.to_uppercase())?;
        line(f, "furthest from the plan", &|rule| {
            format!("{:.2} points at {}", rule.furthest.points, span(rule.furthest.minute))
        })?;
        line(f, "half of the hosts have it", &|rule| span(rule.half_at_minute))?;
        line(f, "all hosts have it", &|rule| span(rule.all_at_minute))?;
        line(f, "busiest ten minutes", &|rule| {
            format!("{} hosts a minute", rate(rule.busiest.hosts_per_minute))
        })?;
        if self.image_bytes.is_some() {
            let egress = |rule: &RuleOutcome| rule.peak_egress_bytes_per_second.map(bits).unwrap_or_default();
            line(f, "peak egress", &egress)?;
        }
        for (what, bytes) in
            [("peak egress with frames", self.frame_bytes), ("peak egress with packs", self.pack_bytes)]
        {
            let Some(bytes) = bytes else { continue };
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            line(f, what, &|rule| bits(rule.busiest.hosts_per_minute * bytes as f64 / 60.0))?;
        }
        if self.fail_rate.is_some() {
            line(f, "first failure", &|rule| match &rule.halt {
                Some(halt) => format!("at {}", span(halt.first_failure_minute)),
                None => "none".to_owned(),
            })?;
            line(f, "hosts exposed until paused", &|rule| match &rule.halt {
                Some(halt) => format!("{} at {}", grouped(halt.exposed), span(halt.minute)),
                None => format!("all {}", grouped(self.hosts)),
            })?;
            line(f, "of these fail", &|rule| grouped(rule.halt.map_or(0, |halt| halt.failed)))?;
        }
        writeln!(f, "\n{:<12}  {:>8}  {:>8}  {:>8}", "HAVE IT", "PLAN", "OURS", "OLDER")?;
        let every = self.points.len().div_ceil(LINES).max(1);
        let shown = self.points.iter().step_by(every);
        let last = self.points.last().filter(|_| !(self.points.len() - 1).is_multiple_of(every));
        for Point { minute, intended, ours, older } in shown.chain(last) {
            let at = span(*minute);
            writeln!(f, "{at:<12}  {intended:>6.1} %  {:>6.1} %  {:>6.1} %", ours.taken, older.taken)?;
        }
        writeln!(f)?;
        writeln!(f, "plan:  the share of the fleet whose turn has come, as the policy says")?;
        writeln!(f, "ours:  the share that has it, were all hosts updated by this stack")?;
        write!(f, "older: the same, were all hosts updated by programs with the older rule for waves")
    }
}

/// Minutes as people say them.
pub(super) fn span(minutes: u64) -> String {
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A number with a comma at each thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Hosts a minute: a fraction only where it says something.
pub(super) fn rate(hosts: f64) -> String {
    if hosts < 10.0 { format!("{hosts:.1}") } else { grouped(whole(hosts)) }
}

/// Bytes a second as the bits that a line is rented in.
pub(super) fn bits(bytes_per_second: f64) -> String {
    let bits = bytes_per_second * 8.0;
    let (value, unit) = match bits {
        bits if bits >= 1e12 => (bits / 1e12, "Tbit/s"),
        bits if bits >= 1e9 => (bits / 1e9, "Gbit/s"),
        bits if bits >= 1e6 => (bits / 1e6, "Mbit/s"),
        bits => (bits / 1e3, "kbit/s"),
    };
    format!("{value:.1} {unit}")
}

/// The nearest whole number to one that is not below zero.
#[expect(clippy::cast_possible_truncation, reason = "a count of hosts is far below the largest number")]
#[expect(clippy::cast_sign_loss, reason = "it is not below zero")]
fn whole(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_people_read_them() {
        for (minutes, told) in
            [(0, "0 min"), (59, "59 min"), (60, "1 h"), (61, "1 h 1 min"), (1440, "1 d"), (1505, "1 d 1 h")]
        {
            assert_eq!(span(minutes), told);
        }
        for (number, told) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), told);
        }
        for (hosts, told) in [(0.25, "0.2"), (9.96, "10.0"), (10.4, "10"), (29_999.6, "30,000")] {
            assert_eq!(rate(hosts), told);
        }
        for (bytes, told) in
            [(50.0, "0.4 kbit/s"), (1e6, "8.0 Mbit/s"), (1.25e9, "10.0 Gbit/s"), (1e12, "8.0 Tbit/s")]
        {
            assert_eq!(bits(bytes), told);
        }
    }
}
