//! `cargo xtask bench`: what things cost, side by side in one run. Nothing here is a test: it reports what is.
//!
//! - [`api`]: the API under many callers, the start of its client, and what it costs to watch an install
//! - [`images`]: root file systems of Debian packages, for the benches that move images
//! - [`tools`]: programs of the machine that a bench calls
//! - [`check`]: a check for updates, with and without memory, and a download over a bad link

mod api;
mod check;
mod images;
mod tools;

use clap::{Parser, Subcommand};

use crate::Outcome;

/// Arguments of `cargo xtask bench`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask bench api\n  cargo xtask bench check\n  cargo xtask bench check --json\n  cargo xtask bench check --full"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What the API costs: answers under many callers, memory, the client's start, and watching an install
    Api(api::Args),
    /// Build root file systems of Debian packages that apt offers, for the benches that move images
    Images(images::Args),
    /// What a check for updates costs where nothing has changed, and what a link that breaks again and again costs
    Check(check::Args),
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Api(args) => api::run(args),
        What::Images(args) => images::run(args),
        What::Check(args) => check::run(args),
    }
}
