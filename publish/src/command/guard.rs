//! `pubrepo guard`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use host_io::{Clock, report, say};
use semver::Version;
use trusted_repo::Pacing;

use super::desk::ChangeArgs;
use super::place::span;
use crate::Error;
use crate::guard::{Guard, Journal, Limit, Limits, Prometheus, Report};

/// Ask Prometheus how the newest release does, and stop it when it does badly
///
/// Metrics of hosts are described in docs/metrics.md.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    change: ChangeArgs,
    /// The address of Prometheus: what stands before /api/v1
    #[arg(long, value_name = "URL")]
    prometheus: String,
    /// Label matchers for every series, as PromQL has them between braces: 'cluster="eu"'
    #[arg(long, value_name = "MATCHERS", default_value = "")]
    matching: String,
    /// So many of the hosts that try a release may fail
    #[arg(long, value_name = "SHARE", default_value = "0.3%")]
    limit: Limit,
    /// So many of them may not report back
    #[arg(long, value_name = "SHARE", default_value = "2%")]
    silent_limit: Limit,
    /// A host that is not heard of for so long does not report back
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = span)]
    grace: TimeDelta,
    /// How long before that it was heard of, to be missed now
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = span)]
    lookback: TimeDelta,
    /// Stop the release while an alert of this name fires; may be given more than once
    #[arg(long, value_name = "ALERT")]
    alert: Vec<String>,
    /// Look at this release instead of the newest that is on offer
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
    /// The file to which each decision is added [default: guard-VARIANT-ARCH.jsonl beside the keys]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Look again after so long, until the program is ended [default: look once]
    #[arg(long, value_name = "TIME", value_parser = span)]
    every: Option<TimeDelta>,
    /// Tell the numbers and what is made of them, and stop nothing
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Exit status: 0 when the release goes on, 1 when it was stopped or would be, and for any failure.
It never lets a release go on again: that is for a person, with \"pubrepo resume\" or \"pubrepo hold remove\".

Examples:
  From a timer, with the targets key:
    pubrepo guard --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --prometheus http://127.0.0.1:9090

  For ever, with a key that can withhold releases and do nothing else:
    pubrepo guard --repo /srv/updates --keys ~/guard --team guard --variant metal --arch x86_64 \\
      --prometheus http://127.0.0.1:9090 --every 5m --alert CheckoutFails";

/// Runs the command. With `--every` it comes back only when it cannot begin.
///
/// # Errors
/// As [`Guard::power`] and [`Guard::look`].
pub async fn run(args: Args, clock: &dyn Clock) -> Result<Report, Error> {
    let (desk, lifetimes) = args.change.read()?;
    let beside = || desk.keys.dir().join(format!("guard-{}-{}.jsonl", desk.variant, desk.arch));
    let guard = Guard {
        journal: Journal::at(args.journal.unwrap_or_else(beside)),
        prometheus: Prometheus::at(&args.prometheus, Pacing::default())?,
        matching: args.matching,
        limits: Limits { failing: args.limit, silent: args.silent_limit },
        alerts: args.alert,
        grace: args.grace,
        lookback: args.lookback,
        dry_run: args.dry_run,
        desk,
        lifetimes,
    };
    if !guard.dry_run {
        say::line(&format!("pubrepo: {}", guard.power().await?));
    }
    let version = args.version.as_ref();
    let Some(every) = args.every else { return guard.look(version, clock.now()).await };
    let pause = every.to_std().unwrap_or(Duration::ZERO).max(Duration::from_secs(1));
    loop {
        // A look that comes to nothing is told, and the next one may do better.
        match guard.look(version, clock.now()).await {
            Ok(report) => say::line(&format!("pubrepo: {}", report.to_string().replace('\n', "; "))),
            Err(error) => say::line(&report::sentence("pubrepo", &error)),
        }
        tokio::time::sleep(pause).await;
    }
}
