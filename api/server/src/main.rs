//! `apiserver`: see the library.

use std::process::ExitCode;

use apiserver::{args::Args, serve};
use clap::Parser as _;
use host_io::{report, say};

/// What a wrong command line exits with.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let text = error.render().to_string();
            if error.use_stderr() {
                say::line(text.trim_end());
                return ExitCode::from(USAGE);
            }
            say::outcome(&format!("{}\n", text.trim_end()));
            return ExitCode::SUCCESS;
        }
    };
    host_io::log::init(args.log_level);
    match serve::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&report::sentence("apiserver", &error));
            ExitCode::FAILURE
        }
    }
}
