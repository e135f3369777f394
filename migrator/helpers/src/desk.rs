//! The command line of `declared-migration` at a desk, where it is no migration yet.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser};

/// Makes a migration of a list of steps; as one of those, carries settings.
#[derive(Debug, Parser)]
#[command(
    name = "declared-migration",
    version,
    after_help = "Examples:\n  declared-migration pack migrate_v1.1.0_time.toml migrations/migrate_v1.1.0_time\n  declared-migration check migrate_v1.1.0_time.toml"
)]
pub struct Desk {
    #[command(subcommand)]
    /// What to do
    pub command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write this program once more, with a list at its end
    Pack {
        /// The list
        list: PathBuf,
        /// The migration, as "pubrepo add --migrations" takes it
        out: PathBuf,
    },
    /// Say what a list does not bring back
    Check {
        /// The list
        list: PathBuf,
    },
}

/// The grammar of the command line, for its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Desk::command()
}
