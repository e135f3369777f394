//! The figures, for people and for programs, beside what is aimed at.

use std::fmt::Write as _;

use serde_json::json;

use crate::bench::measure::Spent;

/// All ways in turn.
pub(super) struct Round {
    pub(super) plain: Spent,
    pub(super) programs: Spent,
    pub(super) lists: Spent,
}

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) migrations: u32,
    pub(super) settings: u32,
    pub(super) rounds: Vec<Round>,
    /// Programs and lists once more within the limit of memory; why not, where there is no such limit.
    pub(super) within: Result<(Spent, Spent), String>,
    pub(super) limit: u64,
    pub(super) reading: Vec<f64>,
}

impl Figures {
    fn median(&self, way: impl Fn(&Round) -> Spent) -> Spent {
        Spent::median(&self.rounds.iter().map(way).collect::<Vec<_>>())
    }

    /// The first reading, and the median of the later ones, in milliseconds.
    fn reading(&self) -> (f64, f64) {
        let mut warm: Vec<f64> = self.reading.iter().skip(1).copied().collect();
        warm.sort_by(f64::total_cmp);
        let ms = |seconds: Option<&f64>| seconds.copied().unwrap_or_default() * 1000.0;
        (ms(self.reading.first()), ms(warm.get(warm.len() / 2)))
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let cost = |cost: Spent| json!({ "wall_seconds": cost.wall, "cpu_seconds": cost.cpu });
        let (plain, programs, lists) = self.medians();
        let within = match &self.within {
            Ok((programs, lists)) => json!({
                "limit_bytes": self.limit,
                "programs": cost(*programs),
                "lists": cost(*lists),
            }),
            Err(why) => json!({ "not_measured": why }),
        };
        let (first, warm) = self.reading();
        json!({
            "migrations": self.migrations,
            "settings": self.settings,
            "rounds": self.rounds.len(),
            "plain": cost(plain),
            "programs": cost(programs),
            "lists": cost(lists),
            "programs_by_plain": programs.wall / plain.wall,
            "lists_by_plain": lists.wall / plain.wall,
            "within": within,
            "reading_ms": { "first": first, "warm": warm },
        })
        .to_string()
    }

    /// A table; the last column is what is aimed at.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, is: String, aim: &str| {
            let _ = writeln!(text, "{what:<44}{is:>48}   {aim}");
        };
        let (plain, programs, lists) = self.medians();
        let Self { migrations, settings, rounds, .. } = self;
        line("settings, migrations, rounds", format!("{settings}, {migrations}, {}", rounds.len()), "");
        line("the plain way", cost(&plain), "");
        line("programs", cost(&programs), "");
        line("lists of steps", cost(&lists), "");
        line("programs by the plain way", format!("{:.2}", programs.wall / plain.wall), "<= 0.50");
        line("lists by the plain way", format!("{:.2}", lists.wall / plain.wall), "<= 0.10");
        let limit = format!("within {} in all", mb(self.limit));
        match &self.within {
            Ok((programs, lists)) => {
                line(&format!("programs {limit}"), cost(programs), "they end well");
                line(&format!("lists {limit}"), cost(lists), "they end well");
            }
            Err(why) => line(&limit, "not measured".to_owned(), why),
        }
        let (first, warm) = self.reading();
        line("a store read", format!("{first:.1} ms, then {warm:.1} ms"), "then <= 20 ms");
        text
    }

    fn medians(&self) -> (Spent, Spent, Spent) {
        (
            self.median(|round| round.plain),
            self.median(|round| round.programs),
            self.median(|round| round.lists),
        )
    }
}

/// Of memory the group tells: the processes follow one another, so what each had at most is nothing to add up.
fn cost(cost: &Spent) -> String {
    format!("{:.2} s, {:.2} s of processor", cost.wall, cost.cpu)
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_told_as_a_part_of_the_plain_one() {
        let of = |wall| Spent { wall, cpu: wall, memory: 1 };
        let round = Round { plain: of(10.0), programs: of(4.0), lists: of(0.5) };
        let figures = Figures {
            migrations: 75,
            settings: 5000,
            rounds: vec![round],
            within: Err("no group".to_owned()),
            limit: 64_000_000,
            reading: vec![0.5, 0.01, 0.03, 0.02],
        };
        let table = figures.table();
        for part in ["0.40", "0.05", "500.0 ms, then 20.0 ms", "no group"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        let told: serde_json::Value = serde_json::from_str(&figures.json()).expect("JSON");
        assert_eq!(told["lists_by_plain"], json!(0.05));
    }
}
