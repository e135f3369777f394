//! The page: facts in, one HTML file out.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use host_io::bar::mib;

use super::costs::{Cost, NEWEST};
use super::facts::{Facts, Schedule};
use super::graph;
use super::schedule::Turns;
use super::words::{instant, percent, text};
use crate::check::finding::Finding;
use crate::guard::journal::Entry;
use crate::list::{Listed, State};

const STYLE: &str = include_str!("style.css");

/// The sections, as the page and its contents have them.
const SECTIONS: [(&str, &str); 7] = [
    ("checks", "Checks"),
    ("releases", "Releases"),
    ("waves", "Who gets what when"),
    ("decisions", "Decisions of the guard"),
    ("costs", "What an update costs"),
    ("migrations", "Migrations"),
    ("roles", "Signed roles"),
];

/// The page. It asks for nothing from elsewhere.
#[must_use]
pub fn page(facts: &Facts) -> String {
    let (variant, arch) = (text(&facts.list.variant), text(&facts.list.arch));
    let mut contents = String::new();
    let mut body = String::new();
    for (id, title) in SECTIONS {
        let section = match id {
            "checks" => checks(facts),
            "releases" => releases(facts),
            "waves" => waves(facts),
            "decisions" => match &facts.decisions {
                Some(entries) => decisions(entries),
                None => continue,
            },
            "costs" => costs(&facts.costs),
            "migrations" => migrations(facts),
            _ => roles(facts),
        };
        let _ = writeln!(contents, "<li><a href=\"#{id}\">{title}</a></li>");
        let _ = writeln!(
            body,
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{section}</section>"
        );
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Updates for {variant} {arch}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>Updates for {variant} {arch}</h1>\n\
         <p class=\"faint\">{}, as of {}</p>\n<nav aria-label=\"Contents\">\n<ul>\n{contents}</ul>\n</nav>\n</header>\n\
         <main>\n{body}</main>\n</body>\n</html>\n",
        text(&facts.place),
        instant(facts.now)
    )
}

fn checks(facts: &Facts) -> String {
    let mut told = String::new();
    if facts.errors.is_empty() {
        told += "<p class=\"good\">Good: hosts can take updates from here.</p>\n";
    } else {
        let _ =
            writeln!(told, "<p class=\"bad\">Hosts will stumble over {}:</p>", things(facts.errors.len()));
        told += &findings(&facts.errors);
    }
    if !facts.advice.is_empty() {
        told += "<h3>Worth a thought</h3>\n";
        told += &findings(&facts.advice);
    }
    told
}

fn things(count: usize) -> String {
    if count == 1 { "one thing".to_owned() } else { format!("{count} things") }
}

fn findings(findings: &[Finding]) -> String {
    let item =
        |finding: &Finding| format!("<li>{} <code>{}</code></li>\n", text(&finding.what), finding.code);
    format!("<ul>\n{}</ul>\n", findings.iter().map(item).collect::<String>())
}

fn releases(facts: &Facts) -> String {
    let row = |release: &Listed| {
        let mut notes: Vec<String> = release.withheld.iter().map(|hold| text(hold)).collect();
        notes.extend(release.paused_since.map(|since| format!("paused since {}", instant(since))));
        notes.extend(release.barrier.then(|| "every host is led through it".to_owned()));
        let state = match (release.state, release.withheld.is_empty()) {
            (State::Offered, true) => "<span class=\"good\">offered</span>",
            (State::Offered, false) => "<span class=\"bad\">withheld</span>",
            (State::Paused, _) => "<span class=\"bad\">paused</span>",
            (State::Recalled, _) => "<span class=\"bad\">recalled</span>",
        };
        let waves = match (release.first, release.last) {
            (Some(first), Some(last)) => format!(
                "<span class=\"date\">{} to</span> <span class=\"date\">{}</span>",
                instant(first),
                instant(last)
            ),
            _ => "none: every host at once".to_owned(),
        };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{state}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{waves}</td><td class=\"words\">{}</td></tr>\n",
            text(&release.version.to_string()),
            mib(release.whole_bytes),
            mib(release.bytes),
            notes.join("; ")
        )
    };
    let mut told = String::new();
    if let Some(why) = &facts.list.withheld_unknown {
        let _ = writeln!(
            told,
            "<p class=\"bad\">Hosts take nothing, as nobody knows what is withheld: {}</p>",
            text(why)
        );
    }
    if facts.list.releases.is_empty() {
        return told + "<p>Nothing is published.</p>\n";
    }
    let rows: String = facts.list.releases.iter().map(row).collect();
    told + &table(
        "Releases, newest first",
        &[
            ("Version", ""),
            ("State", ""),
            ("Whole images", "number"),
            ("All files", "number"),
            ("Waves", ""),
            ("Notes", ""),
        ],
        &rows,
    )
}

fn waves(facts: &Facts) -> String {
    if facts.schedules.is_empty() {
        return "<p>No release has waves: every host may take the newest one at its next check.</p>\n"
            .to_owned();
    }
    facts.schedules.iter().map(|schedule| wave(schedule, facts.now)).collect()
}

