//! `apiserver`: see the library.

use std::process::ExitCode;

use apiserver::{args::Args, serve};
use clap::Parser as _;

/// What a wrong command line exits with.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let text = error.render().to_string();
            if error.use_stderr() {
                eprintln!("{}", text.trim_end());
                return ExitCode::from(USAGE);
            }
            println!("{}", text.trim_end());
            return ExitCode::SUCCESS;
        }
    };
    host_io::log::init(args.log_level);
    match serve::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", host_io::report::sentence("apiserver", &error));
            ExitCode::FAILURE
        }
    }
}
