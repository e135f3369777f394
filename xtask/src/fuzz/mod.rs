//! `cargo xtask fuzz`: every fuzz target for a while, and what it reached.
//!
//! The targets lie in the folder `fuzz`, a workspace of its own that needs the nightly toolchain and cargo-fuzz. What
//! they make (programs, corpora, findings, logs) lies below `target/fuzz`.
//!
//! - [`tools`]: whether everything that is needed is installed
//! - [`run`](mod@run): one target
//! - [`lanes`]: several of them side by side
//! - [`report`]: what libFuzzer said, as numbers and as a table

mod lanes;
mod report;
mod run;
mod tools;

use std::num::NonZeroUsize;

use clap::Parser;

use crate::Outcome;
use crate::cargo::workspace;
use run::Place;
pub(crate) use tools::{fetch, missing};

/// Arguments of `cargo xtask fuzz`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz --seconds 600\n  cargo xtask fuzz --target manifest --target lz4_frame\n  cargo xtask fuzz --seconds 600 --jobs 2"
)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Run only this target; may be repeated
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// How many targets run side by side
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    jobs: NonZeroUsize,
}

/// Builds and runs the targets, also after one found something, and sums up.
pub(crate) fn run(args: &Args) -> Outcome {
    let place = Place::below(&workspace());
    let all = place.targets()?;
    if let Some(unknown) = args.target.iter().find(|name| !all.contains(name)) {
        return Err(format!("fuzz {unknown}: there is no such target; there are {}", all.join(", ")).into());
    }
    if let Some(lacks) = missing().first() {
        return Err(format!(
            "find all that fuzzing needs: {lacks} is missing; \"cargo xtask setup --for fuzz --install\" fetches it"
        )
        .into());
    }
    let chosen = if args.target.is_empty() { all } else { args.target.clone() };
    place.build(&chosen)?;
    let rows = lanes::run(args.jobs, &chosen, |name| {
        println!("==> {name}, {} s, says {}", args.seconds, place.log(name).display());
        let row = place.run(name, args.seconds);
        for finding in row.iter().flat_map(|row| &row.findings) {
            println!("    {name}: {finding}");
        }
        row
    })?;
    println!("\n{}", report::table(&rows));
    Ok(rows.iter().all(|row| row.findings.is_empty()))
}
