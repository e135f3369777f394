//! What was typed.

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use host_io::Fs;
use host_io::log::Level;
use semver::Version;
use update_metadata::author::Selector;

use crate::exit::Error;
use crate::{add_update, init, remove_update, set_max_version, set_migrations, set_waves, validate};

/// Makes and changes update manifests.
#[derive(Debug, Parser)]
#[command(name = "updata", version, subcommand_required = true, arg_required_else_help = false)]
#[command(after_help = "Examples:
  updata init manifest.json
  updata add-update manifest.json -f demo -a x86_64 -v 1.1.0 -b boot.lz4 -r root.lz4 -h hash.lz4
  updata set-migrations --from Release.toml --to manifest.json
  updata set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml --start-at 2026-01-31T09:00:00Z
  updata validate manifest.json")]
pub(crate) struct Cli {
    /// How much to say on stderr: off, error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL", default_value_t)]
    pub(crate) log_level: Level,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Validate(validate::Args),
    AddUpdate(add_update::Args),
    RemoveUpdate(remove_update::Args),
    SetWaves(set_waves::Args),
    SetMaxVersion(set_max_version::Args),
    SetMigrations(set_migrations::Args),
}

impl Command {
    pub(crate) fn run(self, fs: &dyn Fs, now: DateTime<Utc>) -> Result<(), Error> {
        match self {
            Self::Init(args) => args.run(fs),
            Self::Validate(args) => args.run(fs),
            Self::AddUpdate(args) => args.run(fs),
            Self::RemoveUpdate(args) => args.run(fs),
            Self::SetWaves(args) => args.run(fs, now),
            Self::SetMaxVersion(args) => args.run(fs),
            Self::SetMigrations(args) => args.run(fs),
        }
    }
}

/// Which update is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The variant of the update.
    #[arg(short = 'l', long, visible_short_alias = 'f')]
    variant: String,
    /// The version of the update.
    #[arg(short = 'v', long)]
    version: Version,
    /// The architecture of the update.
    #[arg(short = 'a', long)]
    arch: String,
}

impl From<Which> for Selector {
    fn from(Which { variant, version, arch }: Which) -> Self {
        Self { variant, arch, version }
    }
}
