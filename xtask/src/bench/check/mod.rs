//! `cargo xtask bench check`: requests, bytes and processor time of `updog check-update` on a repository that has not
//! changed, beside a client that remembers nothing, for a host with nothing to do and for one with an update on offer; then
//! a target over a link that is capped and reset again and again.
//!
//! - [`repository`]: a signed repository of as many updates as are wanted, behind a server
//! - [`cost`]: one check, with what it cost
//! - [`link`]: the bad link
//! - [`report`]: the figures, for people and for programs

mod cost;
mod link;
mod report;
mod repository;

use clap::Parser;

use crate::Outcome;
use crate::cargo::cargo;
use cost::{Client, Cost, Finds, ROUNDS};
use link::Link;
use report::{Figures, Row};
use repository::Served;

/// How many updates the manifests have.
const UPDATES: [u64; 3] = [5, 50, 500];
/// Arguments of `cargo xtask bench check`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// The whole download: 300 MB at 500 KB/s, reset every 20 s. It takes over ten minutes
    #[arg(long)]
    full: bool,
}

/// Builds `updog` as it ships, measures, and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let status = cargo().args(["build", "--release", "--quiet", "--package", "updog", "--bins"]).status()?;
    if !status.success() {
        return Err(format!("build updog: cargo ended with {status}").into());
    }
    let mut rows = Vec::new();
    for updates in UPDATES {
        let served = Served::with_updates(updates)?;
        for finds in [Finds::Nothing, Finds::Update] {
            served.runs(match finds {
                Finds::Nothing => updates,
                Finds::Update => 0,
            })?;
            // In turn: whatever else the machine does meanwhile is as much to the one as to the other.
            let (mut remembers, mut forgets) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                remembers.push(served.check(Client::Remembers, finds)?);
                forgets.push(served.check(Client::Forgets, finds)?);
            }
            for (client, costs) in [(Client::Remembers, remembers), (Client::Forgets, forgets)] {
                rows.push(Row { updates, finds, client, cost: Cost::median(&costs) });
            }
        }
    }
    let link = if args.full { Link::FULL } else { Link::SCALED };
    if !args.json {
        eprintln!(
            "Fetching {} at {} a second …",
            report::bytes(link.length),
            report::bytes(link.bytes_per_second)
        );
    }
    let figures = Figures { rows, download: link.measure()? };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}
