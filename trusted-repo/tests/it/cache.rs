//! The pinned set for the next boot, and opening it offline.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use host_io::{Paths, SystemFs};
use trusted_repo::author::{Editor, SignedRoot};
use trusted_repo::{CacheId, Error, Repository, StagedCache, make_current, open_offline};

use crate::fixture::{Fixture, Keys, MANIFEST, assert_refused, days, frame, system_fs, today};

struct Staged {
    fixture: Fixture,
    paths: Paths,
    id: CacheId,
}

impl Staged {
    /// A set with the manifest and one migration, live on a host of its own.
    async fn new() -> Self {
        let mut fixture = Fixture::new();
        fixture.target("migrate.lz4", &frame(b"a program"));
        fixture.sign();
        let paths = Paths::under(fixture.path("host"));
        let id = stage(&fixture, &paths).await;
        make_current(&SystemFs, &paths, &id).expect("swapped");
        Self { fixture, paths, id }
    }

    async fn open(&self) -> Result<Repository, Error> {
        let (metadata, targets) = (self.paths.metadata_cache(), self.paths.migrations_cache());
        open_offline(system_fs(), &self.fixture.anchor, &metadata, &targets).await
    }

    fn set(&self) -> PathBuf {
        self.paths.cache().join(self.id.as_str())
    }

    fn target(&self) -> PathBuf {
        let files = std::fs::read_dir(self.set().join("targets")).expect("there");
        let mut paths = files.map(|entry| entry.expect("readable").path());
        paths.find(|path| path.display().to_string().ends_with("migrate.lz4")).expect("staged")
    }
}

async fn next_set(fixture: &Fixture) -> StagedCache {
    let repository = fixture.open().await.expect("opened");
    let mut targets = Vec::new();
    for name in ["manifest.json", "migrate.lz4"] {
        targets.push(repository.fetch(name, 1 << 20).await.expect("verified"));
    }
    repository.staged(targets)
}

async fn stage(fixture: &Fixture, paths: &Paths) -> CacheId {
    next_set(fixture).await.write(&SystemFs, &paths.cache()).expect("written")
}

#[tokio::test]
async fn staged_set_is_opened_through_the_two_known_paths() {
    let staged = Staged::new().await;
    let repository = staged.open().await.expect("opened");
    assert!(repository.manifest().await.expect("cached").updates.is_empty());
    let bytes = repository.fetch("migrate.lz4", 1 << 20).await.expect("cached");
    assert_eq!(trusted_repo::lz4::decode(&bytes, 100).expect("a frame"), b"a program");
    assert_eq!(repository.bytes_fetched(), 0);
    assert!(staged.paths.metadata_cache().is_symlink());
    assert!(staged.paths.migrations_cache().join("../pin.json").exists());
}

#[tokio::test]
async fn written_set_changes_nothing_before_it_is_made_current() {
    let staged = Staged::new().await;
    let mut fixture = Fixture::new();
    fixture.target("migrate.lz4", &frame(b"another program"));
    fixture.sign();
    let next = stage(&fixture, &staged.paths).await;
    assert_ne!(next, staged.id);
    staged.open().await.expect("the live set is as it was");
    make_current(&SystemFs, &staged.paths, &next).expect("swapped");
    assert!(!staged.set().exists(), "the older set is gone");
    assert_refused(staged.open().await, "untrusted", "not signed as the trusted root asks for");
}

#[tokio::test]
async fn staging_the_same_set_again_is_the_same_set() {
    let staged = Staged::new().await;
    assert_eq!(stage(&staged.fixture, &staged.paths).await, staged.id);
    std::fs::write(staged.target(), b"rotten").expect("damaged");
    let next = stage(&staged.fixture, &staged.paths).await;
    assert_ne!(next, staged.id, "a rotten live set is not written over");
    make_current(&SystemFs, &staged.paths, &next).expect("swapped");
    let repository = staged.open().await.expect("opened");
    repository.fetch("migrate.lz4", 1 << 20).await.expect("whole again");
}

#[tokio::test]
async fn set_that_lies_there_whole_needs_no_room() {
    let staged = Staged::new().await;
    let (set, cache) = (next_set(&staged.fixture).await, staged.paths.cache());
    let missing = |dir: &Path| set.missing(&SystemFs, dir).expect("told");
    assert_eq!(missing(&cache), 0);
    let elsewhere = staged.fixture.path("elsewhere");
    let needed = missing(&elsewhere);
    assert!(!elsewhere.exists(), "asking writes nothing");
    let written = elsewhere.join(set.write(&SystemFs, &elsewhere).expect("written").as_str());
    let files =
        ["", "metadata", "targets"].map(|folder| std::fs::read_dir(written.join(folder)).expect("there"));
    let sizes =
        files.into_iter().flatten().map(|entry| entry.expect("readable").metadata().expect("readable"));
    assert_eq!(needed, sizes.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum::<u64>());
    std::fs::write(staged.target(), b"rotten").expect("damaged");
    assert_eq!(missing(&cache), needed, "another one beside it");
}

