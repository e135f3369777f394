//! What may be said, and what becomes of a failure.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use host_io::log::{self, Level};
use host_io::{Clock as _, SystemClock, report};
use serde::Serialize;

use super::{add, check, expiring, init, mirror, refresh, rollout, root, simulate};
use crate::Error;
use crate::rollout::Action;

/// Makes and extends repositories of updates.
#[derive(Debug, Parser)]
#[command(name = "pubrepo", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print what was done as one JSON object
    #[arg(long, global = true)]
    json: bool,
    /// How much to tell on stderr: off, error, warn, info, debug, trace
    #[arg(long, global = true, default_value_t = Level::Warn, value_name = "LEVEL")]
    log_level: Level,
}

const EXAMPLES: &str = "\
Examples:
  Make keys and an empty repository, three root keys of which two have to sign:
    pubrepo init --repo /srv/updates --keys ~/keys --variant metal --arch x86_64

  Publish version 1.1.0 with its migrations, in waves from now on:
    pubrepo add --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --version 1.1.0 --boot boot.img --root root.img \\
      --release-config Release.toml --migrations migrations/ --waves waves.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys, the root role and an empty repository
    Init(init::Args),
    /// Publish a release
    Add(Box<add::Args>),
    /// Walk a repository as hosts do, and tell everything that they would stumble over
    Check(check::Args),
    /// Sign the roles below root again, with new dates; no target changes
    Refresh(refresh::Args),
    /// Tell which roles expire soon; the exit status is 1 if there is one
    Expiring(expiring::Args),
    /// Let no host take a release for now
    Pause(rollout::Args),
    /// Let a paused release go on where it stood
    Resume(rollout::Args),
    /// Take a release back; hosts that have it go back
    Recall(rollout::Args),
    /// Take a release off the list; hosts that have it keep it
    Remove(rollout::Args),
    /// The root role: offline, one key holder at a time
    Root(root::Args),
    /// Copy a repository, or a part of it, for places without a network
    Mirror(mirror::Args),
    /// Play a rollout over a fleet before it is one
    Simulate(Box<simulate::Args>),
}

/// Runs a command: its answer on stdout, everything else on stderr.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    log::init(cli.log_level);
    let now = SystemClock.now();
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("pubrepo: failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let json = cli.json;
    let done = runtime.block_on(async {
        Ok(match cli.command {
            Command::Init(args) => answer(&init::run(args, now).await?, json),
            Command::Add(args) => answer(&add::run(*args, now).await?, json),
            Command::Check(args) => {
                let report = check::run(args, now).await?;
                answer(&report, json).bad_unless(report.is_good())
            }
            Command::Refresh(args) => answer(&refresh::run(args, now).await?, json),
            Command::Expiring(args) => {
                let report = expiring::run(args, now).await?;
                answer(&report, json).bad_unless(report.expiring.is_empty())
            }
            Command::Pause(args) => answer(&rollout::run(Action::Pause, args, now).await?, json),
            Command::Resume(args) => answer(&rollout::run(Action::Resume, args, now).await?, json),
            Command::Recall(args) => answer(&rollout::run(Action::Recall, args, now).await?, json),
            Command::Simulate(args) => answer(&simulate::run(*args, now).await?, json),
            Command::Remove(args) => answer(&rollout::run(Action::Remove, args, now).await?, json),
            Command::Root(args) => answer(&root::run(args, now).await?, json),
            Command::Mirror(args) => answer(&mirror::run(args, now).await?, json),
        })
    });
    match done {
        Ok(Answer { text, good }) => {
            say(&text);
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => fail(&error, json),
    }
}

/// What goes to stdout, and whether all is well.
struct Answer {
    text: String,
    good: bool,
}

impl Answer {
    fn bad_unless(self, good: bool) -> Self {
        Self { good, ..self }
    }
}

fn answer(report: &(impl Serialize + std::fmt::Display), json: bool) -> Answer {
    let text = if json {
        serde_json::to_string(report).expect("a report is plain data")
    } else {
        report.to_string()
    };
    Answer { text, good: true }
}

fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        say(&serde_json::json!({ "error": report::json(error) }).to_string());
    }
    eprintln!("{}", report::sentence("pubrepo", error));
    ExitCode::FAILURE
}

/// Whoever reads the answer may have gone, as `head` does; the exit status still tells.
fn say(text: &str) {
    let _reader_may_be_gone = writeln!(std::io::stdout(), "{text}");
}
