//! `exec`: running a command in a host container.

use std::ffi::OsString;
use std::process::ExitCode;

use api_model::exec::Initialize;

use crate::api::Api;
use crate::error::Error;
use crate::exec::connect::connect;
use crate::exec::output::Output;
use crate::exec::terminal::{Raw, Tty};
use crate::exec::{input, session};

/// What to run and where.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    override_usage = "apiclient exec [OPTIONS] <CONTAINER> <COMMAND> [ARGUMENT]...",
    disable_help_subcommand = true,
    after_help = "Everything after the container's name belongs to the command. The exit code is the command's; it is 128 and the signal's
number when a signal ends apiclient, and 1 when it is not known.

Examples:
  apiclient exec admin bash
  apiclient exec admin ls -l /etc
  tar c . | apiclient exec -T admin tar x -C /tmp"
)]
pub struct Args {
    /// Give the command a terminal [default: when stdin and stdout are terminals]
    #[arg(short, long, overrides_with = "no_tty")]
    tty: bool,

    /// Give the command plain input and output
    #[arg(short = 'T', long, overrides_with = "tty")]
    no_tty: bool,

    #[command(subcommand)]
    what: What,
}

/// The container and the command. To the parser a container's name is a subcommand that it does not know: only then does
/// it leave all the words that follow alone, flags of ours among them.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
enum What {
    #[command(external_subcommand)]
    Words(Vec<OsString>),
}

impl Args {
    /// Whether the command gets a terminal.
    #[must_use]
    pub fn tty(&self) -> Tty {
        match (self.tty, self.no_tty) {
            (true, _) => Tty::Always,
            (_, true) => Tty::Never,
            (false, false) => Tty::Auto,
        }
    }

    /// The container, and the command with its arguments.
    ///
    /// # Errors
    /// With what is wrong about them.
    pub fn what(&self) -> Result<(String, Vec<OsString>), &'static str> {
        let What::Words(words) = &self.what;
        match words.split_first() {
            Some((_, [])) | None => Err("there is no command to run in the container"),
            Some((target, command)) => match target.to_str() {
                Some(target) => Ok((target.to_owned(), command.to_vec())),
                None => Err("the container's name is no text"),
            },
        }
    }
}

/// Runs it and returns its exit code.
///
/// # Errors
/// When it cannot be run, or how it ended is not known.
pub async fn run(api: &Api, args: &Args) -> Result<ExitCode, Error> {
    let (target, command) = args.what().map_err(|reason| Error::Start(reason.into()))?;
    run_in(api, target, command, args.tty()).await
}

/// Runs `command` in the container `target` and returns its exit code.
///
/// # Errors
/// When it cannot be run, or how it ended is not known.
pub async fn run_in(api: &Api, target: String, command: Vec<OsString>, tty: Tty) -> Result<ExitCode, Error> {
    let tty = tty.init();
    let socket = connect(api).await.map_err(Error::call("run a command in a host container"))?;
    let what = Initialize { command, target: target.clone(), tty };
    let started = |error: std::io::Error| Error::Start(error.into());
    let output = Output::stdout().map_err(started)?;
    let raw = tty.map(|_| Raw::enter()).transpose().map_err(Error::Terminal)?;
    let input = input::stdin().map_err(started)?;
    let ended = session::run(socket, what, input, output).await;
    // Before anything is printed.
    drop(raw);
    match ended {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(source) => Err(Error::Exec { target, source }),
    }
}
