//! `cargo xtask crash api`: an update over the API whose server and worker are killed again and again.
//!
//! Each round is a new host. Its update is started, and at a random moment the server, the `updog` that works, or both
//! are killed; the server is started again and what it says is held against the disk, which is read without any of our
//! programs. In the end nobody is killed any more, and the update has to be completed.
//!
//! - [`round`]: one host from its first boot to the booted update
//! - [`judge`]: whether a status is true of a disk

mod judge;
mod round;

use clap::Parser;
use testdata::{Ear, Release, World};

use super::dice::Dice;
use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo};
use round::Measure;

/// Arguments of `cargo xtask crash api`.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many hosts
    #[arg(long, default_value_t = 10, value_name = "N")]
    rounds: u32,
    /// What the moments are drawn from
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    rng_seed: u64,
    /// Print one JSON object a round instead of lines for people
    #[arg(long)]
    json: bool,
}

/// Builds the programs, plays the rounds, and says what was found.
pub(crate) fn run(args: &Args) -> Outcome {
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let measure = Measure::undisturbed(&world)?;
    if !args.json {
        println!(
            "Undisturbed, prepare takes {} ms and activate {} ms. Killing within that.",
            measure.prepare.as_millis(),
            measure.activate.as_millis()
        );
    }
    let mut dice = Dice::new(args.rng_seed);
    let (mut kills, mut statuses, mut lies) = (0, 0, 0);
    for number in 1..=args.rounds {
        // In every second round whoever reads the server's log has gone away before all this.
        let ear = if number % 2 == 0 { Ear::Gone } else { Ear::Open };
        let round = round::play(&world, &measure, &mut dice, ear)?;
        kills += round.kills.len();
        statuses += round.statuses;
        lies += round.lies.len();
        if args.json {
            println!("{}", round.json(number));
        } else {
            println!(
                "round {number}{}: killed {}; {} answers held against the disk{}",
                if ear == Ear::Gone { ", nobody reads the log" } else { "" },
                round.kills.join(", "),
                round.statuses,
                if round.lies.is_empty() {
                    "; 1.1.0 runs".to_owned()
                } else {
                    format!("\n  NOT TRUE: {}", round.lies.join("\n  NOT TRUE: "))
                }
            );
        }
    }
    if !args.json {
        println!(
            "{} rounds, {kills} kills, {statuses} answers of the API held against the disk, {lies} not true",
            args.rounds
        );
    }
    Ok(lies == 0)
}
