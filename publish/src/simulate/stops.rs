//! How many hosts take a bad release before it is stopped, by policy and by how bad it is: as a table, in fields, and as an
//! SVG picture.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::guarded::{Exposure, Watch};
use super::outcome::{grouped, span};
use super::picture::escape;

/// What came of all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stops {
    /// How many hosts there are.
    pub hosts: u64,
    /// How long a host waits from one check to the next, in seconds.
    pub poll_seconds: i64,
    /// From where the fleets were drawn.
    pub rng_seed: u64,
    /// So many of the hosts that try may fail, 0 to 1.
    pub limit: f64,
    /// The share of hosts that monitoring never sees, 0 to 1.
    pub unseen: f64,
    /// What came of each policy.
    pub policies: Vec<Policy>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// What it is called.
    pub name: String,
    /// One for each rate of failures, in rising order.
    pub exposures: Vec<Exposure>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 596.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 364.0;
const INK: &str = "#1f2328";
const FAINT: &str = "#59636e";
const GRID: &str = "#d8dee4";
/// Told apart by their marks as well, for those who see no colours.
const COLOURS: [&str; 6] = ["#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e", "#59636e"];

impl Stops {
    /// The answer to a question about a fleet, without results yet.
    #[must_use]
    pub fn about(hosts: u64, poll_seconds: i64, rng_seed: u64, watch: &Watch) -> Self {
        let (limit, unseen) = (watch.limits.failing.share(), watch.unseen);
        Self { hosts, poll_seconds, rng_seed, limit, unseen, policies: Vec::new() }
    }

    /// The picture: both axes in powers of ten, as both numbers span some of them.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut text = String::new();
        let rates =
            self.policies.iter().flat_map(|policy| &policy.exposures).map(|exposure| exposure.fail_rate);
        let lowest = rates.filter(|rate| *rate > 0.0).fold(1.0, f64::min);
        let x = |rate: f64| LEFT + (RIGHT - LEFT) * (rate / lowest).ln() / (1.0 / lowest).ln().max(1e-9);
        let y = |hosts: f64| BOTTOM - (BOTTOM - TOP) * hosts.max(1.0).ln() / (self.hosts.max(2) as f64).ln();
        let mut words = |x: f64, y: f64, anchor: &str, colour: &str, size: u8, words: &str| {
            let words = escape(words);
            let _ = writeln!(
                text,
                r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{words}</text>"#
            );
        };
        words(LEFT, 26.0, "start", INK, 17, "Hosts that take a bad release before it is stopped");
        let under = format!("{} hosts; in 99 of 100 runs no more", grouped(self.hosts));
        words(LEFT, 46.0, "start", FAINT, 12, &under);
        words(
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 40.0,
            "middle",
            FAINT,
            12,
            "hosts that fail, of those that take it",
        );
        let mut lines = String::new();
        for hosts in (0..).map(|power| 10_u64.pow(power)).take_while(|hosts| *hosts <= self.hosts) {
            let at = y(hosts as f64);
            let _ = writeln!(lines, r#"<path d="M{LEFT:.1} {at:.1}H{RIGHT:.1}" stroke="{GRID}"/>"#);
            words(LEFT - 8.0, at + 4.0, "end", FAINT, 11, &grouped(hosts));
        }
        for rate in [0.0001, 0.001, 0.01, 0.1, 1.0].into_iter().filter(|rate| *rate >= lowest) {
            let at = x(rate);
            let _ = writeln!(lines, r#"<path d="M{at:.1} {TOP:.1}V{BOTTOM:.1}" stroke="{GRID}"/>"#);
            words(at, BOTTOM + 18.0, "middle", FAINT, 11, &percent(rate));
        }
        for (number, policy) in self.policies.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let place = f64::from(u32::try_from(number).unwrap_or(u32::MAX));
            let points: Vec<_> = policy
                .exposures
                .iter()
                .filter(|exposure| exposure.fail_rate > 0.0)
                .map(|exposure| (x(exposure.fail_rate), y(exposure.most_in_99_of_100 as f64)))
                .collect();
            let line: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                lines,
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
                line.join(" ")
            );
            let legend = TOP + 12.0 + 24.0 * place;
            for (x, y) in points.iter().copied().chain([(RIGHT + 24.0, legend - 4.0)]) {
                lines += &mark(number, x, y, colour);
            }
            words(RIGHT + 36.0, legend, "start", INK, 12, &policy.name);
        }
        let described = escape(&self.to_string());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title desc\" \
             font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\">\n\
             <title id=\"title\">Hosts that take a bad release before it is stopped</title>\n\
             <desc id=\"desc\">{described}</desc>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n{lines}{text}</svg>\n"
        )
    }
}

/// A mark that is a policy's own.
fn mark(number: usize, x: f64, y: f64, colour: &str) -> String {
    let corners = |offsets: &[(f64, f64)]| {
        let corners: Vec<_> = offsets.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
        format!("<polygon points=\"{}\" fill=\"{colour}\"/>\n", corners.join(" "))
    };
    match number % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\n"),
        1 => corners(&[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]),
        2 => corners(&[(0.0, -5.0), (5.0, 4.0), (-5.0, 4.0)]),
        _ => corners(&[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)]),
    }
}

/// A share as people say it.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

impl fmt::Display for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let poll = span(u64::try_from(self.poll_seconds).unwrap_or(0).div_ceil(60));
        writeln!(
            f,
            "{} hosts, a check every {poll}, {} of them unseen by monitoring; stopped above {} failing; fleets from {}",
            grouped(self.hosts),
            percent(self.unseen),
            percent(self.limit),
            self.rng_seed
        )?;
        writeln!(f)?;
        write!(
            f,
            "{:<9}  {:<12}  {:>9}  {:>10}  {:>12}  {:>10}  AFTER",
            "FAILING", "POLICY", "STOPPED", "MEDIAN", "IN 99 OF 100", "MOST"
        )?;
        let rates = self.policies.first().map(|policy| policy.exposures.len()).unwrap_or_default();
        for rate in 0..rates {
            for policy in &self.policies {
                let Exposure { fail_rate, runs, stopped, median, most_in_99_of_100, most, stopped_at_minute } =
                    &policy.exposures[rate];
                let after = stopped_at_minute.map_or_else(|| "–".to_owned(), span);
                write!(
                    f,
                    "\n{:<9}  {:<12}  {:>9}  {:>10}  {:>12}  {:>10}  {after}",
                    percent(*fail_rate),
                    policy.name,
                    format!("{stopped}/{runs}"),
                    grouped(*median),
                    grouped(*most_in_99_of_100),
                    grouped(*most)
                )?;
            }
        }
        write!(
            f,
            "\n\nmedian: hosts that take the release before it is stopped in the run in the middle; after: when it is"
        )
    }
}
