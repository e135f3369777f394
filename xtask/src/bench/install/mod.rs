//! `cargo xtask bench install`: a release installed by `updog` onto a disk image, and onto loop devices where root runs
//! this, beside three plain ways to write the same images; interleaved, so that whatever this machine does besides hits
//! them all. Then `updog` killed at half, and what it fetches twice.
//!
//! - [`ways`]: who installs, and how
//! - [`cut`]: a run that is killed, and the next one
//! - [`report`]: the figures, for people and for programs

mod cut;
mod report;
mod ways;

use clap::Parser;

use super::field::repository::Repository;
use super::field::web::Web;
use super::images::catalog::{Catalog, Kind};
use super::images::release::{Extent, Pair};
use super::measure::Spent;
use super::{images, rates};
use crate::Outcome;
use crate::bench::rates::bound::Rates;
use cut::Cut;
use report::{Figures, Row};
use ways::{Field, Run};

/// Arguments of `cargo xtask bench install`.
#[derive(Parser)]
pub(crate) struct Args {
    /// How often each way is measured; the median counts
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// ROOT as erofs, not as ext4
    #[arg(long)]
    erofs: bool,
    /// Images that are much smaller, for trying this out
    #[arg(long)]
    little: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let extent = Extent::little(args.little);
    rates::ready(extent)?;
    let kind = if args.erofs { Kind::Erofs } else { Kind::Ext4 };
    let (old, new) = Pair::Security.releases();
    let (old, new) = (Catalog::paths(extent, old, kind), Catalog::paths(extent, new, kind));
    let dir = images::dir(extent).join("field");
    let repository = Repository::make(extent, kind, &dir)?;
    let web = Web::start(&repository.dir, &dir.join("web"))?;
    let field = Field::make(&dir, &old, &new, repository, web)?;
    let ways = field.ways();
    let mut rates = Vec::new();
    let mut runs: Vec<Vec<Run>> = ways.iter().map(|_| Vec::new()).collect();
    for round in 1..=args.rounds.max(1) {
        eprintln!("round {round} of {} …", args.rounds.max(1));
        // In each round, as machines are not always as fast as they were.
        eprintln!("  rates …");
        rates.push(field.rates(extent, kind)?);
        for (way, runs) in ways.iter().zip(&mut runs) {
            eprintln!("  {} …", way.what());
            runs.push(field.install(*way)?);
        }
    }
    eprintln!("killed at half …");
    let mut cuts = Vec::new();
    for (way, host) in field.to_kill() {
        eprintln!("  {} …", way.what());
        cuts.push(Cut::measure(way, host, &field.repository, &field.web)?);
    }
    let rates = Rates::median(&rates);
    let cores =
        std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let rows = ways.into_iter().zip(runs).map(|(way, runs)| {
        let spent = Spent::median(&runs.iter().map(|run| run.spent).collect::<Vec<_>>());
        let (work, read_back) = runs.last().map_or((None, None), |run| (run.work, run.read_back.clone()));
        Row { way, spent, work, read_back, bound: work.map(|work| rates.bound(&work, cores)) }
    });
    let figures = Figures { rows: rows.collect(), cuts, cores, rounds: args.rounds.max(1), kind, rates };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}