#[tokio::test]
async fn sets_that_cut_updates_left_are_removed_and_the_live_one_stays() {
    let staged = Staged::new().await;
    let mut fixture = Fixture::new();
    fixture.target("migrate.lz4", &frame(b"another program"));
    fixture.sign();
    let (next, cache) = (next_set(&fixture).await, staged.paths.cache());
    // One that was written and never became current, one that was half written, and what this one left.
    std::fs::create_dir_all(cache.join("0123/targets")).expect("left behind");
    std::fs::write(cache.join("0123/targets/big"), vec![7; 100_000]).expect("left behind");
    std::fs::create_dir_all(cache.join(".4567.new/metadata")).expect("left behind");
    let this = stage(&fixture, &staged.paths).await;
    next.discard_others(&SystemFs, &cache).expect("removed");
    let mut names: Vec<String> = std::fs::read_dir(&cache)
        .expect("there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    let mut kept = vec![staged.id.to_string(), this.to_string(), "current".to_owned()];
    kept.sort();
    assert_eq!(names, kept);
    staged.open().await.expect("the live set is as it was");
    assert_eq!(next.missing(&SystemFs, &cache).expect("told"), 0);
    next.discard_others(&SystemFs, &staged.fixture.path("nowhere")).expect("nothing to remove");
}

#[tokio::test]
async fn expiry_is_waived_at_boot() {
    let staged = Staged::new().await;
    // The clock is not asked at all: the set expired a week after it was signed, on the first day of the tests.
    let repository = staged.open().await.expect("opened");
    assert!(repository.now().is_none());
    assert!(repository.roles().timestamp.expires < today() + crate::fixture::days(8));
    let mut old = Fixture::new();
    old.expiries.timestamp = DateTime::UNIX_EPOCH;
    old.sign();
    let metadata = old.path("repo/metadata");
    let opened = open_offline(system_fs(), &old.anchor, &metadata, &old.path("repo/targets")).await;
    assert_eq!(opened.expect("expired in 1970").roles().timestamp.expires, DateTime::UNIX_EPOCH);
}

#[tokio::test]
async fn newer_memory_does_not_stop_an_older_pinned_set() {
    let mut staged = Staged::new().await;
    for _ in 0..3 {
        staged.fixture.sign();
        staged.fixture.open().await.expect("the memory moves on");
    }
    assert_eq!(staged.open().await.expect("opened").roles().timestamp.version, 2);
}

#[tokio::test]
async fn other_metadata_than_the_pinned_one_is_refused() {
    let mut staged = Staged::new().await;
    staged.fixture.sign();
    let newer = std::fs::read(staged.fixture.path("repo/metadata/timestamp.json")).expect("published");
    std::fs::write(staged.set().join("metadata/timestamp.json"), newer).expect("attacked");
    assert_refused(staged.open().await, "tampered", "timestamp.json is not the file that was pinned");
    std::fs::remove_file(staged.set().join("metadata/timestamp.json")).expect("removed");
    assert_refused(staged.open().await, "tampered", "timestamp.json cannot be read");
}

#[tokio::test]
async fn metadata_that_is_not_pinned_is_not_seen() {
    let staged = Staged::new().await;
    std::fs::write(staged.set().join("metadata/2.root.json"), b"{}").expect("attacked");
    staged.open().await.expect("opened");
}

#[tokio::test]
async fn unreadable_pin_is_refused() {
    let staged = Staged::new().await;
    let pin = staged.set().join("pin.json");
    let good = std::fs::read(&pin).expect("there");
    for bad in [&b""[..], b"{}", &good[..good.len() / 2]] {
        std::fs::write(&pin, bad).expect("damaged");
        assert_refused(staged.open().await, "tampered", "pin.json is damaged");
    }
    std::fs::remove_file(&pin).expect("removed");
    std::fs::create_dir(&pin).expect("made");
    assert_refused(staged.open().await, "tampered", "pin.json cannot be read");
}

#[tokio::test]
async fn two_sets_put_together_are_refused() {
    let staged = Staged::new().await;
    let mut other = Fixture::new();
    other.target("migrate.lz4", &frame(b"another program"));
    other.sign();
    let other_paths = Paths::under(other.path("host"));
    let id = stage(&other, &other_paths).await;
    make_current(&SystemFs, &other_paths, &id).expect("swapped");
    let (metadata, targets) = (staged.paths.metadata_cache(), other_paths.migrations_cache());
    let opened = open_offline(system_fs(), &staged.fixture.anchor, &metadata, &targets).await;
    assert_refused(opened, "tampered", "are not pinned together");
}

#[tokio::test]
async fn altered_migration_on_disk_is_refused() {
    let staged = Staged::new().await;
    let signed = std::fs::read(staged.target()).expect("staged");
    let mut altered = signed.clone();
    altered[10] ^= 1;
    std::fs::write(staged.target(), altered).expect("attacked");
    let repository = staged.open().await.expect("opened");
    assert_refused(repository.fetch("migrate.lz4", 1 << 20).await, "tampered", "its SHA-256 is");
}

#[tokio::test]
async fn signed_target_that_was_not_staged_is_missing() {
    let mut staged = Staged::new().await;
    staged.fixture.target("other.lz4", b"signed later");
    let repository = staged.open().await.expect("opened");
    assert_refused(repository.fetch("other.lz4", 100).await, "missing_target", "does not list it");
    let stray = staged.set().join("targets/manifest.json.lz4");
    std::fs::write(stray, b"stray").expect("written");
    assert_refused(repository.fetch("manifest.json.lz4", 100).await, "missing_target", "does not list it");
}

#[tokio::test]
async fn older_layout_without_a_pin_is_accepted_with_both_kinds_of_names() {
    let mut fixture = Fixture::new();
    fixture.target("migrate.lz4", b"bytes");
    fixture.sign();
    let plain = fixture.path("older");
    std::fs::create_dir(&plain).expect("made");
    std::fs::copy(fixture.file_of("manifest.json"), plain.join("manifest.json")).expect("copied");
    let with_digest = fixture.file_of("migrate.lz4");
    std::fs::copy(&with_digest, plain.join(with_digest.file_name().expect("a name"))).expect("copied");
    let opened = open_offline(system_fs(), &fixture.anchor, &fixture.path("repo/metadata"), &plain).await;
    let repository = opened.expect("opened");
    repository.manifest().await.expect("under its plain name");
    repository.fetch("migrate.lz4", 100).await.expect("under its digest");
}

#[tokio::test]
async fn set_of_another_repository_is_refused() {
    let staged = Staged::new().await;
    let stranger = crate::fixture::Keys::new().root(1);
    let (metadata, targets) = (staged.paths.metadata_cache(), staged.paths.migrations_cache());
    let opened = open_offline(system_fs(), stranger.bytes(), &metadata, &targets).await;
    assert_refused(opened, "untrusted", "not signed as the trusted root asks for");
}

#[tokio::test]
async fn missing_set_is_told() {
    let fixture = Fixture::new();
    let paths = Paths::under(fixture.path("host"));
    let opened =
        open_offline(system_fs(), &fixture.anchor, &paths.metadata_cache(), &paths.migrations_cache()).await;
    assert_refused(opened, "failed", "bottlerocket-metadata");
}

#[tokio::test]
async fn set_is_opened_by_an_older_root_than_the_first_one_of_its_host() {
    let keys = Keys::new();
    let successor = |previous: &SignedRoot| {
        let spec = keys.spec(previous.version() + 1, today() + days(365));
        SignedRoot::successor(previous, &spec, &[&keys.root[0], &keys.root[1]]).expect("a successor")
    };
    let first = keys.root(1);
    let second = successor(&first);
    let third = successor(&second);
    let mut fixture = Fixture::with(keys);
    fixture.editor = Editor::new(first.clone());
    for root in [second.clone(), third.clone()] {
        fixture.editor.add_root(root).expect("follows");
    }
    fixture.target("manifest.json", MANIFEST);
    fixture.target("migrate.lz4", &frame(b"a program"));
    fixture.sign();
    // The image of this host ships the third root.
    fixture.anchor = third.bytes().to_vec();
    let repository = fixture.open().await.expect("opened");
    repository.find_older_roots().await;
    let mut targets = Vec::new();
    for name in ["manifest.json", "migrate.lz4"] {
        targets.push(repository.fetch(name, 1 << 20).await.expect("verified"));
    }
    let paths = Paths::under(fixture.path("host"));
    let id = repository.staged(targets).write(&SystemFs, &paths.cache()).expect("written");
    make_current(&SystemFs, &paths, &id).expect("swapped");
    let (metadata, files) = (paths.metadata_cache(), paths.migrations_cache());
    for anchor in [&first, &second, &third] {
        let opened = open_offline(system_fs(), anchor.bytes(), &metadata, &files).await;
        assert_eq!(opened.expect("opened").roles().root.version, 3, "from root {}", anchor.version());
    }
}

#[tokio::test]
async fn older_root_that_leads_elsewhere_is_not_staged() {
    let keys = Keys::new();
    let first = keys.root(1);
    let spec = keys.spec(2, today() + days(365));
    let second = SignedRoot::successor(&first, &spec, &[&keys.root[0], &keys.root[1]]).expect("a successor");
    let mut fixture = Fixture::with(keys);
    fixture.editor = Editor::new(first);
    fixture.editor.add_root(second.clone()).expect("follows");
    fixture.target("manifest.json", MANIFEST);
    fixture.sign();
    fixture.anchor = second.bytes().to_vec();
    std::fs::write(fixture.path("repo/metadata/1.root.json"), Keys::new().root(1).bytes()).expect("replaced");
    let repository = fixture.open().await.expect("opened");
    repository.find_older_roots().await;
    let paths = Paths::under(fixture.path("host"));
    let id = repository.staged(Vec::new()).write(&SystemFs, &paths.cache()).expect("written");
    let set = paths.cache().join(id.as_str()).join("metadata");
    assert!(set.join("2.root.json").exists());
    assert!(!set.join("1.root.json").exists());
}
