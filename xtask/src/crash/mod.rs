//! `cargo xtask crash`: what is left, and what is said of it, when programs are killed at any moment.
//!
//! - [`api`]: the API server and its worker, in the middle of an update

mod api;

use clap::{Parser, Subcommand};

use crate::Outcome;

/// Arguments of `cargo xtask crash`.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo xtask crash api --rounds 10 --rng-seed 1")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Kill apiserver, updog or both at random moments of an update, and hold every status against the disk
    Api(api::Args),
}

/// Plays the rounds and tells them.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Api(args) => api::run(args),
    }
}
