//! A fleet of a million hosts that polls every hour, played through `pubrepo simulate`: written densely with an end, and as
//! plain as the policy is.

use std::error::Error;
use std::process::Command;

use serde_json::Value;

use crate::bench::measure::{Spent, measured};
use crate::bench::tools::shipped;

/// How many hosts there are.
pub(super) const HOSTS: u64 = 1_000_000;

/// One rollout, by both rules.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rollout {
    /// How the schedule is written.
    pub(super) name: &'static str,
    pub(super) cost: Spent,
    pub(super) rules: Vec<Rule>,
}

/// What a rule makes of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) name: String,
    /// How far the fleet is from the plan at worst, in hundredths of it.
    pub(super) furthest_points: f64,
    /// Hosts a minute in the busiest ten minutes.
    pub(super) busiest: f64,
}

/// Plays both.
pub(super) fn measure() -> Result<Vec<Rollout>, Box<dyn Error>> {
    [("dense, tail 24 h", &["--tail", "24h"][..]), ("plain", &["--no-dense"])]
        .into_iter()
        .map(|(name, how)| {
            let mut command = Command::new(shipped("pubrepo"));
            command.args(["simulate", "--json", "--poll", "1h", "--hosts", &HOSTS.to_string()]).args(how);
            let (said, cost) = measured(&mut command)?;
            let outcome: Value = serde_json::from_slice(&said.stdout)?;
            let rules =
                outcome["rules"].as_array().into_iter().flatten().map(rule).collect::<Option<Vec<_>>>();
            let rules = rules.filter(|rules| rules.len() == 2).ok_or("find both rules in the simulation")?;
            Ok(Rollout { name, cost, rules })
        })
        .collect()
}

fn rule(outcome: &Value) -> Option<Rule> {
    Some(Rule {
        name: outcome["rule"].as_str()?.to_owned(),
        furthest_points: outcome["furthest"]["points"].as_f64()?,
        busiest: outcome["busiest"]["hosts_per_minute"].as_f64()?,
    })
}
