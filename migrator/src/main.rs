//! `migrator`: carries settings to the version that boots. See `migrator --help`.

use std::process::ExitCode;
use std::sync::Arc;

use host_io::{SystemFs, report, say};
use migrator::args::Args;
use migrator::{error, sandbox, settle};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == sandbox::MARK) {
        return sandbox::become_migration(arguments);
    }
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => {
            say::line(&format!("migrator: failed to start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> ExitCode {
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(usage) => {
            // Nowhere to say it if this fails too; the exit code says it anyway.
            let _unsaid = usage.print();
            return error::exit_code_of_usage(&usage);
        }
    };
    host_io::log::init(args.log_level);
    let settled = match args.request() {
        Ok(request) => settle::settle(Arc::new(SystemFs), &request).await,
        Err(error) => Err(error),
    };
    match settled {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&report::sentence("migrator", &error));
            error.exit_code()
        }
    }
}
