//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::cut::Cut;
use super::ways::Way;
use crate::bench::field::megabytes;
use crate::bench::images::catalog::Kind;
use crate::bench::measure::Spent;
use crate::bench::rates::bound::{Rates, Work};

/// One way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) way: Way,
    pub(super) spent: Spent,
    /// What was done, where the way tells.
    pub(super) work: Option<Work>,
    /// Where it was read back from, where the way tells.
    pub(super) read_back: Option<String>,
    /// What that could take at best, in seconds.
    pub(super) bound: Option<f64>,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) rows: Vec<Row>,
    pub(super) cuts: Vec<Cut>,
    pub(super) cores: u32,
    pub(super) rounds: usize,
    pub(super) kind: Kind,
    pub(super) rates: Rates,
}

impl Figures {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("figures are plain data")
    }

    /// A table, and the rates below it.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "one release installed onto a disk image, ROOT as {}, {} cores; medians of {}\n",
            self.kind.name(),
            self.cores,
            self.rounds
        );
        let _ = writeln!(
            text,
            "  {:<41}{:>9}{:>9}{:>12}{:>9}{:>9}",
            "way", "wall", "CPU", "memory", "bound", "ratio"
        );
        for Row { way, spent, bound, .. } in &self.rows {
            let (bound, ratio) = bound.map_or((String::new(), String::new()), |bound| {
                (format!("{bound:.2} s"), format!("{:.2}", spent.wall / bound.max(1e-9)))
            });
            let (wall, cpu) = (format!("{:.2} s", spent.wall), format!("{:.2} s", spent.cpu));
            let memory = megabytes(spent.memory);
            let row = format!("  {:<41}{wall:>9}{cpu:>9}{memory:>12}{bound:>9}{ratio:>9}", way.what());
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text += &self.cut();
        text += &self.rates.table();
        text
    }

    /// What a kill costs.
    fn cut(&self) -> String {
        let mut text =
            "killed at half and run again, bytes of targets with headers; then once more, bytes of images fetched + written\n"
                .to_owned();
        let _ = writeln!(
            text,
            "  {:<41}{:>12}{:>12}{:>12}{:>11}{:>9}{:>11}",
            "way", "undisturbed", "killed", "resumed", "twice", "of all", "once more"
        );
        for Cut { way, undisturbed, killed, resumed, twice, percent, again } in &self.cuts {
            let [all, killed, resumed, twice] = [undisturbed, killed, resumed, twice].map(|n| megabytes(*n));
            let (percent, again) =
                (format!("{percent:.2} %"), format!("{} + {}", again.fetched, again.written));
            let _ = writeln!(
                text,
                "  {:<41}{all:>12}{killed:>12}{resumed:>12}{twice:>11}{percent:>9}{again:>11}",
                way.what()
            );
        }
        text += "  goal: at most 2 % twice, and nothing once more\n";
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::cut::Again;
    use super::*;

    fn figures() -> Figures {
        let spent = Spent { wall: 2.6, cpu: 3.0, memory: 64_000_000 };
        let read_back = Some("image-file".to_owned());
        let again = Again { fetched: 0, written: 0 };
        Figures {
            rows: vec![
                Row { way: Way::Full, spent, work: Some(Work::default()), read_back, bound: Some(2.0) },
                Row { way: Way::Shell, spent, work: None, read_back: None, bound: None },
            ],
            cuts: vec![Cut::of(Way::Full, [200_000_000, 101_000_000, 102_000_000], again)],
            cores: 2,
            rounds: 5,
            kind: Kind::Ext4,
            rates: Rates::default(),
        }
    }

    #[test]
    fn only_ways_that_tell_what_they_did_have_a_bound() {
        let table = figures().table();
        assert!(table.contains("2.00 s     1.30\n") && table.contains("medians of 5"), "{table}");
        assert!(
            table.lines().any(|line| line.contains("dd direct") && line.ends_with("64.00 MB")),
            "{table}"
        );
        assert!(figures().json().contains("\"bound\":null"));
    }

    #[test]
    fn what_came_twice_is_what_both_runs_took_beyond_one() {
        let table = figures().table();
        assert!(table.contains("3.00 MB   1.50 %      0 + 0\n"), "{table}");
        assert!(figures().json().contains("\"twice\":3000000,\"percent\":1.5"));
    }
}
