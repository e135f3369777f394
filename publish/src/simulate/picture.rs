//! A rollout as an SVG picture that fits a release note: how far it is, and how many hosts come in a minute.
//!
//! The picture stands alone: no script, no style sheet, no font of its own. Its title and description say the same in
//! words, for those who cannot see it.

use std::fmt::Write as _;

use host_io::plain;

use super::outcome::{Outcome, Point, RuleOutcome, bits, grouped, rate, span};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 736.0;
const INK: &str = "#1f2328";
const FAINT: &str = "#59636e";
const GRID: &str = "#d8dee4";
const PLAN: &str = "#818b98";
const OURS: &str = "#0969da";
const OLDER: &str = "#bc4c00";
/// About how many vertical lines the time has.
const TICKS: u64 = 8;
/// Minutes between two vertical lines that make sense to people.
const TICK_STEPS: [u64; 14] =
    [5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 28 * 1440];

/// The picture.
#[must_use]
pub fn svg(outcome: &Outcome) -> String {
    let mut picture = Picture { text: String::new() };
    let minutes = outcome.points.last().map_or(1, |point| point.minute).max(1);
    let progress = Panel { top: 78.0, bottom: 284.0, minutes, most: 100.0 };
    let busiest = outcome.points.iter().flat_map(|point| [point.ours, point.older]);
    let busiest = busiest.map(|shares| shares.hosts_per_minute).fold(0.0, f64::max);
    let arrivals = Panel { top: 340.0, bottom: 436.0, minutes, most: round_up(busiest) };

    picture.heading(outcome);
    picture.progress(&progress, outcome);
    picture.arrivals(&arrivals, outcome);
    picture.finish(outcome)
}

/// A part of the picture with axes: time from left to right, something else upwards from 0.
struct Panel {
    top: f64,
    bottom: f64,
    minutes: u64,
    most: f64,
}

