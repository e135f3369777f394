//! `migrator`: carries settings to the version that boots. See `migrator --help`.

use std::process::ExitCode;
use std::sync::Arc;

use host_io::{SystemFs, report, say};
use migrator::args::Args;
use migrator::{error, settle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
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
