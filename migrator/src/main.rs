//! `migrator`: carries settings to the version that boots. See `migrator --help`.

use std::process::ExitCode;

use host_io::{report, say};
use migrator::args::{Args, Extent, Request};
use migrator::rehearse::Outlook;
use migrator::{Error, error, rehearse, sandbox, settle};

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
    let (extent, json) = (args.extent(), args.json);
    let done = match args.request() {
        Ok(request) => follow(extent, &request).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(outlook) => {
            let text = match &outlook {
                Some(outlook) if json => {
                    serde_json::to_string_pretty(outlook).expect("an outlook is plain data")
                }
                Some(outlook) => outlook.lines().join("\n"),
                None => return ExitCode::SUCCESS,
            };
            say::outcome(&format!("{text}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            if json {
                say::outcome(&format!("{}\n", serde_json::json!({ "error": report::json(&error) })));
            }
            say::line(&report::sentence("migrator", &error));
            error.exit_code()
        }
    }
}

async fn follow(extent: Extent, request: &Request) -> Result<Option<Outlook>, Error> {
    let fs = host_io::machine::file_system();
    match extent {
        Extent::Settle => settle::settle(fs, request).await.map(|()| None),
        Extent::DryRun => rehearse::look(fs, request).await.map(Some),
        Extent::Rehearse => rehearse::rehearse(fs, request).await.map(Some),
        Extent::CompareKept => rehearse::compare_kept(&*fs, request).map(Some),
    }
}
