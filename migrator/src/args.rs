//! The command line (`docs/compatibility.md`, "migrator"), and what it asks for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, CommandFactory as _, Parser};
use datastore::links::CURRENT;
use host_io::log::Level;
use host_io::{Host as _, Paths, SystemHost};
use semver::Version;

use crate::error::Error;
use crate::limits::Limits;

const EXAMPLES: &str = "\
Examples:
  At boot, to the version of the running system:
    migrator --datastore-path /var/lib/bottlerocket/datastore/current \\
      --migration-directory /var/lib/bottlerocket-migrations --metadata-directory /var/cache/bottlerocket-metadata \\
      --root-path /usr/share/updog/root.json --migrate-to-version-from-os-release

  To a version of your choice: end with --migrate-to-version 1.1.0 instead.

  What that would do: add --dry-run, or --rehearse to run it on a copy, there and back. Both change nothing.

  What a rollback with the kept settings would take away: add --compare-kept.

Exit codes: 0 settings fit the version (or there are none yet), 1 they do not and nothing was changed, 2 wrong usage.";

/// Carries settings to the version of the system that boots.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "migrator", version, about, after_help = EXAMPLES)]
#[command(group(ArgGroup::new("version_to_reach").args(["migrate_to_version", "migrate_to_version_from_os_release"])))]
pub struct Args {
    /// The link `current` of the datastore; when nothing is there, this is a first boot and nothing is done
    #[arg(long, value_name = "PATH", required_unless_present = "root")]
    datastore_path: Option<PathBuf>,
    /// Where the cached migrations and the manifest lie
    #[arg(long, value_name = "DIR", required_unless_present = "root")]
    migration_directory: Option<PathBuf>,
    /// The root.json that the running image ships
    #[arg(long, value_name = "FILE", required_unless_present = "root")]
    root_path: Option<PathBuf>,
    /// Where the cached TUF metadata lies
    #[arg(long, value_name = "DIR", required_unless_present = "root")]
    metadata_directory: Option<PathBuf>,
    /// The version whose settings are wanted
    #[arg(long, value_name = "VERSION", value_parser = version, required_unless_present_any = ["migrate_to_version_from_os_release", "root"])]
    migrate_to_version: Option<Version>,
    /// Take that version from the running system's os-release
    #[arg(long)]
    migrate_to_version_from_os_release: bool,
    /// Only say which migrations would run and what they take
    #[arg(long)]
    dry_run: bool,
    /// Only try it on a copy of the settings, there and back, and say what is different
    #[arg(long, conflicts_with = "dry_run")]
    rehearse: bool,
    /// Only say in what the settings that were kept for that version differ from those of today
    #[arg(long, conflicts_with_all = ["dry_run", "rehearse"])]
    compare_kept: bool,
    /// Answer in JSON, errors too
    #[arg(long)]
    pub json: bool,
    /// How much to say: off, error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", default_value_t)]
    pub log_level: Level,
    /// How long one migration may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, hide = true)]
    time_limit: u64,
    /// A host below a directory: its paths are the defaults of the others
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All the way.
    Settle,
    /// Look, and say what would be done.
    DryRun,
    /// Do it on a copy.
    Rehearse,
    /// Hold the kept settings against those of today.
    CompareKept,
}

/// What is wanted, with every question about the command line answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The directory that holds the stores and their links.
    pub base: PathBuf,
    /// The version whose settings are wanted.
    pub target: Version,
    /// Where the cached targets lie.
    pub migrations: PathBuf,
    /// Where the cached TUF metadata lies.
    pub metadata: PathBuf,
    /// The shipped root role.
    pub root_role: PathBuf,
    /// The host, for its boot bits.
    pub paths: Paths,
    /// What one migration may use.
    pub limits: Limits,
    /// The program that starts migrations and confines them: this one.
    pub launcher: PathBuf,
}

/// The grammar of the command line, for its manual page and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Args::command()
}