impl Panel {
    fn x(&self, minute: u64) -> f64 {
        LEFT + (RIGHT - LEFT) * (minute as f64 / self.minutes as f64).min(1.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * value / self.most
    }

    /// The points of a line, as SVG has them.
    fn line(&self, points: &[Point], value: impl Fn(&Point) -> f64) -> String {
        let point = |point: &Point| format!("{:.1},{:.1}", self.x(point.minute), self.y(value(point)));
        points.iter().map(point).collect::<Vec<_>>().join(" ")
    }
}

struct Picture {
    text: String,
}

/// How a line is drawn. Where lines lie on one another all of them are seen: the older rule is broad, ours narrow.
struct Stroke {
    colour: &'static str,
    width: f64,
    more: &'static str,
}

impl Stroke {
    const PLAN: Self = Self { colour: PLAN, width: 1.5, more: r#" stroke-dasharray="5 4""# };
    const OURS: Self = Self { colour: OURS, width: 2.0, more: "" };
    const OLDER: Self = Self { colour: OLDER, width: 4.0, more: r#" stroke-opacity="0.55""# };
}

impl Picture {
    fn heading(&mut self, outcome: &Outcome) {
        self.words(LEFT, 28.0, "start", INK, 17, &format!("Rollout of {}", outcome.name));
        let poll = span(u64::try_from(outcome.poll_seconds).unwrap_or(0).div_ceil(60));
        let fleet = format!("{} hosts, each checks every {poll}", grouped(outcome.hosts));
        self.words(LEFT, 48.0, "start", FAINT, 12, &fleet);
    }

    fn progress(&mut self, panel: &Panel, outcome: &Outcome) {
        self.words(LEFT, panel.top - 10.0, "start", FAINT, 12, "hosts that have it");
        for percent in [0, 25, 50, 75, 100] {
            self.level(panel, f64::from(percent), &format!("{percent} %"));
        }
        self.time(panel, false);
        self.borders(panel, outcome);
        let points = &outcome.points;
        self.path(&panel.line(points, |point| point.older.taken), &Stroke::OLDER);
        self.path(&panel.line(points, |point| point.intended), &Stroke::PLAN);
        self.path(&panel.line(points, |point| point.ours.taken), &Stroke::OURS);
        self.halts(panel, outcome);
        // A rollout starts low, so there is room for the legend at the upper left.
        let (left, top) = (LEFT + 8.0, panel.top + 6.0);
        let _ = writeln!(
            self.text,
            r##"<rect x="{left:.1}" y="{top:.1}" width="216" height="58" fill="#ffffff" fill-opacity="0.9"/>"##
        );
        for (line, (stroke, name)) in (0_u8..).zip([
            (Stroke::PLAN, "turn has come, as planned"),
            (Stroke::OURS, "our hosts"),
            (Stroke::OLDER, "hosts with the older rule"),
        ]) {
            let y = top + 12.0 + 18.0 * f64::from(line);
            self.path(&format!("{:.1},{y:.1} {:.1},{y:.1}", left + 6.0, left + 32.0), &stroke);
            self.words(left + 40.0, y + 4.0, "start", INK, 12, name);
        }
    }

    fn arrivals(&mut self, panel: &Panel, outcome: &Outcome) {
        self.words(LEFT, panel.top - 10.0, "start", FAINT, 12, "hosts a minute");
        for part in [0.0, 0.5, 1.0] {
            self.level(panel, part * panel.most, &rate_label(part * panel.most));
        }
        self.time(panel, true);
        let points = &outcome.points;
        self.path(&panel.line(points, |point| point.older.hosts_per_minute), &Stroke::OLDER);
        self.path(&panel.line(points, |point| point.ours.hosts_per_minute), &Stroke::OURS);
        self.words(RIGHT, panel.bottom + 34.0, "end", FAINT, 12, "after publication");
    }

    /// Where one wave ends and the next begins; a share is written above where there is room for it.
    fn borders(&mut self, panel: &Panel, outcome: &Outcome) {
        let mut free = LEFT + 120.0;
        for border in &outcome.borders {
            let (x, top, bottom) = (panel.x(border.minute), panel.top, panel.bottom);
            let _ = writeln!(
                self.text,
                r#"<path d="M{x:.1} {top:.1}V{bottom:.1}" stroke="{PLAN}" stroke-dasharray="1 3"/>"#
            );
            if x >= free {
                self.words(x, top - 4.0, "middle", FAINT, 11, &format!("wave to {:.0} %", border.share));
                free = x + 80.0;
            }
        }
    }

    /// Where the rollout would be paused, by either rule.
    fn halts(&mut self, panel: &Panel, outcome: &Outcome) {
        for (line, (rule, colour)) in (0_u8..).zip(outcome.rules.iter().zip([OURS, OLDER])) {
            let Some(halt) = &rule.halt else { continue };
            let x = panel.x(halt.minute);
            let stroke = Stroke { colour, width: 1.5, more: r#" stroke-dasharray="2 3""# };
            self.path(&format!("{x:.1},{:.1} {x:.1},{:.1}", panel.top, panel.bottom), &stroke);
            // A rollout ends high, so there is room at the lower right.
            let y = panel.bottom - 28.0 + 17.0 * f64::from(line);
            let (exposed, hosts) =
                (grouped(halt.exposed), if line == 0 { "of our hosts" } else { "of the older" });
            let told = format!("paused after {}: {exposed} {hosts} exposed", span(halt.minute));
            self.words(RIGHT - 8.0, y, "end", colour, 12, &told);
        }
    }

    /// A horizontal line with its label.
    fn level(&mut self, panel: &Panel, value: f64, label: &str) {
        let y = panel.y(value);
        let _ = writeln!(self.text, r#"<path d="M{LEFT:.1} {y:.1}H{RIGHT:.1}" stroke="{GRID}"/>"#);
        self.words(LEFT - 8.0, y + 4.0, "end", FAINT, 11, label);
    }

    /// Vertical lines, and perhaps the times below them.
    fn time(&mut self, panel: &Panel, labels: bool) {
        let step = TICK_STEPS.into_iter().find(|step| panel.minutes / step <= TICKS);
        let step = step.unwrap_or(panel.minutes.div_ceil(TICKS));
        for number in 0..=panel.minutes / step {
            let x = panel.x(number * step);
            let (top, bottom) = (panel.top, panel.bottom);
            let _ = writeln!(self.text, r#"<path d="M{x:.1} {top:.1}V{bottom:.1}" stroke="{GRID}"/>"#);
            if labels {
                let time = if number == 0 { "0".to_owned() } else { span(number * step) };
                self.words(x, bottom + 17.0, "middle", FAINT, 11, &time);
            }
        }
    }

    fn path(&mut self, points: &str, stroke: &Stroke) {
        let Stroke { colour, width, more } = stroke;
        let _ = writeln!(
            self.text,
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"{more}/>"#
        );
    }

    fn words(&mut self, x: f64, y: f64, anchor: &str, colour: &str, size: u32, words: &str) {
        let words = escape(words);
        let _ = writeln!(
            self.text,
            r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" stroke="#ffffff" stroke-width="3" paint-order="stroke">{words}</text>"##
        );
    }

    fn finish(self, outcome: &Outcome) -> String {
        let title = escape(&format!("Rollout of {}", outcome.name));
        let described: Vec<_> = outcome.rules.iter().map(describe).collect();
        let described = escape(&described.join(" "));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title desc\" \
             font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"desc\">{described}</desc>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.text
        )
    }
}

/// What one rule makes of it, in words.
fn describe(rule: &RuleOutcome) -> String {
    let hosts = if rule.rule == "ours" { "Our hosts" } else { "Hosts with the older rule" };
    let mut told = format!(
        "{hosts}: half have it after {}, all after {}; at most {:.2} points from the plan; {} a minute in the busiest \
         ten minutes",
        span(rule.half_at_minute),
        span(rule.all_at_minute),
        rule.furthest.points,
        rate(rule.busiest.hosts_per_minute),
    );
    if let Some(egress) = rule.peak_egress_bytes_per_second {
        let _ = write!(told, ", which is {}", bits(egress));
    }
    if let Some(halt) = &rule.halt {
        let _ = write!(
            told,
            "; with failures it is paused after {}, when {} hosts have it and {} of them failed",
            span(halt.minute),
            grouped(halt.exposed),
            grouped(halt.failed)
        );
    }
    told + "."
}

/// The next number that makes a good end of an axis.
fn round_up(value: f64) -> f64 {
    let unit = 10_f64.powf(value.max(0.1).log10().floor());
    [1.0, 2.0, 4.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * unit)
        .find(|end| *end >= value)
        .unwrap_or(value)
}

fn rate_label(hosts: f64) -> String {
    if hosts > 0.0 { rate(hosts) } else { "0".to_owned() }
}

/// Text as it may stand in XML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if plain::draws(letter) => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (value, end) in
            [(0.0, 0.1), (1.0, 1.0), (3.0, 4.0), (180.0, 200.0), (401.0, 500.0), (6_700.0, 10_000.0)]
        {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_the_picture() {
        assert_eq!(escape("<a href=\"x\">&\n\u{202e}b"), "&lt;a href=&quot;x&quot;&gt;&amp;  b");
    }
}
