//! The text format of Prometheus, version 0.0.4, as `node_exporter` and every scraper read it.
//!
//! It is written here and by no library: the one that is kept well, `prometheus-client`, speaks OpenMetrics, in which a
//! counter's `# TYPE` line lacks `_total`, so that `node_exporter`, which reads this older format, takes counters for
//! untyped numbers; and what libraries are for, registries of live numbers, a page that is made once has no use for.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::families::{FAMILIES, Family, Kind, PREFIX, of};

/// The longest value of a label, in characters. A version may be as long as whoever signs it likes.
const LONGEST_VALUE: usize = 128;

/// A number, in the units of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A count, bytes, or seconds of time since 1970.
    Whole(i64),
    /// Milliseconds, shown as seconds.
    Millis(u64),
}

impl From<bool> for Number {
    fn from(is: bool) -> Self {
        Self::Whole(i64::from(is))
    }
}

impl From<i32> for Number {
    fn from(count: i32) -> Self {
        Self::Whole(i64::from(count))
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Millis(millis) => write!(f, "{}.{:03}", millis / 1000, millis % 1000),
        }
    }
}

/// Everything that is said at one time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Page(BTreeMap<&'static str, BTreeMap<Vec<String>, Number>>);

impl Page {
    /// Says `number` of the metric `name`, whose labels have these values. Said twice, the last one counts.
    pub fn say(&mut self, name: &'static str, labels: &[&str], number: impl Into<Number>) {
        debug_assert_eq!(of(name).labels.len(), labels.len(), "{name}");
        let values = labels.iter().map(|value| value.chars().take(LONGEST_VALUE).collect()).collect();
        self.0.entry(name).or_default().insert(values, number.into());
    }

    /// [`Page::say`] where there is something to say.
    pub fn say_if(&mut self, name: &'static str, number: Option<impl Into<Number>>) {
        if let Some(number) = number {
            self.say(name, &[], number);
        }
    }

    /// The page as it is read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for family in &FAMILIES {
            if let Some(samples) = self.0.get(family.name) {
                write_family(&mut text, family, samples).expect("a text takes whatever is written");
            }
        }
        text
    }
}

fn write_family(text: &mut String, family: &Family, samples: &BTreeMap<Vec<String>, Number>) -> fmt::Result {
    let Family { name, kind, labels, help } = family;
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    writeln!(text, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}")?;
    for (values, number) in samples {
        write!(text, "{PREFIX}{name}")?;
        for (at, (label, value)) in labels.iter().zip(values).enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            write!(text, "{before}{label}=\"{}\"", escaped(value))?;
        }
        let after = if labels.is_empty() { "" } else { "}" };
        writeln!(text, "{after} {number}")?;
    }
    Ok(())
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_one_that_scrapers_read() {
        let mut page = Page::default();
        page.say("checks_total", &["unreachable"], 2);
        page.say("checks_total", &["ok"], 7u64);
        page.say("boot_proven", &[], true);
        page.say("last_check_duration_seconds", &[], Number::Millis(1_050));
        page.say("chosen_release_info", &["1.0\"\\\n0"], 1);
        page.say_if("withheld_releases", None::<u64>);
        assert_eq!(
            page.text(),
            "# HELP update_stack_boot_proven Whether a boot of the running set was marked good.\n\
             # TYPE update_stack_boot_proven gauge\n\
             update_stack_boot_proven 1\n\
             # HELP update_stack_chosen_release_info The release that the last check chose for this host.\n\
             # TYPE update_stack_chosen_release_info gauge\n\
             update_stack_chosen_release_info{version=\"1.0\\\"\\\\\\n0\"} 1\n\
             # HELP update_stack_last_check_duration_seconds How long it took to ask.\n\
             # TYPE update_stack_last_check_duration_seconds gauge\n\
             update_stack_last_check_duration_seconds 1.050\n\
             # HELP update_stack_checks_total How often the repository was asked.\n\
             # TYPE update_stack_checks_total counter\n\
             update_stack_checks_total{result=\"ok\"} 7\n\
             update_stack_checks_total{result=\"unreachable\"} 2\n"
        );
    }

    #[test]
    fn names_and_units_are_as_prometheus_wants_them() {
        for Family { name, kind, labels, help } in FAMILIES {
            let word = |text: &str| {
                text.starts_with(|first: char| first.is_ascii_lowercase())
                    && text.chars().all(|at| at.is_ascii_lowercase() || at.is_ascii_digit() || at == '_')
            };
            assert!(word(name) && labels.iter().all(|label| word(label)), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}");
            assert!(
                !name.contains("milli") && !name.ends_with("_time") && !name.ends_with("_size"),
                "{name}"
            );
            let bare = name.trim_end_matches("_total");
            for (what, unit) in [("duration", "_seconds"), ("timestamp", "_seconds"), ("bytes", "_bytes")] {
                assert!(!bare.contains(what) || bare.ends_with(unit), "{name}");
            }
            assert_eq!(FAMILIES.iter().filter(|other| other.name == name).count(), 1, "{name}");
        }
    }
}
