//! `pubrepo pause|resume|recall|remove`.

use std::io::{self, BufRead as _, IsTerminal as _};

use chrono::{DateTime, Utc};
use host_io::say;
use semver::Version;

use super::desk::ChangeArgs;
use crate::Error;
use crate::rollout::{Action, RolloutReport, rollout};

/// Which release.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The version of the release
    #[arg(required_unless_present = "named")]
    version: Option<Version>,
    /// The same, by the name that it has in "add"
    #[arg(long = "version", id = "named", value_name = "VERSION", hide = true, conflicts_with = "version")]
    named: Option<Version>,
    #[command(flatten)]
    change: ChangeArgs,
    /// Do it without asking; the effect is still told
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "\
What it does to hosts is told on stderr first, and a terminal is asked.

Examples:
  Something is wrong with 1.1.0; nobody else shall take it for now:
    pubrepo pause 1.1.0 --repo /srv/updates --keys ~/keys --variant metal --arch x86_64

  It was a false alarm:
    pubrepo resume 1.1.0 --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 --yes

  It was not; hosts that have it go back:
    pubrepo recall 1.1.0 --repo /srv/updates --keys ~/keys --variant metal --arch x86_64";

/// Runs the command.
///
/// # Errors
/// As [`rollout`].
pub async fn run(action: Action, args: Args, now: DateTime<Utc>) -> Result<RolloutReport, Error> {
    let Args { version, named, change, yes } = args;
    let version = version.or(named).expect("one of them is required");
    let (desk, lifetimes) = change.read()?;
    let agree = |effect: &[String]| {
        say::line(&format!("{} {version}:", action.name()));
        for sentence in effect {
            say::line(&format!("  - {sentence}"));
        }
        if yes { Ok(true) } else { asked() }
    };
    rollout(&desk, action, &version, lifetimes, now, agree).await
}

/// Asks whoever sits at the terminal. Without one the answer is no.
fn asked() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    say::piece("type yes to go on: ");
    let mut said = String::new();
    io::stdin().lock().read_line(&mut said)?;
    Ok(said.trim() == "yes")
}
