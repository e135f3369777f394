//! `pubrepo list`.

use super::place::PlaceArgs;
use crate::Error;
use crate::list::{ListReport, list};

/// Tell what is offered, paused and taken back, with waves and sizes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
}

const EXAMPLES: &str = "\
Examples:
  pubrepo list /srv/updates --trusted-root keys/root.json --variant metal --arch x86_64

  What hosts see from outside, for programs:
    pubrepo list https://updates.example.com --trusted-root root.json --variant metal --arch x86_64 --json";

/// Runs the command.
///
/// # Errors
/// As [`list`].
pub async fn run(args: Args) -> Result<ListReport, Error> {
    list(&args.place.into()).await
}
