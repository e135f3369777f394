//! The figures, for people and for programs, beside what is aimed at.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::add::Rounds;
use super::image::Image;
use super::manifest::{Explained, UPDATES, WAVES};
use super::rollout::{HOSTS, Rollout};
use crate::bench::measure::Spent;

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) root: Image,
    pub(super) rounds: Rounds,
    pub(super) rollouts: Vec<Rollout>,
    pub(super) explained: Explained,
}

impl Figures {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let cost = |cost: &Spent| {
            json!({
                "wall_seconds": cost.wall,
                "cpu_seconds": cost.cpu,
                "peak_memory_bytes": cost.memory,
            })
        };
        let Rounds { count, level, add, frames, index, zstd, zstd_bytes, lz4, lz4_bytes } = &self.rounds;
        let rollouts: Vec<_> = self
            .rollouts
            .iter()
            .map(|rollout| {
                let rules: Vec<_> = rollout
                    .rules
                    .iter()
                    .map(|rule| {
                        json!({
                            "rule": rule.name,
                            "furthest_points": rule.furthest_points,
                            "busiest_hosts_per_minute": rule.busiest,
                        })
                    })
                    .collect();
                json!({ "schedule": rollout.name, "cost": cost(&rollout.cost), "rules": rules })
            })
            .collect();
        json!({
            "root": { "bytes": self.root.bytes, "what": self.root.what },
            "rounds": count,
            "level": level,
            "add": { "cost": cost(add), "frames_bytes": frames, "index_bytes": index },
            "zstd": { "cost": cost(zstd), "bytes": zstd_bytes },
            "lz4": { "cost": cost(lz4), "bytes": lz4_bytes },
            "times": self.rounds.times(),
            "simulate": { "hosts": HOSTS, "rollouts": rollouts },
            "explain": {
                "updates": UPDATES,
                "waves": WAVES,
                "ours_ms": ms(self.explained.ours),
                "older_ms": ms(self.explained.older),
                "program": cost(&self.explained.program),
                "manifest_bytes": self.explained.bytes,
            },
        })
        .to_string()
    }

    /// A table; the last column is what is aimed at.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, is: String, aim: &str| {
            let _ = writeln!(text, "{what:<44}{is:>52}   {aim}");
        };
        let Rounds { count, level, add, frames, index, zstd, zstd_bytes, lz4, lz4_bytes } = &self.rounds;
        line("root image", mb(self.root.bytes), &self.root.what);
        line(&format!("pubrepo add, median of {count}"), cost(add), "<= 256 MB");
        line("  frames of root + their index", format!("{} + {}", mb(*frames), mb(*index)), "");
        line(&format!("zstd -T2 -{level}"), format!("{}, {}", cost(zstd), mb(*zstd_bytes)), "");
        line("lz4 -1", format!("{}, {}", cost(lz4), mb(*lz4_bytes)), "");
        line("pubrepo add by zstd, then lz4", format!("{:.2} times", self.rounds.times()), "<= 1.3 times");
        for rollout in &self.rollouts {
            line(&format!("simulate {HOSTS} hosts, {}", rollout.name), cost(&rollout.cost), "<= 5 s");
            for rule in &rollout.rules {
                let aim = match (rollout.name, rule.name.as_str()) {
                    ("plain", "ours") => "<= 0.5 points",
                    ("plain", _) => "for comparison",
                    (_, "ours") => "<= 0.5 points",
                    _ => "<= 0.5 points, <= 500 a minute",
                };
                let is = format!(
                    "{:.2} points from the plan, {:.0} hosts a minute at most",
                    rule.furthest_points, rule.busiest
                );
                line(&format!("  rule: {}", rule.name), is, aim);
            }
        }
        let Explained { ours, older, program, bytes } = &self.explained;
        let rule = format!("{:.1} ms, older rule {:.1} ms", ms(*ours), ms(*older));
        line(&format!("explain {UPDATES} updates of {WAVES} waves"), rule, "<= 50 ms");
        line(&format!("  updata explain, reading {} too", mb(*bytes)), cost(program), "");
        text
    }
}

fn cost(cost: &Spent) -> String {
    format!("{:.2} s, {:.2} s of processor, {}", cost.wall, cost.cpu, mb(cost.memory))
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
