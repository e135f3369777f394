//! `pubrepo add`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use semver::Version;
use update_metadata::{Density, Pace, pace};
use verity::Salt;

use super::desk::{DeskArgs, LifetimeArgs};
use super::place::span;
use crate::progress::Bar;
use crate::{
    AddOptions, AddReport, Bases, Desk, Doubts, Error, FrameSize, Framing, ImagePaths, Level,
    MissingMigrations,
};

/// Publish a release
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    desk: DeskArgs,
    /// The version of the release
    #[arg(long, value_parser = host_io::host::typed_version)]
    version: Version,
    /// The highest version that hosts may run [default: the highest so far, and at least --version]
    #[arg(long, value_name = "VERSION", value_parser = host_io::host::typed_version)]
    max_version: Option<Version>,
    /// The raw boot image
    #[arg(long, value_name = "FILE")]
    boot: PathBuf,
    /// The raw root image
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The raw hash image [default: built from the root image]
    #[arg(long, value_name = "FILE")]
    hash: Option<PathBuf>,
    /// Publish whole images only, without the frames that let hosts fetch what changed
    #[arg(long)]
    plain: bool,
    /// How much of an image one frame has: small ones save hosts bytes, large ones compress better; those of boot have
    /// 64 KiB at least
    #[arg(long, value_name = "SIZE", default_value_t = FrameSize::default(), conflicts_with = "plain")]
    frame_size: FrameSize,
    /// How hard frames are compressed, as a level of zstd
    #[arg(long, value_name = "LEVEL", default_value_t = Level::default(), conflicts_with = "plain")]
    frame_level: Level,
    /// A release that a pack leads on from; may be given again [default: the newest three below --version]
    #[arg(long = "base", value_name = "VERSION", value_parser = host_io::host::typed_version, conflicts_with = "plain")]
    bases: Vec<Version>,
    /// Make no packs; hosts fetch frames
    #[arg(long, conflicts_with = "bases")]
    no_packs: bool,
    /// The salt of a hash image that is built, as hexadecimal digits [default: that of the newest release]
    #[arg(long, value_name = "HEX", conflicts_with = "hash")]
    salt: Option<Salt>,
    /// Release.toml, whose migrations are added to those of the repository
    #[arg(long, value_name = "FILE")]
    release_config: Option<PathBuf>,
    /// A directory of migration programs; each becomes the target NAME.lz4
    #[arg(long, value_name = "DIR")]
    migrations: Option<PathBuf>,
    /// The wave policy: a file, or default, guarded, accelerated, slow-roll or emergency [default: every host may take the release at once]
    #[arg(long, value_name = "FILE|NAME")]
    waves: Option<PathBuf>,
    /// Write a date for each so many seeds, so that hosts with the older rule for waves are paced as well
    #[arg(long, value_name = "SEEDS", default_value_t = pace::STEP)]
    dense_step: NonZeroU32,
    /// Write the dates of the policy only
    #[arg(long, conflicts_with = "dense_step")]
    no_dense: bool,
    /// Spread the last wave over so long a time, like 24h; without it everybody who is left comes at once
    #[arg(long, value_name = "TIME", value_parser = span, requires = "waves")]
    tail: Option<Duration>,
    /// When the waves begin, as RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    start_at: Option<DateTime<Utc>>,
    /// Lead every host through this release before newer ones
    #[arg(long)]
    barrier: bool,
    /// The oldest updog that may install the release
    #[arg(long, value_name = "VERSION", value_parser = host_io::host::typed_version)]
    min_updater: Option<Version>,
    #[command(flatten)]
    lifetimes: LifetimeArgs,
    /// Settings stay as they are: add a step without migrations from the newest release below this one
    #[arg(long, conflicts_with = "release_config")]
    no_migrations: bool,
    /// Publish although hosts will stumble over it; what the doubt was is told
    #[arg(long)]
    force: bool,
    /// Only look: what would be published, and what hosts would stumble over; nothing is written
    #[arg(long)]
    dry_run: bool,
    /// Publish although migrations are missing; for tests that show how hosts refuse this
    #[arg(long, hide = true)]
    allow_missing_migrations: bool,
}

const EXAMPLES: &str = "\
Examples:
  The first release; its hash image is built:
    pubrepo add --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --version 1.0.0 --boot boot.img --root root.img

  A release with migrations, in waves from Monday on, and a report for programs:
    pubrepo add --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --version 1.1.0 --boot boot.img --root root.img --hash root.verity \\
      --release-config Release.toml --migrations migrations/ \\
      --waves waves.toml --tail 24h --start-at 2026-06-01T09:00:00Z --json

  A release that has to run once before newer ones can be installed:
    pubrepo add --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --version 1.5.0 --boot boot.img --root root.img --barrier --min-updater 0.3.0";

/// Runs the command.
///
/// # Errors
/// As [`crate::add()`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<AddReport, Error> {
    let missing =
        if args.allow_missing_migrations { MissingMigrations::Allow } else { MissingMigrations::Refuse };
    let Desk { repo, keys, variant, arch } = args.desk.desk()?;
    let options = AddOptions {
        repo,
        keys,
        variant,
        arch,
        version: args.version,
        max_version: args.max_version,
        images: ImagePaths { boot: args.boot, root: args.root, hash: args.hash },
        framing: if args.plain {
            Framing::Plain
        } else {
            Framing::Frames { size: args.frame_size, level: args.frame_level }
        },
        bases: match (args.no_packs || args.plain, args.bases) {
            (true, _) => Bases::None,
            (false, bases) if bases.is_empty() => Bases::default(),
            (false, bases) => Bases::These(bases),
        },
        salt: args.salt,
        release_config: args.release_config,
        migrations: args.migrations,
        waves: args.waves,
        pace: Pace {
            density: if args.no_dense { Density::Sparse } else { Density::Every(args.dense_step) },
            tail: args.tail,
        },
        start_at: args.start_at,
        barrier: args.barrier,
        min_updater: args.min_updater,
        lifetimes: args.lifetimes.lifetimes()?,
        no_migrations: args.no_migrations,
        doubts: if args.force { Doubts::Publish } else { Doubts::Refuse },
        dry_run: args.dry_run,
    };
    crate::add_with(&options, now, missing, Arc::new(Bar::new("publish"))).await
}
