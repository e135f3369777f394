//! The command line that `migrator` calls a migration with (`docs/compatibility.md`, "migrator").

use std::path::PathBuf;

use clap::Parser;

/// Which way settings are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To a newer release.
    Forward,
    /// To an older release.
    Backward,
}

/// The arguments of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "migration",
    about = "Carries settings from one release to another; started by migrator, not by hand",
    after_help = "Example, on a copy of a store:\n  migrate_v1.1.0_add-metrics --forward --source-datastore ./v1.0.0_copy --target-datastore ./v1.1.0_new"
)]
#[command(group(clap::ArgGroup::new("direction").required(true).args(["forward", "backward"])))]
pub struct Args {
    /// The data directory to read; it is never changed
    #[arg(long, value_name = "DIR")]
    pub source_datastore: PathBuf,
    /// The data directory to write; it must not exist
    #[arg(long, value_name = "DIR")]
    pub target_datastore: PathBuf,
    /// Carry settings to the newer release
    #[arg(long)]
    forward: bool,
    /// Carry settings back to the older release
    #[arg(long)]
    backward: bool,
}

impl Args {
    /// Reads the arguments of the running program.
    ///
    /// # Errors
    /// When they are not as they must be, or when source and target are the same; also for `--help`.
    pub fn read<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let args = Self::try_parse_from(arguments)?;
        if args.source_datastore == args.target_datastore {
            return Err(<Self as clap::CommandFactory>::command().error(
                clap::error::ErrorKind::ArgumentConflict,
                "--source-datastore and --target-datastore name the same directory",
            ));
        }
        Ok(args)
    }

    /// Which way to go.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.forward { Direction::Forward } else { Direction::Backward }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("migration").chain(line.split_whitespace()))
    }

    #[test]
    fn both_directions_are_read() {
        let args = read("--forward --source-datastore a --target-datastore b").unwrap();
        assert_eq!(args.direction(), Direction::Forward);
        let args = read("--target-datastore b --source-datastore a --backward").unwrap();
        assert_eq!((args.direction(), args.source_datastore), (Direction::Backward, PathBuf::from("a")));
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "",
            "--forward",
            "--source-datastore a --target-datastore b",
            "--forward --backward --source-datastore a --target-datastore b",
            "--forward --source-datastore a --target-datastore a",
            "--forward --source-datastore a --target-datastore b --more",
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
