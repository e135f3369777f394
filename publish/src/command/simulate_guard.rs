//! `pubrepo simulate-guard`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, SubsecRound as _, Utc};
use host_io::{SystemFs, swap};
use update_metadata::author::AuthorError;
use update_metadata::{Pace, WavePolicy};

use super::place::span;
use crate::Error;
use crate::guard::{Limit, Limits};
use crate::release::{POLICIES, read_waves};
use crate::simulate::Scenario;
use crate::simulate::guarded::{Watch, expose};
use crate::simulate::stops::{Policy, Stops};

/// Play rollouts of bad releases that "pubrepo guard" stops: how many hosts take them by then
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How many hosts there are
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    hosts: u64,
    /// How long a host waits from one check to the next
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = span)]
    poll: Duration,
    /// A wave policy: a file, or one that the program has; may be given more than once [default: all of these]
    #[arg(long, value_name = "FILE")]
    waves: Vec<PathBuf>,
    /// Spread the last wave over so long a time
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = span)]
    tail: Duration,
    /// How many of the hosts fail that take the release, 0 to 1; may be given more than once
    #[arg(long, value_name = "SHARE", default_values_t = [0.01, 0.02, 0.05, 0.2, 1.0])]
    fail_rate: Vec<f64>,
    /// How often each rollout is played, each time with other hosts
    #[arg(long, default_value_t = 100, value_name = "N")]
    runs: u16,
    /// So many of the hosts that try a release may fail, as in "guard"
    #[arg(long, value_name = "SHARE", default_value = "0.3%")]
    limit: Limit,
    /// How long the guard waits from one look to the next
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = span)]
    every: Duration,
    /// How long monitoring waits from one scrape of a host to the next
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = span)]
    scrape: Duration,
    /// How long a host takes from the check at which it takes the release until it runs it
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = span)]
    install: Duration,
    /// How long a boot that does not come up lasts until it is ended
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = span)]
    deadline: Duration,
    /// The share of hosts that monitoring never sees, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    unseen: f64,
    /// From where the fleets are drawn; the same number always gives the same answer
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    rng_seed: u64,
    /// Also draw a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  What a release that fails on one in a hundred reaches under each policy:
    pubrepo simulate-guard --fail-rate 0.01

  A fleet and a policy of one's own, with a picture:
    pubrepo simulate-guard --hosts 20000 --waves waves.toml --limit 1% --svg stops.svg";

/// Runs the command.
///
/// # Errors
/// When a policy cannot be read, a number makes no sense, or the picture cannot be written.
pub fn run(args: &Args, now: DateTime<Utc>) -> Result<Stops, Error> {
    let watch = Watch {
        limits: Limits { failing: args.limit, ..Limits::default() },
        every: args.every,
        scrape: args.scrape,
        install: args.install,
        deadline: args.deadline,
        unseen: args.unseen,
    };
    let mut rates = args.fail_rate.clone();
    rates.sort_by(f64::total_cmp);
    let mut stops = Stops::about(args.hosts, args.poll.num_seconds(), args.rng_seed, &watch);
    for (name, policy) in policies(&args.waves)? {
        let scenario = scenario(args, &policy, now.trunc_subsecs(0))?;
        let play = |rate: &f64| expose(&scenario, &watch, *rate, usize::from(args.runs));
        let exposures = rates.iter().map(play).collect::<Result<_, _>>()?;
        stops.policies.push(Policy { name, exposures });
    }
    if let Some(path) = &args.svg {
        swap::replace_file(&SystemFs, path, stops.svg().as_bytes(), 0o644)
            .map_err(|error| Error::file("write the picture", path, error))?;
    }
    Ok(stops)
}

/// Those that were given, or all that the program has.
fn policies(given: &[PathBuf]) -> Result<Vec<(String, WavePolicy)>, Error> {
    if given.is_empty() {
        let known = |(name, text): &(&str, &str)| {
            ((*name).to_owned(), WavePolicy::parse(text).expect("a test reads it"))
        };
        return Ok(POLICIES.iter().map(known).collect());
    }
    let read = |path: &PathBuf| {
        Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), read_waves(path)?))
    };
    given.iter().map(read).collect()
}

fn scenario(args: &Args, policy: &WavePolicy, start: DateTime<Utc>) -> Result<Scenario, Error> {
    let beyond = |source| Error::Manifest(AuthorError::from(source));
    let plan = policy.schedule(start).map_err(beyond)?;
    let waves = Pace { tail: Some(args.tail), ..Pace::default() }.apply(&plan).map_err(beyond)?;
    Ok(Scenario {
        name: String::new(),
        intended: waves.clone(),
        waves,
        start,
        hosts: args.hosts,
        poll: args.poll,
        failures: None,
        image_bytes: None,
        frame_bytes: None,
        pack_bytes: None,
        rng_seed: args.rng_seed,
    })
}
