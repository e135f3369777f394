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

/// A run that could take no more than the limit of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    pub(super) spent: Spent,
    /// The most that it took, where the kernel tells.
    pub(super) peak: Option<u64>,
}

/// Everything that was measured; a part that was not wanted is not there.
pub(super) struct Figures {
    pub(super) migrations: u32,
    pub(super) settings: u32,
    pub(super) rounds: Vec<Round>,
    /// Programs and lists once more within the limit of memory; why not, where there is no such limit.
    pub(super) within: Option<Result<[Within; 2], String>>,
    pub(super) limit: u64,
    pub(super) reading: Option<Vec<f64>>,
}

impl Figures {
    fn median(&self, way: impl Fn(&Round) -> Spent) -> Spent {
        Spent::median(&self.rounds.iter().map(way).collect::<Vec<_>>())
    }

    /// The first reading, and the median of the later ones, in milliseconds.
    fn reading(&self) -> Option<(f64, f64)> {
        let all = self.reading.as_ref()?;
        let mut warm: Vec<f64> = all.iter().skip(1).copied().collect();
        warm.sort_by(f64::total_cmp);
        let ms = |seconds: Option<&f64>| seconds.copied().unwrap_or_default() * 1000.0;
        Some((ms(all.first()), ms(warm.get(warm.len() / 2))))
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let cost = |cost: Spent| json!({ "wall_seconds": cost.wall, "cpu_seconds": cost.cpu });
        let mut told = json!({ "migrations": self.migrations, "settings": self.settings });
        if let Some((plain, programs, lists)) = self.medians() {
            told["rounds"] = self.rounds.len().into();
            told["plain"] = cost(plain);
            told["programs"] = cost(programs);
            told["lists"] = cost(lists);
            told["programs_by_plain"] = (programs.wall / plain.wall).into();
            told["lists_by_plain"] = (lists.wall / plain.wall).into();
        }
        let run = |within: &Within| {
            let mut told = cost(within.spent);
            told["peak_bytes"] = within.peak.into();
            told
        };
        match &self.within {
            None => {}
            Some(Ok([programs, lists])) => {
                told["within"] =
                    json!({ "limit_bytes": self.limit, "programs": run(programs), "lists": run(lists) });
            }
            Some(Err(why)) => told["within"] = json!({ "not_measured": why }),
        }
        if let Some((first, warm)) = self.reading() {
            told["reading_ms"] = json!({ "first": first, "warm": warm });
        }
        told.to_string()
    }

    /// A table; the last column is what is aimed at.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, is: String, aim: &str| {
            let _ = writeln!(text, "{what:<44}{is:>48}   {aim}");
        };
        let Self { migrations, settings, rounds, .. } = self;
        line("settings, migrations, rounds", format!("{settings}, {migrations}, {}", rounds.len()), "");
        if let Some((plain, programs, lists)) = self.medians() {
            line("the plain way", cost(&plain), "");
            line("programs", cost(&programs), "");
            line("lists of steps", cost(&lists), "");
            line("programs by the plain way", format!("{:.2}", programs.wall / plain.wall), "<= 0.50");
            line("lists by the plain way", format!("{:.2}", lists.wall / plain.wall), "<= 0.10");
        }
        let limit = format!("within {} in all", mb(self.limit));
        match &self.within {
            None => {}
            Some(Ok([programs, lists])) => {
                for (what, within) in [("programs", programs), ("lists", lists)] {
                    line(&format!("{what} {limit}"), cost(&within.spent), "they end well");
                    let peak = within.peak.map_or_else(|| "not told here".to_owned(), mb);
                    line(&format!("{what}, the most at one time"), peak, &format!("<= {}", mb(self.limit)));
                }
            }
            Some(Err(why)) => line(&limit, "not measured".to_owned(), why),
        }
        if let Some((first, warm)) = self.reading() {
            line("a store read", format!("{first:.1} ms, then {warm:.1} ms"), "then <= 20 ms");
        }
        text
    }

    fn medians(&self) -> Option<(Spent, Spent, Spent)> {
        (!self.rounds.is_empty()).then(|| {
            (
                self.median(|round| round.plain),
                self.median(|round| round.programs),
                self.median(|round| round.lists),
            )
        })
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
            within: Some(Err("no group".to_owned())),
            limit: 64_000_000,
            reading: Some(vec![0.5, 0.01, 0.03, 0.02]),
        };
        let table = figures.table();
        for part in ["0.40", "0.05", "500.0 ms, then 20.0 ms", "no group"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        let told: serde_json::Value = serde_json::from_str(&figures.json()).expect("JSON");
        assert_eq!(told["lists_by_plain"], json!(0.05));
    }

    #[test]
    fn a_part_alone_tells_of_no_other_and_memory_beside_its_limit() {
        let spent = Spent { wall: 1.0, cpu: 1.0, memory: 1 };
        let [programs, lists] = [Some(41_000_000), None].map(|peak| Within { spent, peak });
        let figures = Figures {
            migrations: 75,
            settings: 5000,
            rounds: Vec::new(),
            within: Some(Ok([programs, lists])),
            limit: 64_000_000,
            reading: None,
        };
        let table = figures.table();
        assert!(table.contains("41.0 MB   <= 64.0 MB") && table.contains("not told here"), "{table}");
        assert!(!table.contains("plain") && !table.contains("a store read"), "{table}");
        let told: serde_json::Value = serde_json::from_str(&figures.json()).expect("JSON");
        assert_eq!(told["within"]["programs"]["peak_bytes"], json!(41_000_000));
        assert!(told.get("plain").is_none() && told.get("reading_ms").is_none(), "{told}");
    }
}
