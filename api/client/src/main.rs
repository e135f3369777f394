//! `apiclient`: see the library.

use std::process::ExitCode;

use apiclient::{args, run};
use host_io::{report, say};

/// What help and a wrong command line exit with.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os()) {
        Ok(args) => args,
        // Help goes to stderr as well: stdout has answers of the server and nothing else.
        Err(args::NoCommand::Usage(text)) => {
            say::piece(&text);
            return ExitCode::from(USAGE);
        }
        Err(args::NoCommand::Version(text)) => {
            say::outcome(&text);
            return ExitCode::SUCCESS;
        }
    };
    match run::run(args) {
        Ok(code) => code,
        Err(error) => {
            say::line(&report::sentence("apiclient", &error));
            ExitCode::FAILURE
        }
    }
}