impl Args {
    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// For wrong usage; also for `--help` and `--version`.
    pub fn read<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        Self::try_parse_from(arguments)
    }

    /// How far to go.
    #[must_use]
    pub fn extent(&self) -> Extent {
        match (self.dry_run, self.rehearse, self.compare_kept) {
            (true, _, _) => Extent::DryRun,
            (_, true, _) => Extent::Rehearse,
            (_, _, true) => Extent::CompareKept,
            (false, false, false) => Extent::Settle,
        }
    }

    /// What these arguments ask for. Everything that they name is looked up here, before the datastore is.
    ///
    /// # Errors
    /// When the running system's version is needed and cannot be read, or the datastore's path cannot be one.
    pub fn request(self) -> Result<Request, Error> {
        let paths = Paths::from_option(self.root);
        let target = match self.migrate_to_version {
            Some(version) => version,
            None => SystemHost::new(paths.clone()).os_release().map_err(Error::OsRelease)?.version_id,
        };
        let datastore = self.datastore_path.unwrap_or_else(|| paths.datastore().join(CURRENT));
        Ok(Request {
            base: base_of(&datastore)?,
            target,
            migrations: self.migration_directory.unwrap_or_else(|| paths.migrations_cache()),
            metadata: self.metadata_directory.unwrap_or_else(|| paths.metadata_cache()),
            root_role: self.root_path.unwrap_or_else(|| paths.trusted_root()),
            paths,
            limits: Limits { time: Duration::from_secs(self.time_limit), ..Limits::USUAL },
            launcher: std::env::current_exe().map_err(Error::Launcher)?,
        })
    }
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).map_err(|error| error.to_string())
}

/// The directory that a path like `…/datastore/current` lies in. Migrations run elsewhere, so it must not be relative.
fn base_of(datastore: &Path) -> Result<PathBuf, Error> {
    let refused = |source| Error::DatastorePath { path: datastore.to_owned(), source };
    let absolute = std::path::absolute(datastore).map_err(refused)?;
    absolute
        .parent()
        .map(Path::to_owned)
        .ok_or_else(|| refused(std::io::Error::other("it lies in no directory")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &str =
        "--datastore-path /d/current --migration-directory /m --root-path /r.json --metadata-directory /t";

    fn read(line: &str) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("migrator").chain(line.split_whitespace()))
    }

    #[test]
    fn the_flags_say_where_everything_is() {
        let request = read(&format!("{FLAGS} --migrate-to-version v1.2.3-rc1")).unwrap().request().unwrap();
        assert_eq!(request.base, Path::new("/d"));
        assert_eq!(request.target.to_string(), "1.2.3-rc1");
        assert_eq!(request.migrations, Path::new("/m"));
        assert_eq!(request.metadata, Path::new("/t"));
        assert_eq!(request.root_role, Path::new("/r.json"));
        assert_eq!(request.limits.time, Duration::from_secs(300));
    }

    #[test]
    fn a_host_below_a_directory_has_defaults_for_all_of_them() {
        let host = tempfile::tempdir().unwrap();
        let release = host.path().join("usr/lib/os-release");
        std::fs::create_dir_all(release.parent().unwrap()).unwrap();
        let line = format!("--root {}", host.path().display());
        assert!(matches!(read(&line).unwrap().request(), Err(Error::OsRelease(_))));
        std::fs::write(release, "VARIANT_ID=metal\nVERSION_ID=1.2.3\n").unwrap();
        let request = read(&line).unwrap().request().unwrap();
        assert_eq!(request.target, Version::new(1, 2, 3));
        assert_eq!(request.base, host.path().join("var/lib/bottlerocket/datastore"));
        assert_eq!(request.root_role, host.path().join("usr/share/updog/root.json"));
        assert_eq!(request.paths.root(), host.path());
    }

    #[test]
    fn wrong_usage_is_refused() {
        let from_release = "--migrate-to-version-from-os-release";
        for line in [
            String::new(),
            FLAGS.to_owned(),
            from_release.to_owned(),
            format!("{FLAGS} {from_release} --migrate-to-version 1.0.0"),
            format!("{FLAGS} --migrate-to-version 1.0"),
            format!("{FLAGS} {from_release} --no-color"),
            format!("{FLAGS} {from_release} --log-level loud"),
            format!("{FLAGS} {from_release} more"),
        ] {
            assert_eq!(read(&line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
