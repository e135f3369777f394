//! The command line of `signpost`.
//!
//! - `args`: what may be said, and which file answers it
//! - `status`: the screen and the report
//! - `running`: the running set's partitions, for an initramfs
//! - `change`: every command that changes bits
//! - `pick`: the boot program's choice as a command
//! - `install_bootpick`: the boot program onto the partitions that firmware starts from
//! - `verify`: `verify`
//! - `repair`: `repair`
//! - `create`: `create`
//! - `has_boot_ever_succeeded`: the one word
//! - `boot_deadline`: what becomes of a boot that nobody marks good
//! - `answer`: an answer on stdout

mod answer;
mod args;
mod boot_deadline;
mod change;
mod create;
mod has_boot_ever_succeeded;
mod ignored;
mod install_bootpick;
mod pick;
mod repair;
mod running;
mod status;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Args;
use clap::{CommandFactory as _, Parser as _};
use host_io::{log, report, say};

/// The program: does what was typed.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Nothing better can be done when even that cannot be written.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    log::init(args.log_level);
    match args.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&report::sentence("signpost", &error));
            error.exit_code()
        }
    }
}

/// The grammar of the command line, for its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Args::command()
}
