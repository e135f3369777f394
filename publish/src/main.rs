//! `pubrepo`: makes and extends repositories of updates.

use std::process::ExitCode;

use clap::Parser as _;
use publish::command::{self, Cli};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    command::run(cli)
}
