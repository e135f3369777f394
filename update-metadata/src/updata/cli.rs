//! What was typed.

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};
use host_io::Fs;
use host_io::log::Level;

use super::answer::{Answer, Format};
use super::exit::Error;
use super::{
    add_update, explain, init, remove_update, set_max_version, set_migrations, set_waves, show, validate,
};

/// Makes and changes update manifests.
#[derive(Debug, Parser)]
#[command(name = "updata", version, subcommand_required = true, arg_required_else_help = false)]
#[command(after_help = "Examples:
  updata init manifest.json
  updata add-update manifest.json -f demo -a x86_64 -v 1.1.0 -b boot.lz4 -r root.lz4 -h hash.lz4
  updata set-migrations --from Release.toml --to manifest.json
  updata set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml --start-at 2026-01-31T09:00:00Z
  updata validate manifest.json
  updata show manifest.json
  updata explain manifest.json -l demo -a x86_64 -v 1.0.0 --seed 1042 --at 2026-02-01T12:00:00Z")]
pub(crate) struct Cli {
    /// How much to say on stderr: off, error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL", default_value_t)]
    pub(crate) log_level: Level,
    /// Answer with one JSON object, also when something fails.
    #[arg(short = 'j', long, global = true)]
    json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Validate(validate::Args),
    Show(show::Args),
    Explain(explain::Args),
    AddUpdate(add_update::Args),
    RemoveUpdate(remove_update::Args),
    SetWaves(set_waves::Args),
    SetMaxVersion(set_max_version::Args),
    SetMigrations(set_migrations::Args),
}

impl Command {
    pub(crate) fn run(self, fs: &dyn Fs, now: DateTime<Utc>) -> Result<Answer, Error> {
        match self {
            Self::Init(args) => args.run(fs),
            Self::Validate(args) => args.run(fs),
            Self::Show(args) => args.run(fs),
            Self::Explain(args) => args.run(fs, now),
            Self::AddUpdate(args) => args.run(fs),
            Self::RemoveUpdate(args) => args.run(fs),
            Self::SetWaves(args) => args.run(fs, now),
            Self::SetMaxVersion(args) => args.run(fs),
            Self::SetMigrations(args) => args.run(fs),
        }
    }
}
