//! Images of a few kilobytes, and a host's view of what was published.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use host_io::{Clock as _, SystemClock, SystemFs};
use publish::{AddOptions, AddReport, Error, ImagePaths, InitOptions, InitReport, Lifetimes};
use tempfile::TempDir;
use testdata::noise;
use trusted_repo::{Repository, Source, open_online};
use url::Url;

pub(crate) const VARIANT: &str = "metal";
pub(crate) const ARCH: &str = "x86_64";

pub(crate) fn today() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().expect("a date")
}

pub(crate) struct Fixture {
    dir: TempDir,
}

impl Fixture {
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().expect("temporary directory") }
    }

    /// An initialised repository.
    pub(crate) async fn new() -> Self {
        let fixture = Self::empty();
        fixture.init().await.expect("made");
        fixture
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(&path, bytes).expect("written");
        path
    }

    pub(crate) fn init_options(&self) -> InitOptions {
        InitOptions {
            repo: self.path("repo"),
            keys: self.path("keys").into(),
            variant: VARIANT.to_owned(),
            arch: ARCH.to_owned(),
            root: None,
            root_keys: 3,
            root_threshold: 2,
            root_lifetime: Duration::days(365),
        }
    }

    pub(crate) async fn init(&self) -> Result<InitReport, Error> {
        publish::init(&self.init_options(), today()).await
    }

    /// A release whose images follow from `seed`.
    pub(crate) fn release(&self, version: &str, seed: u64) -> AddOptions {
        AddOptions {
            repo: self.path("repo"),
            keys: self.path("keys").into(),
            variant: VARIANT.to_owned(),
            arch: ARCH.to_owned(),
            version: version.parse().expect("a version"),
            max_version: None,
            images: ImagePaths {
                boot: self.write(&format!("images/boot-{seed}"), &noise(seed, 10_000)),
                root: self.write(&format!("images/root-{seed}"), &noise(seed, 300 * 4096)),
                hash: None,
            },
            framing: publish::Framing::default(),
            bases: publish::Bases::None,
            salt: None,
            release_config: None,
            migrations: None,
            waves: None,
            pace: publish::Pace::PLAIN,
            start_at: None,
            barrier: false,
            min_updater: None,
            lifetimes: Lifetimes::default(),
            no_migrations: true,
            doubts: publish::Doubts::Refuse,
            dry_run: false,
        }
    }

    /// The release with one migration, from version `from` on.
    pub(crate) fn with_migration(&self, mut release: AddOptions, from: &str) -> AddOptions {
        let version = release.version.clone();
        let name = format!("migrate_v{version}_settings");
        self.write(&format!("migrations/{name}"), format!("#!/bin/sh\n# {name}\n").as_bytes());
        let config = format!("version = '{version}'\n[migrations]\n'({from}, {version})' = ['{name}.lz4']\n");
        release.no_migrations = false;
        release.release_config = Some(self.write("Release.toml", config.as_bytes()));
        release.migrations = Some(self.path("migrations"));
        release
    }

    /// Changes the manifest's file, and not what is signed of it.
    pub(crate) fn republish_manifest(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let (path, bytes) = self
            .published()
            .into_iter()
            .rfind(|(path, bytes)| {
                path.display().to_string().ends_with("manifest.json")
                    && bytes.windows(7).any(|w| w == b"variant")
            })
            .expect("a manifest with an update");
        let mut manifest = serde_json::from_slice(&bytes).expect("JSON");
        change(&mut manifest);
        std::fs::write(path, manifest.to_string()).expect("written");
    }

    /// A repository as of now, for programs that ask the clock.
    pub(crate) async fn init_now(&self) {
        publish::init(&self.init_options(), SystemClock.now()).await.expect("made");
    }

    pub(crate) async fn add(&self, options: &AddOptions) -> Result<AddReport, Error> {
        publish::add(options, today()).await
    }

    /// The repository as a host sees it that ships the root role which `init` made.
    pub(crate) async fn open(&self) -> Repository {
        self.open_at(today()).await
    }

    /// The same by the clock of this machine, for what a program has published.
    pub(crate) async fn open_now(&self) -> Repository {
        self.open_at(SystemClock.now()).await
    }

    async fn open_at(&self, now: DateTime<Utc>) -> Repository {
        let base = Url::from_directory_path(self.path("repo")).expect("absolute");
        let below = |name: &str| base.join(name).expect("a name").try_into().expect("an address");
        let source = Source::new(below(&format!("{VARIANT}/{ARCH}/")), below("targets/"));
        let root = std::fs::read(self.path("keys/root.json")).expect("made by init");
        let opened = open_online(Arc::new(SystemFs), source, &root, &self.path("trust"), now).await;
        opened.unwrap_or_else(|error| panic!("failed to {}", host_io::report::chain(&error)))
    }

    /// Everything in the repository that a reader may ask for.
    pub(crate) fn published(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.path("repo"), &mut files);
        files.sort();
        files
    }
}

/// Runs `pubrepo` in the fixture's directory.
pub(crate) fn pubrepo<S: AsRef<std::ffi::OsStr>>(fixture: &Fixture, args: &[S]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pubrepo"));
    command.current_dir(fixture.path("")).args(args).output().expect("it runs")
}

/// What a program said that did what it was asked for.
pub(crate) fn done(output: std::process::Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A program that did not, and that said why and what helps.
pub(crate) fn refused(output: &std::process::Output, says: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(says) && said.contains("\nhelp: "), "{said}");
}

fn collect(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).expect("there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.clone(), std::fs::read(&path).expect("readable")));
        }
    }
}
