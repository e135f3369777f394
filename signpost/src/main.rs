//! The program `signpost`: shows and changes which partition set boots.

use std::process::ExitCode;

fn main() -> ExitCode {
    signpost::cli::run(std::env::args_os())
}
