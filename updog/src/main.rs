//! `updog`: the updater of a host.

use std::process::ExitCode;

fn main() -> ExitCode {
    updog::typed::cli::run(std::env::args_os())
}
