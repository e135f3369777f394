//! What may be said, and what becomes of a failure.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use host_io::log::{self, Level};
use host_io::{Clock as _, SystemClock, report};
use serde::Serialize;

use super::{add, init};
use crate::Error;

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
    #[arg(long, global = true, default_value_t, value_name = "LEVEL")]
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
    let done = match cli.command {
        Command::Init(args) => runtime.block_on(init::run(args, now)).map(|report| answer(&report, cli.json)),
        Command::Add(args) => runtime.block_on(add::run(*args, now)).map(|report| answer(&report, cli.json)),
    };
    match done {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error, cli.json),
    }
}

fn answer(report: &(impl Serialize + std::fmt::Display), json: bool) -> String {
    if json { serde_json::to_string(report).expect("a report is plain data") } else { report.to_string() }
}

fn fail(error: &Error, json: bool) -> ExitCode {
    if json {
        println!("{}", serde_json::json!({ "error": report::json(error) }));
    }
    eprintln!("{}", report::sentence("pubrepo", error));
    ExitCode::FAILURE
}
