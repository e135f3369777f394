//! `updata`: makes and changes update manifests, and says what is wrong with one.
//!
//! - `cli`: what was typed
//! - `add_update`, `init`, `remove_update`, `set_max_version`, `set_migrations`, `set_waves`, `validate`: one subcommand
//!   each
//! - `file`: a manifest from a file and back, new, synced, swapped
//! - `exit`: why it failed and what to do next

mod add_update;
mod cli;
mod exit;
mod file;
mod init;
mod remove_update;
mod set_max_version;
mod set_migrations;
mod set_waves;
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
    match typed.command.run(&SystemFs, SystemClock.now()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error),
    }
}
