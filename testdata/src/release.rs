//! A release as a test describes it: its version, how settings get there, who gets it when, and what is wrong with it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use publish::{Bases, FrameSize, Framing, Level};
use semver::Version;

use crate::disk::Layout;
use crate::elf::stripped;
use crate::image::Images;
use crate::image::Size;
use crate::image::boot::Kernel;
use crate::image::build::{self, NamedRoot};
use crate::image::model::{Repository, settings_model};
use crate::image::root::{Marker, Root};
use crate::program;

/// How settings get from one release to the next: from, to, and the migrations in their order.
const STEPS: [(Version, Version, &[&str]); 2] = [
    (
        Version::new(1, 0, 0),
        Version::new(1, 1, 0),
        &["migrate_v1.1.0_add-metrics", "migrate_v1.1.0_rename-ntp-mode"],
    ),
    (Version::new(1, 1, 0), Version::new(1, 2, 0), &["migrate_v1.2.0_add-ntp-servers"]),
];

/// What makes a boot of a release fail, although it was built, signed and written without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BootFault {
    /// The kernel panics: before any migration.
    Panic,
    /// The system panics when the migrations are through.
    PanicAfterMigrations,
    /// The command line names another root than the one beside it.
    CorruptRoot,
    /// BOOT has no kernel.
    MissingKernel,
}

/// A release.
///
/// ```
/// use testdata::{BootFault, Release};
///
/// let good = Release::new("1.1.0");
/// let bad = Release::new("1.2.0").boot_fault(BootFault::Panic);
/// # assert_ne!(good, bad);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub(crate) version: Version,
    edges: Vec<(Version, Version, Vec<String>)>,
    pub(crate) waves: Option<String>,
    pub(crate) start_at: Option<DateTime<Utc>>,
    pub(crate) age: Duration,
    absent: Vec<String>,
    boot_fault: Option<BootFault>,
    oversized: bool,
    trusted_root: Option<Vec<u8>>,
    pub(crate) framing: Framing,
    pub(crate) bases: Bases,
}

