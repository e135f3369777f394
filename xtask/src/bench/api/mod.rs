//! `cargo xtask bench api`: what the API costs, as it ships: its answers under many callers, its memory, what one
//! changed setting costs, the client's start, and what it costs an install that somebody watches it.
//!
//! - [`server`]: an `apiserver` of its own, and its figures in `/proc`
//! - [`load`]: many callers at the same time
//! - [`settings`]: one setting changed, beside few and beside thousands
//! - [`install`]: an update with and without somebody who watches
//! - [`report`]: the figures, for people and for programs

mod install;
mod load;
mod report;
mod scale;
mod server;
mod settings;

use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;

use super::tools::shipped;
use crate::Outcome;
use crate::cargo::cargo;
use load::Load;
use report::Figures;
use scale::{CALLERS, KEYS, REQUESTS, STARTS};
use server::Server;

/// Arguments of `cargo xtask bench api`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Measure the programs that lie in the release folder already
    #[arg(long)]
    built: bool,
    /// Only what one changed setting costs
    #[arg(long)]
    settings: bool,
}

/// Builds the programs as they ship, measures, and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    if !args.built {
        let packages = ["-p", "apiserver", "-p", "apiclient", "-p", "updog"];
        let status = cargo().args(["build", "--release", "--quiet", "--bins"]).args(packages).status()?;
        if !status.success() {
            return Err(format!("build the programs: cargo ended with {status}").into());
        }
    }
    if args.settings {
        let settings = settings::measure()?;
        println!("{}", if args.json { settings.json().to_string() } else { settings.table() });
        return Ok(true);
    }
    let small = Server::start(1)?;
    std::thread::sleep(Duration::from_secs(1));
    let at_rest = small.resident()?;
    let requests = load::many(
        small.socket(),
        &Load { uri: "/os", callers: CALLERS, each: REQUESTS / CALLERS, pause: Duration::ZERO },
    )?;
    let after = small.resident()?;
    let client = client(&small)?;
    drop(small);
    let large = Server::start(KEYS)?;
    let load = |pause| Load { uri: "/settings", callers: CALLERS, each: 100, pause };
    let paced = load::many(large.socket(), &load(Duration::from_millis(100)))?;
    let unpaced = load::many(large.socket(), &load(Duration::ZERO))?;
    drop(large);
    let settings = settings::measure()?;
    let figures = Figures {
        at_rest,
        after,
        requests,
        paced,
        unpaced,
        settings,
        client,
        client_size: std::fs::metadata(shipped("apiclient"))?.len(),
        install: install::measure()?,
    };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}

/// The median time from the start of `apiclient raw -u /os` to its end.
#[expect(clippy::disallowed_methods, reason = "a time is measured")]
fn client(server: &Server) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut took = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let started = Instant::now();
        let ran = Command::new(shipped("apiclient"))
            .arg("-s")
            .arg(server.socket())
            .args(["raw", "-u", "/os"])
            .output()?;
        took.push(started.elapsed());
        if !ran.status.success() {
            return Err(format!("run apiclient: {}", String::from_utf8_lossy(&ran.stderr).trim()).into());
        }
    }
    took.sort_unstable();
    Ok(took[took.len() / 2])
}
