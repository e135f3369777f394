//! `pubrepo simulate`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, SubsecRound as _, Utc};
use host_io::{SystemFs, swap};
use semver::Version;
use update_metadata::author::{AuthorError, Selector};
use update_metadata::{Density, Manifest, Pace, Update, WavePolicy, pace};

use super::place::span;
use crate::place::Place;
use crate::release::read_waves;
use crate::simulate::{Failures, Outcome, Scenario, simulate, svg};
use crate::{Error, simulate::scenario};

/// Play a rollout over a fleet before it is one
///
/// Both rules for waves are played: ours, and the one of older hosts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How many hosts there are
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    hosts: u64,
    /// How long a host waits from one check to the next
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = span)]
    poll: Duration,
    /// The wave policy [default: the one for everyday releases]
    #[arg(long, value_name = "FILE", conflicts_with = "repo")]
    waves: Option<PathBuf>,
    /// When the waves begin, as RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "repo")]
    start_at: Option<DateTime<Utc>>,
    /// Write a date for each so many seeds
    #[arg(long, value_name = "SEEDS", default_value_t = pace::STEP, conflicts_with = "repo")]
    dense_step: NonZeroU32,
    /// Write the dates of the policy only
    #[arg(long, conflicts_with_all = ["dense_step", "repo"])]
    no_dense: bool,
    /// Spread the last wave over so long a time [default: everybody who is left comes at once]
    #[arg(long, value_name = "TIME", value_parser = span, conflicts_with = "repo")]
    tail: Option<Duration>,
    /// Take the waves of a published release: the address or directory that has VARIANT/ARCH/ and targets/
    #[arg(long, value_name = "URL|DIR", requires_all = ["variant", "arch"])]
    repo: Option<String>,
    /// The root role that images ship [default: the first one in the repository, if that is a directory]
    #[arg(long, value_name = "FILE", requires = "repo")]
    trusted_root: Option<PathBuf>,
    /// The variant
    #[arg(long, requires = "repo")]
    variant: Option<String>,
    /// The architecture
    #[arg(long, requires = "repo")]
    arch: Option<String>,
    /// The version [default: the newest that is offered]
    #[arg(long, requires = "repo")]
    version: Option<Version>,
    /// How many bytes a host fetches [default: as published, with --repo]
    #[arg(long, value_name = "BYTES")]
    image_bytes: Option<u64>,
    /// How many bytes a host fetches that takes the frames of what changed; "updog plan" says it of a host
    #[arg(long, value_name = "BYTES")]
    frame_bytes: Option<u64>,
    /// How many bytes a host fetches that takes packs [default: those from the newest release that they lead on from, with
    /// --repo]
    #[arg(long, value_name = "BYTES")]
    pack_bytes: Option<u64>,
    /// How many of the hosts fail that take the release, 0 to 1
    #[arg(long, value_name = "SHARE", requires = "detect_after")]
    fail_rate: Option<f64>,
    /// How long after the first failure the rollout is paused
    #[arg(long, value_name = "TIME", value_parser = span, requires = "fail_rate")]
    detect_after: Option<Duration>,
    /// From where the fleet is drawn; the same number always gives the same answer
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    rng_seed: u64,
    /// Also draw a picture for the release note
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  How the everyday policy does over a large fleet, and what a bad release would reach in two hours:
    pubrepo simulate --hosts 1000000 --tail 24h --fail-rate 0.01 --detect-after 2h

  What is published, as a picture:
    pubrepo simulate --hosts 50000 --repo /srv/updates --variant metal --arch x86_64 --svg rollout.svg";

