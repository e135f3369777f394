//! Migrations that are staged for the next boot of a host, as an update leaves them: signed, listed, pinned.
//!
//! For those who look at `migrator` alone: no image is made and no server asked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::explore::CutFs;
use host_io::{Fs, Paths};
use lz4_flex::frame::FrameEncoder;
use semver::Version;
use trusted_repo::author::{Editor, Expiries, KeyPair, RootSpec, SignedRoot, Signers, targets};
use update_metadata::Manifest;

/// The largest target, in bytes.
const LARGEST: u64 = 64 << 20;

/// How settings get from one version to the next: from, to, and the names of the migrations.
pub type Step<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Stages a repository with these steps, which is made in `dir`, for the next boot of a host, and ships its root role.
/// `program` gives each migration's bytes; `None` is for one that the manifest names and the repository lacks. The
/// metadata has expired long ago: that must not matter at boot.
///
/// # Panics
/// When that cannot be made.
pub fn stage(dir: &Path, paths: &Paths, steps: &[Step<'_>], program: impl Fn(&str) -> Option<Vec<u8>>) {
    let (metadata, files) = (dir.join("metadata"), dir.join("targets"));
    let fs = CutFs::counting();
    let keys: Vec<KeyPair> = (0..4).map(|_| KeyPair::generate().expect("a key")).collect();
    let past: DateTime<Utc> = "2020-01-01T00:00:00Z".parse().expect("a date");
    let [root_keys, target_keys, snapshot_keys, timestamp_keys] = [0, 1, 2, 3].map(|n| &keys[n..=n]);
    let spec = RootSpec {
        version: 1,
        expires: past,
        root: root_keys,
        root_threshold: 1,
        targets: target_keys,
        snapshot: snapshot_keys,
        timestamp: timestamp_keys,
    };
    let root = SignedRoot::first(&spec, &[&keys[0]]).expect("a root role");
    let mut editor = Editor::new(root.clone());
    let version =
        |text: &str| Version::parse(text).unwrap_or_else(|error| panic!("version {text:?}: {error}"));
    let migrations: BTreeMap<_, Vec<String>> = steps
        .iter()
        .map(|(from, to, names)| {
            ((version(from), version(to)), names.iter().map(ToString::to_string).collect())
        })
        .collect();
    let mut staged = vec!["manifest.json".to_owned()];
    for name in migrations.values().flatten().collect::<BTreeSet<_>>() {
        let Some(program) = program(name) else { continue };
        let info = targets::publish(&fs, &files, name, &lz4(&program)).expect("a target");
        editor.add_target(info).expect("a new target");
        staged.push(name.clone());
    }
    let manifest = Manifest { migrations, ..Manifest::default() };
    let info =
        targets::publish(&fs, &files, "manifest.json", manifest.to_json().as_bytes()).expect("a target");
    editor.add_target(info).expect("a new target");
    let mut rest = keys.into_iter().skip(1);
    let mut next = || rest.next().expect("four keys");
    let signers = Signers { targets: next(), snapshot: next(), timestamp: next() };
    let expiries = Expiries { targets: past, snapshot: past, timestamp: past };
    editor.sign(&signers, &expiries).expect("signed roles").write(&fs, &metadata).expect("written roles");

    let staging = async {
        let fs: Arc<dyn Fs> = Arc::new(fs.clone());
        let open = trusted_repo::open_offline(Arc::clone(&fs), root.bytes(), &metadata, &files);
        let repository = open.await.expect("what was just signed");
        let mut targets = Vec::new();
        for name in &staged {
            targets.push(repository.fetch(name, LARGEST).await.expect("what was just published"));
        }
        let id = repository.staged(targets).write(&*fs, &paths.cache()).expect("a cache");
        trusted_repo::make_current(&*fs, paths, &id).expect("a pin");
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(staging);
    let shipped = paths.trusted_root();
    std::fs::create_dir_all(shipped.parent().expect("a file in a directory")).expect("a directory");
    std::fs::write(shipped, root.bytes()).expect("the root role of the image");
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
