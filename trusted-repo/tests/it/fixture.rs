//! A small repository, made with `author`, and a host's trust memory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use host_io::{Advise as _, Fs, SystemFs};
use tempfile::TempDir;
use trusted_repo::author::{Editor, Expiries, KeyPair, RootSpec, SignedRoot, Signers, Versions, targets};
use trusted_repo::{Error, Pacing, Repository, Source};
use url::Url;

/// The day on which every test begins.
pub(crate) fn today() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().expect("a date")
}

pub(crate) fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

/// A manifest without any update.
pub(crate) const MANIFEST: &[u8] = br#"{"updates":[],"migrations":{}}"#;

/// The people and machines that sign a repository.
pub(crate) struct Keys {
    pub(crate) root: Vec<KeyPair>,
    pub(crate) targets: KeyPair,
    pub(crate) snapshot: KeyPair,
    pub(crate) timestamp: KeyPair,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let key = || KeyPair::generate().expect("random");
        Self { root: (0..3).map(|_| key()).collect(), targets: key(), snapshot: key(), timestamp: key() }
    }

    pub(crate) fn spec(&self, version: u64, expires: DateTime<Utc>) -> RootSpec<'_> {
        RootSpec {
            version,
            expires,
            root: &self.root,
            root_threshold: 2,
            targets: std::slice::from_ref(&self.targets),
            snapshot: std::slice::from_ref(&self.snapshot),
            timestamp: std::slice::from_ref(&self.timestamp),
        }
    }

    pub(crate) fn root(&self, version: u64) -> SignedRoot {
        SignedRoot::first(&self.spec(version, today() + days(365)), &[&self.root[0], &self.root[1]])
            .expect("two of three")
    }

    pub(crate) fn into_signers(self) -> Signers {
        Signers { targets: self.targets, snapshot: self.snapshot, timestamp: self.timestamp }
    }
}

/// A repository in a directory, and one host's trust memory beside it.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) anchor: Vec<u8>,
    pub(crate) editor: Editor,
    pub(crate) signers: Signers,
    pub(crate) expiries: Expiries,
}

impl Fixture {
    /// A repository with a manifest, signed today.
    pub(crate) fn new() -> Self {
        Self::with(Keys::new())
    }

    pub(crate) fn with(keys: Keys) -> Self {
        let root = keys.root(1);
        let soon = today() + days(7);
        let mut fixture = Self {
            dir: tempfile::tempdir().expect("temporary directory"),
            anchor: root.bytes().to_vec(),
            editor: Editor::new(root),
            signers: keys.into_signers(),
            expiries: Expiries { targets: soon, snapshot: soon, timestamp: soon },
        };
        fixture.target("manifest.json", MANIFEST);
        fixture.sign();
        fixture
    }

    /// A repository that begins with this root role, which images ship; nothing is signed yet.
    pub(crate) fn begin_at(&mut self, root: SignedRoot) {
        self.anchor = root.bytes().to_vec();
        self.editor = Editor::new(root);
        self.target("manifest.json", MANIFEST);
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    pub(crate) fn trust(&self) -> PathBuf {
        self.path("trust")
    }

    /// Lists a target, and writes its file.
    pub(crate) fn target(&mut self, name: &str, bytes: &[u8]) {
        let info = targets::publish(&SystemFs, &self.path("repo/targets"), name, bytes).expect("written");
        self.editor.replace_target(info).expect("listed");
    }

    /// The file of a target.
    pub(crate) fn file_of(&self, name: &str) -> PathBuf {
        let info = self.editor.target(name).expect("listed");
        self.path("repo/targets").join(format!("{}.{name}", info.hashes.hex()))
    }

    /// Signs and publishes the next version of everything.
    pub(crate) fn sign(&mut self) {
        let signed = self.editor.sign(&self.signers, &self.expiries).expect("signed");
        signed.write(&SystemFs, &self.path("repo/metadata")).expect("written");
        self.editor.set_versions(signed.versions());
    }

    /// Publishes as if these versions had been the published ones.
    pub(crate) fn sign_after(&mut self, targets: u64, snapshot: u64, timestamp: u64) {
        self.editor.set_versions(Versions { targets, snapshot, timestamp });
        self.sign();
    }

    /// A copy of the published metadata, to be put back later.
    pub(crate) fn metadata(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(self.path("repo/metadata")).expect("there");
        files
            .map(|entry| entry.expect("readable").path())
            .map(|path| (path.clone(), std::fs::read(path).expect("readable")))
            .collect()
    }

    pub(crate) fn put_back(&self, files: &[(PathBuf, Vec<u8>)]) {
        std::fs::remove_dir_all(self.path("repo/metadata")).expect("removed");
        std::fs::create_dir(self.path("repo/metadata")).expect("made");
        for (path, bytes) in files {
            std::fs::write(path, bytes).expect("written");
        }
    }

    pub(crate) fn source(&self) -> Source {
        self.source_at(&Url::from_directory_path(self.repo()).expect("absolute"))
    }

    pub(crate) fn source_at(&self, base: &Url) -> Source {
        let below = |name| base.join(name).expect("a name").try_into().expect("an address");
        Source::new(below("metadata/"), below("targets/"))
    }

    pub(crate) async fn open(&self) -> Result<Repository, Error> {
        self.open_at(today()).await
    }

    pub(crate) async fn open_at(&self, now: DateTime<Utc>) -> Result<Repository, Error> {
        self.open_from(self.source(), &self.anchor, now).await
    }

    pub(crate) async fn open_from(
        &self,
        source: Source,
        anchor: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Repository, Error> {
        let trust = self.trust();
        trusted_repo::open::open_online_paced(system_fs(), source, anchor, &trust, now, impatient()).await
    }

    /// What is in the trust memory, as one value to compare.
    pub(crate) fn remembered(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.trust(), &mut found);
        found.sort();
        found
    }

    /// The directory of the one memory's live state.
    pub(crate) fn memory(&self) -> PathBuf {
        let mut entries =
            std::fs::read_dir(self.trust()).expect("there").map(|entry| entry.expect("readable"));
        entries.find(|entry| entry.path().is_dir()).expect("one memory").path().join("current")
    }
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.map(|entry| entry.expect("readable")) {
        let path = entry.path();
        if entry.file_type().expect("known").is_dir() {
            collect(&path, found);
        } else if let Ok(target) = std::fs::read_link(&path) {
            found.push((path, target.display().to_string().into_bytes()));
        } else {
            found.push((path.clone(), std::fs::read(path).expect("readable")));
        }
    }
}

pub(crate) fn system_fs() -> Arc<dyn Fs> {
    Arc::new(SystemFs)
}

/// A client that tries again quickly.
pub(crate) fn impatient() -> Pacing {
    Pacing {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(5),
        ..Pacing::default()
    }
}

/// The refusal of an attack: its code, and a part of its sentence.
pub(crate) fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, code: &str, says: &str) {
    let error = result.expect_err("this must be refused");
    let sentence = host_io::report::sentence("updog", &error);
    assert_eq!(error.code(), code, "{sentence}");
    assert!(sentence.contains(says), "{sentence}");
    assert!(sentence.contains("\nhelp: "), "{sentence}");
}

/// One LZ4 frame.
pub(crate) fn frame(raw: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(raw).expect("in memory");
    encoder.finish().expect("in memory")
}