fn wave(schedule: &Schedule, now: DateTime<Utc>) -> String {
    let version = text(&schedule.version.to_string());
    let turns = Turns::of(schedule);
    let row = |(share, at): (f64, Option<DateTime<Utc>>)| {
        let (when, state) = match at {
            None => ("at once".to_owned(), "open"),
            Some(at) if schedule.paused_since.is_some_and(|since| at > since) => {
                (instant(at), "when it goes on")
            }
            Some(at) => (instant(at), if at <= now { "open" } else { "to come" }),
        };
        format!(
            "<tr><th scope=\"row\" class=\"number\">{}</th><td class=\"date\">{when}</td><td>{state}</td></tr>\n",
            percent(share)
        )
    };
    let rows: String = turns.told().map(row).collect();
    let paused = schedule.paused_since.map(|since| {
        format!(
            "<p class=\"bad\">Paused since {}; its dates move on by as long as that lasts.</p>\n",
            instant(since)
        )
    });
    format!(
        "<h3>{version}</h3>\n{}{}{}",
        paused.unwrap_or_default(),
        turns.picture(&version, now, schedule.paused_since.is_some()),
        table(
            &format!("{version}: when the turn of a share of the fleet has come"),
            &[("Share", "number"), ("By", ""), ("", "")],
            &rows
        )
    )
}

fn decisions(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "<p>None yet.</p>\n".to_owned();
    }
    let row = |entry: &Entry| {
        let class = if entry.verdict == "stop" { "bad" } else { "good" };
        let verdict = match (entry.verdict.as_str(), entry.done.as_str()) {
            ("stop", done) => format!("stop: {}", done.replace('_', " ")),
            _ => "goes on".to_owned(),
        };
        let counts = &entry.counts;
        let why: Vec<String> = entry.why.iter().map(|why| text(why)).collect();
        format!(
            "<tr><td class=\"date\">{}</td><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{class}\">{}</td><td class=\"words\">{}</td></tr>\n",
            instant(entry.time),
            text(&entry.version.to_string()),
            counts.tried(),
            counts.failed,
            counts.wordless.saturating_add(counts.lost),
            text(&verdict),
            why.join("; ")
        )
    };
    let rows: String = entries.iter().map(row).collect();
    table(
        "The newest looks at rollouts",
        &[
            ("When", ""),
            ("Release", ""),
            ("Hosts that tried", "number"),
            ("Failed", "number"),
            ("Silent", "number"),
            ("Verdict", ""),
            ("Why", ""),
        ],
        &rows,
    )
}

fn costs(costs: &[Cost]) -> String {
    if costs.is_empty() {
        return "<p>There are not two releases to compare.</p>\n".to_owned();
    }
    let row = |cost: &Cost| {
        let frames = match &cost.frames {
            Ok(bytes) => mib(*bytes),
            Err(why) => format!("<span class=\"faint\">not known: {}</span>", text(why)),
        };
        let pack = cost.pack.map_or_else(|| "–".to_owned(), mib);
        format!(
            "<tr><th scope=\"row\" class=\"date\">{} to {}</th><td class=\"number\">{}</td><td class=\"number\">{frames}</td><td class=\"number\">{pack}</td></tr>\n",
            text(&cost.from.to_string()),
            text(&cost.to.to_string()),
            mib(cost.whole)
        )
    };
    let rows: String = costs.iter().map(row).collect();
    let caption = format!(
        "Bytes of images that a host fetches whose running release is the older one, to the newest {NEWEST} releases"
    );
    table(
        &caption,
        &[("From and to", ""), ("Whole", "number"), ("By frames", "number"), ("By packs", "number")],
        &rows,
    )
}

fn migrations(facts: &Facts) -> String {
    if facts.steps.is_empty() {
        return "<p>Settings stay as they are from release to release.</p>\n".to_owned();
    }
    let rows: String = facts
        .steps
        .iter()
        .map(|step| {
            let names: Vec<String> =
                step.migrations.iter().map(|name| format!("<code>{}</code>", text(name))).collect();
            let names = if names.is_empty() { "nothing to do".to_owned() } else { names.join(" ") };
            format!(
                "<tr><th scope=\"row\" class=\"date\">{} to {}</th><td>{names}</td></tr>\n",
                text(&step.from.to_string()),
                text(&step.to.to_string())
            )
        })
        .collect();
    format!(
        "<div class=\"wide\" role=\"group\" aria-label=\"Graph of migrations\" tabindex=\"0\">\n{}</div>\n{}",
        graph::picture(&facts.steps),
        table(
            "Migrations of each step; the way back is the same, reversed",
            &[("Step", ""), ("Migrations", "")],
            &rows
        )
    )
}

fn roles(facts: &Facts) -> String {
    let rows: String = facts
        .roles
        .iter()
        .map(|role| {
            let left = role.expires - facts.now;
            let (class, told) = match left.num_hours() {
                hours if hours <= 0 => ("bad", "expired".to_owned()),
                hours if hours < 48 => ("bad", format!("{hours} h")),
                hours => ("", format!("{} days", hours / 24)),
            };
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"date\">{}</td><td class=\"{class}\">{told}</td></tr>\n",
                text(&role.role),
                role.version,
                instant(role.expires)
            )
        })
        .collect();
    table(
        "Hosts refuse a repository one of whose roles has expired",
        &[("Role", ""), ("Version", "number"), ("Expires", ""), ("Left", "")],
        &rows,
    )
}

/// A table in a region of its own, which scrolls where the page is narrower.
fn table(caption: &str, columns: &[(&str, &str)], rows: &str) -> String {
    let head: String = columns
        .iter()
        .map(|(title, class)| match (*title, *class) {
            ("", _) => "<td></td>".to_owned(),
            (title, "") => format!("<th scope=\"col\">{title}</th>"),
            (title, class) => format!("<th scope=\"col\" class=\"{class}\">{title}</th>"),
        })
        .collect();
    format!(
        "<div class=\"wide\" role=\"group\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}
