//! The program `updata`: makes and changes update manifests, and says what is wrong with one.
//!
//! The only part of this crate that touches files and the clock; nothing else here knows it.
//!
//! - `cli`: what was typed
//! - `add_update`, `explain`, `init`, `remove_update`, `set_max_version`, `set_migrations`, `set_waves`, `show`,
//!   `validate`: one subcommand each
//! - `typed`: what several of them take
//! - `answer`: what a subcommand answers on stdout, for people and for programs
//! - `file`: a manifest from a file and back, new, synced, swapped
//! - `exit`: why it failed and what to do next

mod add_update;
mod answer;
mod cli;
mod exit;
mod explain;
mod file;
mod init;
mod remove_update;
mod set_max_version;
mod set_migrations;
mod set_waves;
mod show;
mod typed;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use host_io::{Clock as _, SystemClock, SystemFs};

/// The program: does what was typed.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed = match cli::Cli::try_parse_from(arguments) {
        Ok(typed) => typed,
        Err(error) => return exit::usage(&error),
    };
    host_io::log::init(typed.log_level);
    let format = typed.format();
    let answer = typed.command.run(&SystemFs, SystemClock.now());
    match answer.and_then(|answer| answer.print(format).map_err(exit::Error::Answer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error, format),
    }
}

/// The grammar of the command line, for its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    cli::Cli::command()
}
