//! `cargo xtask bench`: what things cost, side by side in one run. Nothing here is a test: it reports what is.
//!
//! - [`check`]: a check for updates, with and without memory, and a download over a bad link

mod check;

use clap::{Parser, Subcommand};

use crate::Outcome;

/// Arguments of `cargo xtask bench`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask bench check\n  cargo xtask bench check --json\n  cargo xtask bench check --full"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What a check for updates costs where nothing has changed, and what a link that breaks again and again costs
    Check(check::Args),
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Check(args) => check::run(args),
    }
}
