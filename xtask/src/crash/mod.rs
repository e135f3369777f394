//! `cargo xtask crash`: what is left, and what is said of it, when the power goes away or programs are killed.
//!
//! - [`cuts`]: every state that a power cut could leave of an update
//! - [`api`]: the API server and its worker, killed in the middle of an update
//! - [`dice`]: moments and victims, the same for the same seed

mod api;
mod cuts;
mod dice;

use clap::{Parser, Subcommand};

use crate::{Outcome, cargo};
use cuts::{Depth, Extents};

/// Arguments of `cargo xtask crash`.
#[derive(Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = after_help()
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Less than usual of some things: see the figures
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More than usual of some things, which takes hours: see the figures
    #[arg(long)]
    full: bool,
    /// Only stories whose name begins so
    #[arg(long, value_name = "NAME")]
    story: Option<String>,
    /// Only this state, as a violation names it; its host is left
    #[arg(long, value_name = "STATE", conflicts_with = "story")]
    state: Option<String>,
    /// That state of a story in which this mistake is made
    #[arg(long, value_name = "NAME", requires = "state")]
    mistake: Option<String>,
    /// Forget each sync as well, one at a time, and tell which promise needs it
    #[arg(long, conflicts_with = "state")]
    syncs: bool,
    /// What subsets are drawn from
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    rng_seed: u64,
    /// Print one JSON object a story instead of lines for people
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Kill apiserver, updog or both at random moments of an update, and hold every status against the disk
    Api(api::Args),
    /// Cut the record of a machine's disk at any write, let the kernel mount what is left, and hold it to the same promises
    SecondOpinion(cuts::below::Args),
}

fn after_help() -> String {
    let examples = "Examples:\n  cargo xtask crash --quick\n  cargo xtask crash --story first-update\n  cargo xtask crash api --rounds 10 --rng-seed 1\n  cargo xtask crash second-opinion --points 600 --boots 20";
    let figures = Depth::figures()
        .map(|(what, [quick, usual, full])| format!("  {what:<74} {quick:>5} {usual:>5} {full:>5}\n"));
    format!("Figures of --quick, neither and --full:\n{}\n{examples}", figures.concat())
}

/// Plays it and tells it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        Some(What::Api(args)) => api::run(args),
        Some(What::SecondOpinion(args)) => cuts::below::run(args),
        None if (args.full || args.syncs) && !cargo::is_optimised() => {
            eprintln!("building all of it once more, optimised …");
            cargo::run_optimised()
        }
        None => cuts::run(&Extents {
            depth: match (args.quick, args.full) {
                (true, _) => Depth::QUICK,
                (false, false) => Depth::USUAL,
                (false, true) => Depth::FULL,
            },
            syncs: args.syncs,
            mistakes: true,
            rng_seed: args.rng_seed,
            story: args.story.clone(),
            state: args.state.clone(),
            mistake: args.mistake.clone(),
            json: args.json,
        }),
    }
}
