//! What may be said, and what becomes of a failure.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use host_io::log::{self, Level};
use host_io::{Clock as _, SystemClock, report as told, say};
use serde::Serialize;

use super::{
    add, check, delegate, expiring, guard, hash, hold, init, list, mirror, pack, prune, push, refresh,
    report, rollout, root, simulate, simulate_guard,
};
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
    /// Tell the root hash of a root image before the release is published
    Hash(hash::Args),
    /// Publish a release
    Add(Box<add::Args>),
    /// Make the pack that leads from one published release to another
    Pack(pack::Args),
    /// Walk a repository as hosts do, and tell everything that they would stumble over
    Check(check::Args),
    /// Tell what is offered, paused and taken back, with waves and sizes
    List(list::Args),
    /// Write a page about the repository: releases, waves, costs, migrations, expiry, checks
    Report(Box<report::Args>),
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
    /// Teams with keys of their own: what they may list, and who signs it
    Delegate(delegate::Args),
    /// Releases that are withheld from hosts, by whoever keeps a role for holds
    Hold(hold::Args),
    /// Ask Prometheus how the newest release does, and stop it when it does badly
    Guard(Box<guard::Args>),
    /// Copy a repository, or a part of it, for places without a network
    Mirror(mirror::Args),
    /// Bring an object store up to date with a repository
    Push(push::Args),
    /// Remove files of targets that no metadata names any more
    Prune(prune::Args),
    /// Play a rollout over a fleet before it is one
    Simulate(Box<simulate::Args>),
    /// Play rollouts of bad releases that a guard stops: how many hosts take them by then
    SimulateGuard(Box<simulate_guard::Args>),
}

/// The grammar of the command line, for its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Runs a command: its answer on stdout, everything else on stderr.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    log::init(cli.log_level);
    let now = SystemClock.now();
    // Where there is no thread for what blocks the library panics.
    let has_threads = std::thread::Builder::new().spawn(|| ());
    let runtime =
        match has_threads.and_then(|_| tokio::runtime::Builder::new_current_thread().enable_all().build()) {
            Ok(runtime) => runtime,
            Err(error) => {
                say::line(&format!("pubrepo: failed to start: {error}"));
                return ExitCode::FAILURE;
            }
        };
    let json = cli.json;
    let done = runtime.block_on(async {
        Ok(match cli.command {
            Command::Init(args) => answer(&init::run(args, now).await?, json),
            Command::Hash(args) => answer(&hash::run(args).await?, json),
            Command::List(args) => answer(&list::run(args).await?, json),
            Command::Add(args) => answer(&add::run(*args, now).await?, json),
            Command::Pack(args) => answer(&pack::run(args, now).await?, json),
            Command::Check(args) => {
                let report = check::run(args, now).await?;
                answer(&report, json).asked().bad_unless(report.is_good())
            }
            Command::Report(args) => answer(&Box::pin(report::run(*args, now)).await?, json),
            Command::Refresh(args) => answer(&refresh::run(args, now).await?, json),
            Command::Expiring(args) => {
                let report = expiring::run(args, now).await?;
                answer(&report, json)
                    .asked()
                    .bad_unless(report.expiring.is_empty() && report.unknown.is_empty())
            }
            Command::Pause(args) => answer(&rollout::run(Action::Pause, args, now).await?, json),
            Command::Resume(args) => answer(&rollout::run(Action::Resume, args, now).await?, json),
            Command::Recall(args) => answer(&rollout::run(Action::Recall, args, now).await?, json),
            Command::Simulate(args) => answer(&simulate::run(*args, now).await?, json).asked(),
            Command::SimulateGuard(args) => answer(&simulate_guard::run(&args, now)?, json).asked(),
            Command::Remove(args) => answer(&rollout::run(Action::Remove, args, now).await?, json),
            Command::Root(args) => answer(&root::run(args, now).await?, json),
            Command::Delegate(args) => answer(&delegate::run(args, now).await?, json),
            Command::Hold(args) => {
                let done = hold::run(args, now).await?;
                let answer = answer(&done, json);
                if done.is_look() { answer.asked() } else { answer }
            }
            Command::Guard(args) => {
                let report = guard::run(*args, &SystemClock).await?;
                answer(&report, json).bad_unless(report.goes_on())
            }
            Command::Prune(args) => answer(&prune::run(&args, now)?, json),
            Command::Push(args) => answer(&push::run(args).await?, json),
            Command::Mirror(args) => answer(&mirror::run(args, now).await?, json),
        })
    });
    match done {
        Ok(Answer { text, good, asked: true }) => match say::answer(&text) {
            Ok(()) => exit(good),
            Err(error) => {
                say::line(&format!("pubrepo: failed to write the answer: {error}"));
                ExitCode::FAILURE
            }
        },
        Ok(Answer { text, good, asked: false }) => {
            say::outcome(&text);
            exit(good)
        }
        Err(error) => fail(&error, json),
    }
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What goes to stdout, whether all is well, and whether this answer is all that was wanted.
struct Answer {
    text: String,
    good: bool,
    asked: bool,
}

impl Answer {
    /// Nothing was done but to find this out.
    fn asked(self) -> Self {
        Self { asked: true, ..self }
    }

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
    Answer { text: text + "\n", good: true, asked: false }
}

fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        let text = serde_json::json!({ "error": told::json(error) });
        // The sentence and the exit status still tell.
        let _unwritten = say::answer(&format!("{text}\n"));
    }
    say::line(&told::sentence("pubrepo", error));
    ExitCode::FAILURE
}