/// What is played: a name, the schedule, the schedule as it is meant, and how much a host fetches.
struct Release {
    name: String,
    waves: scenario::Waves,
    intended: scenario::Waves,
    start: DateTime<Utc>,
    bytes: Option<u64>,
    pack_bytes: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// When the waves or the repository cannot be read, a number makes no sense, or the picture cannot be written.
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<Outcome, Error> {
    let now = now.trunc_subsecs(0);
    let release = match &args.repo {
        Some(base) => published(&args, base, now).await?,
        None => planned(&args, now)?,
    };
    let failures = args.fail_rate.zip(args.detect_after);
    let outcome = simulate(&Scenario {
        name: release.name,
        waves: release.waves,
        intended: release.intended,
        start: release.start,
        hosts: args.hosts,
        poll: args.poll,
        failures: failures.map(|(rate, detect_after)| Failures { rate, detect_after }),
        image_bytes: args.image_bytes.or(release.bytes),
        frame_bytes: args.frame_bytes,
        pack_bytes: args.pack_bytes.or(release.pack_bytes),
        rng_seed: args.rng_seed,
    })?;
    if let Some(path) = &args.svg {
        swap::replace_file(&SystemFs, path, svg(&outcome).as_bytes(), 0o644)
            .map_err(|error| Error::file("write the picture", path, error))?;
    }
    Ok(outcome)
}

/// A release with the waves of a policy.
fn planned(args: &Args, now: DateTime<Utc>) -> Result<Release, Error> {
    let (policy, name) = match &args.waves {
        Some(path) => {
            (read_waves(path)?, path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        }
        None => (everyday(), "default".to_owned()),
    };
    let density = if args.no_dense { Density::Sparse } else { Density::Every(args.dense_step) };
    // To the second, as the dates are written: the answer then does not depend on when the question was asked.
    let start = args.start_at.map_or(now, |start| start.trunc_subsecs(0));
    let beyond = |source| Error::Manifest(AuthorError::from(source));
    let plan = policy.schedule(start).map_err(beyond)?;
    let paced = |density| Pace { density, tail: args.tail }.apply(&plan).map_err(beyond);
    Ok(Release {
        name: format!("a release with the waves \"{name}\""),
        waves: paced(density)?,
        intended: paced(Density::Sparse)?,
        start,
        bytes: None,
        pack_bytes: None,
    })
}

/// The policy for everyday releases.
fn everyday() -> WavePolicy {
    WavePolicy::parse(include_str!("../../waves/default.toml")).expect("a test reads it")
}

/// A release as it is published.
async fn published(args: &Args, base: &str, now: DateTime<Utc>) -> Result<Release, Error> {
    let (variant, arch) = (args.variant.clone().unwrap_or_default(), args.arch.clone().unwrap_or_default());
    let first_root = || Path::new(base).join(&variant).join(&arch).join("1.root.json");
    let trusted_root = args.trusted_root.clone().unwrap_or_else(first_root);
    let place = Place {
        base: base.to_owned(),
        variant: variant.clone(),
        arch: arch.clone(),
        trusted_root,
        targets: None,
    };
    let opened = place.open_expired().await?;
    let (manifest, _) = opened.repository.manifest_for(&variant).await?;
    let update = find(&manifest, &variant, &arch, args.version.as_ref())?;
    let sum = async |names: Vec<&str>| {
        let mut sum = 0;
        for name in names {
            sum += opened.repository.target(name).await?.length;
        }
        Ok::<_, Error>(sum)
    };
    let bytes = sum(update.images.named().map(|(_, name)| name).to_vec()).await?;
    // Most hosts of a fleet run the release before.
    let pack_bytes = match update.extensions.packs.iter().max_by_key(|packs| &packs.from) {
        Some(packs) => Some(sum(packs.targets().collect()).await?),
        None => None,
    };
    Ok(Release {
        name: Selector::of(update).to_string(),
        waves: update.waves.clone(),
        intended: update.waves.clone(),
        start: update.waves.values().min().copied().unwrap_or(now),
        bytes: Some(bytes),
        pack_bytes,
    })
}

/// The update of that version, or the newest one that is offered.
fn find<'a>(
    manifest: &'a Manifest,
    variant: &str,
    arch: &str,
    version: Option<&Version>,
) -> Result<&'a Update, Error> {
    let of_kind = |update: &&Update| update.variant == variant && update.arch == arch;
    let wanted = |update: &&Update| match version {
        Some(version) => update.version == *version,
        None => update.version <= update.max_version,
    };
    let found = manifest.updates.iter().filter(of_kind).filter(wanted).max_by_key(|update| &update.version);
    found.ok_or_else(|| match version {
        Some(version) => {
            let (variant, arch) = (variant.to_owned(), arch.to_owned());
            Error::Manifest(AuthorError::NoMatch(Selector { variant, arch, version: version.clone() }))
        }
        None => Error::Manifest(AuthorError::Empty),
    })
}
