//! For `cargo xtask bench migrate`: how long it takes to read a store, in seconds, once for each time it is read.

#![allow(clippy::disallowed_methods, reason = "a stopwatch is what this is")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use datastore::store_dir;
use host_io::{SystemFs, report, say};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().unwrap_or_default());
    let times = arguments.next().and_then(|times| times.into_string().ok()?.parse().ok()).unwrap_or(1u32);
    for _ in 0..times {
        let start = Instant::now();
        match store_dir::read(&SystemFs, &dir) {
            Ok(contents) => {
                say::outcome(&format!("{} {}\n", contents.live.len(), start.elapsed().as_secs_f64()));
            }
            Err(error) => {
                say::line(&report::chain(&error));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