impl Release {
    /// A release without a fault, with the migrations that its version needs.
    ///
    /// # Panics
    /// When `version` is not semantic.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let version: Version = version.parse().unwrap_or_else(|error| panic!("version {version:?}: {error}"));
        let mut edges: Vec<(Version, Version, Vec<String>)> = STEPS
            .into_iter()
            .filter(|(_, to, _)| *to <= version)
            .map(|(from, to, names)| (from, to, names.iter().map(|&name| name.to_owned()).collect()))
            .collect();
        let last = edges.last().map_or(STEPS[0].0.clone(), |(_, to, _)| to.clone());
        if last < version {
            edges.push((last, version.clone(), Vec::new()));
        }
        Self {
            version,
            edges,
            waves: None,
            start_at: None,
            age: Duration::zero(),
            absent: Vec::new(),
            boot_fault: None,
            oversized: false,
            trusted_root: None,
            framing: Framing::Plain,
            bases: Bases::None,
        }
    }

    /// Settings come from `from` by these migrations, in this order, instead of what [`Release::new`] says of that
    /// step. Names are those of programs below `testdata/migrations`.
    ///
    /// # Panics
    /// When `from` is not semantic.
    #[must_use]
    pub fn migrations(mut self, from: &str, names: &[&str]) -> Self {
        let from: Version = from.parse().unwrap_or_else(|error| panic!("version {from:?}: {error}"));
        self.edges.retain(|(old, to, _)| *old != from || *to != self.version);
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.edges.push((from, self.version.clone(), names));
        self
    }

    /// Comes out in waves by this policy, counted from `start`.
    #[must_use]
    pub fn waves(mut self, policy: &str, start: DateTime<Utc>) -> Self {
        self.waves = Some(policy.to_owned());
        self.start_at = Some(start);
        self
    }

    /// Was published this long ago: its metadata may have expired since.
    #[must_use]
    pub fn published_ago(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Fails when it is booted.
    #[must_use]
    pub fn boot_fault(mut self, fault: BootFault) -> Self {
        self.boot_fault = Some(fault);
        self
    }

    /// The manifest names this migration, and the repository does not have it.
    #[must_use]
    pub fn without_migration(mut self, name: &str) -> Self {
        self.absent.push(name.to_owned());
        self
    }

    /// Its root is larger than the ROOT partition of a host with the usual layout.
    #[must_use]
    pub fn oversized_root(mut self) -> Self {
        self.oversized = true;
        self
    }

    /// Has its images as frames of 64 KiB as well.
    #[must_use]
    pub fn framed(mut self) -> Self {
        let size = FrameSize::from_blocks(16).expect("a frame size");
        self.framing = Framing::Frames { size, level: Level::default() };
        self
    }

    /// Has its images as frames of 64 KiB, and packs from the newest releases before it that save anything.
    #[must_use]
    pub fn packed(self) -> Self {
        Self { bases: Bases::default(), ..self.framed() }
    }

    /// Ships this trust anchor instead of the one of its world.
    #[must_use]
    pub fn trusting(mut self, root_json: &[u8]) -> Self {
        self.trusted_root = Some(root_json.to_vec());
        self
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The migrations that the manifest names and the repository lacks.
    pub(crate) fn absent_migrations(&self) -> &[String] {
        &self.absent
    }

    /// Makes its images below `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn build(&self, dir: &Path, world: &Surroundings<'_>) -> io::Result<Images> {
        let marker = match self.boot_fault {
            Some(BootFault::Panic) => Some(Marker::Early),
            Some(BootFault::PanicAfterMigrations) => Some(Marker::AfterMigrations),
            Some(BootFault::CorruptRoot | BootFault::MissingKernel) | None => None,
        };
        let kernel = match self.boot_fault {
            Some(BootFault::MissingKernel) => Kernel::Missing,
            _ => Kernel::Present,
        };
        let named = match self.boot_fault {
            Some(BootFault::CorruptRoot) => NamedRoot::Wrong,
            _ => NamedRoot::Right,
        };
        let version = self.version.to_string();
        let usual = Layout { size: world.size, ..Layout::default() };
        let root = Root {
            version: &version,
            os_release: self.os_release(world.variant),
            trusted_root: self.trusted_root.as_deref().unwrap_or(world.trusted_root),
            settings_model: settings_model(&self.version, world.repository),
            size: world.size,
            ballast: if self.oversized { usual.root_len() + 1 } else { 0 },
            marker,
        };
        build::build(dir, &root, kernel, named)
    }

    fn os_release(&self, variant: &str) -> String {
        let version = &self.version;
        format!(
            "NAME=Ours\nID=ours\nPRETTY_NAME=\"Ours OS {version} ({variant})\"\nVARIANT_ID={variant}\n\
             VERSION_ID={version}\nBUILD_ID=t{}\n",
            version.to_string().replace(['.', '-', '+'], "")
        )
    }

    /// Writes what an author hands to the publisher below `dir`: `Release.toml`, the wave policy, and the migration
    /// programs under their names.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write_sources(&self, dir: &Path) -> io::Result<Sources> {
        let migrations = dir.join("migrations");
        fs::create_dir_all(&migrations)?;
        let mut config = format!("version = \"{}\"\n\n[migrations]\n", self.version);
        for (from, to, names) in &self.edges {
            let targets: Vec<String> = names.iter().map(|name| format!("\"{name}.lz4\"")).collect();
            let _ = writeln!(config, "\"({from}, {to})\" = [{}]", targets.join(", "));
            for name in names.iter().filter(|name| !self.absent.contains(name)) {
                write_migration(name, &migrations.join(name))?;
            }
        }
        let release_config = dir.join("Release.toml");
        fs::write(&release_config, config)?;
        let waves = match &self.waves {
            Some(policy) => {
                fs::write(dir.join("waves.toml"), policy)?;
                Some(dir.join("waves.toml"))
            }
            None => None,
        };
        Ok(Sources { release_config, migrations, waves })
    }

    /// What tells its images from those of another release of the same world.
    pub(crate) fn image_key(&self) -> String {
        let anchor =
            self.trusted_root.as_ref().map(|anchor| ring::digest::digest(&ring::digest::SHA256, anchor));
        let anchor = anchor.map(|digest| hex::encode(&digest.as_ref()[..4]));
        format!("{}-{:?}-{}-{anchor:?}", self.version, self.boot_fault, self.oversized)
            .replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.', "-")
    }
}

/// What a release takes from the world that it is built in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) variant: &'a str,
    pub(crate) trusted_root: &'a [u8],
    pub(crate) repository: &'a Repository,
    pub(crate) size: Size,
}

/// The files that an author hands to the publisher.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) release_config: PathBuf,
    pub(crate) migrations: PathBuf,
    pub(crate) waves: Option<PathBuf>,
}

/// The lists of steps among the migrations.
const LISTS: [(&str, &str); 3] = [
    ("migrate_v1.1.0_clash", include_str!("../migrations/migrate_v1.1.0_clash.toml")),
    ("migrate_v1.1.0_add-metrics", include_str!("../migrations/migrate_v1.1.0_add-metrics.toml")),
    ("migrate_v1.2.0_add-ntp-servers", include_str!("../migrations/migrate_v1.2.0_add-ntp-servers.toml")),
];

/// Writes a migration as its author hands it over: a program, with its list of steps at the end where it is one of those.
fn write_migration(name: &str, path: &Path) -> io::Result<()> {
    let read = |path: PathBuf| fs::read(path).map(stripped);
    match LISTS.iter().find(|(listed, _)| *listed == name) {
        None => fs::write(path, read(migration_program(name))?),
        Some((_, list)) => {
            let program = read(program("declared-migration"))?;
            let packed = migration_helpers::declared::pack(&program, list).map_err(io::Error::other)?;
            fs::write(path, packed)
        }
    }
}

/// The program of a migration. Cargo allows no dots in a program's name, so it is built with dashes in their place.
#[must_use]
pub fn migration_program(name: &str) -> PathBuf {
    program(&name.replace(['.', '_'], "-"))
}
