//! The program `signpost`: shows and changes which partition set boots.

use std::process::ExitCode;

use clap::Parser as _;
use host_io::{log, report, say};

mod cli;

fn main() -> ExitCode {
    let args = match cli::Args::try_parse() {
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
