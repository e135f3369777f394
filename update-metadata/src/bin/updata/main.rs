//! `updata`: makes and changes update manifests, and says what is wrong with one.
//!
//! - `cli`: what was typed
//! - `add_update`, `explain`, `init`, `remove_update`, `set_max_version`, `set_migrations`, `set_waves`, `show`,
//!   `validate`: one subcommand each
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
mod validate;

use std::process::ExitCode;

use clap::Parser as _;
use host_io::{Clock as _, SystemClock, SystemFs};

fn main() -> ExitCode {
    let typed = match cli::Cli::try_parse() {
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
