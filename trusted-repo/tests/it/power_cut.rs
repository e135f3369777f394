//! The power goes away at any change to memory, cache or repository.

use std::path::Path;
use std::sync::Arc;

use host_io::explore::CutFs;
use host_io::{Fs, Paths, SystemFs};
use trusted_repo::open::open_online_paced;
use trusted_repo::{Error, Repository, VerifiedBytes, make_current, open_offline};

use crate::fixture::{Fixture, frame, impatient, system_fs, today};

async fn open_with(fixture: &Fixture, fs: &CutFs) -> Result<Repository, Error> {
    let (fs, trust): (Arc<dyn Fs>, _) = (Arc::new(fs.clone()), fixture.trust());
    open_online_paced(fs, fixture.source(), &fixture.anchor, &trust, today(), impatient()).await
}

#[tokio::test]
async fn power_cut_at_any_change_to_the_memory_leaves_the_old_one_or_the_new_one() {
    for first_use in [true, false] {
        let mut fixture = Fixture::new();
        if !first_use {
            fixture.open().await.expect("version 1");
            fixture.sign();
        }
        let before = fixture.path("before");
        copy(&fixture.trust(), &before);
        let mut cuts = 0;
        loop {
            copy(&before, &fixture.trust());
            let fs = CutFs::after(cuts);
            let opened = open_with(&fixture, &fs).await;
            assert!(fs.was_cut() || opened.is_ok());
            let newest = if first_use { 1 } else { 2 };
            assert_eq!(fixture.open().await.expect("power is back").roles().timestamp.version, newest);
            if !fs.was_cut() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 15, "{cuts} places to cut at");
    }
}

/// Makes `to` the same tree as `from`, links as links; nothing where there is nothing.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).expect("made");
    for entry in entries.map(|entry| entry.expect("readable")) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if let Ok(target) = std::fs::read_link(&path) {
            std::os::unix::fs::symlink(target, to).expect("linked");
        } else if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).expect("copied");
        }
    }
}

async fn staged(fixture: &Fixture) -> (Repository, Vec<VerifiedBytes>) {
    let repository = fixture.open().await.expect("opened");
    let mut targets = Vec::new();
    for name in ["manifest.json", "migrate.lz4"] {
        targets.push(repository.fetch(name, 1 << 20).await.expect("verified"));
    }
    (repository, targets)
}

#[tokio::test]
async fn power_cut_at_any_change_to_the_cache_leaves_the_old_set_or_the_new_one() {
    let mut fixture = Fixture::new();
    let paths = Paths::under(fixture.path("host"));
    fixture.target("migrate.lz4", &frame(b"old"));
    fixture.sign();
    let (repository, targets) = staged(&fixture).await;
    let id = repository.staged(targets).write(&SystemFs, &paths.cache()).expect("written");
    make_current(&SystemFs, &paths, &id).expect("swapped");
    let before = fixture.path("before");
    copy(&fixture.path("host"), &before);

    fixture.target("migrate.lz4", &frame(b"new"));
    fixture.sign();
    let (repository, targets) = staged(&fixture).await;
    let next = repository.staged(targets);
    let mut cuts = 0;
    loop {
        copy(&before, &fixture.path("host"));
        let fs = CutFs::after(cuts);
        let written = next.write(&fs, &paths.cache());
        let swapped = written.and_then(|id| make_current(&fs, &paths, &id));
        assert!(fs.was_cut() || swapped.is_ok());

        let (metadata, migrations) = (paths.metadata_cache(), paths.migrations_cache());
        let opened = open_offline(system_fs(), &fixture.anchor, &metadata, &migrations).await;
        let set = opened.expect("one whole set is live");
        let bytes = set.fetch("migrate.lz4", 1 << 20).await.expect("its migration is there");
        let program = trusted_repo::lz4::decode(&bytes, 100).expect("a frame");
        let (version, expected) = if set.roles().targets.version == 2 { (2, "old") } else { (3, "new") };
        assert_eq!((set.roles().timestamp.version, &program[..]), (version, expected.as_bytes()));

        // Whoever stages again afterwards gets there, whatever was left behind.
        let id = next.write(&SystemFs, &paths.cache()).expect("written");
        make_current(&SystemFs, &paths, &id).expect("swapped");
        assert_eq!(std::fs::read_dir(paths.cache()).expect("there").count(), 2, "the link and one set");
        if !fs.was_cut() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 20, "{cuts} places to cut at");
}

#[tokio::test]
async fn publisher_that_dies_anywhere_leaves_one_consistent_snapshot() {
    let mut cuts = 0;
    loop {
        let mut fixture = Fixture::new();
        fixture.target("manifest.json", br#"{"updates":[],"migrations":{},"new":1}"#);
        let signed = fixture.editor.sign(&fixture.signers, &fixture.expiries).expect("signed");
        let fs = CutFs::after(cuts);
        let written = signed.write(&fs, &fixture.path("repo/metadata"));
        assert!(fs.was_cut() || written.is_ok());
        let repository = fixture.open().await.expect("it reads");
        repository.manifest().await.expect("with the manifest that belongs to it");
        let roles = repository.roles();
        assert_eq!(roles.timestamp.version, roles.targets.version);
        assert!(written.is_err() || roles.timestamp.version == 2);
        if !fs.was_cut() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 8, "{cuts} places to cut at");
}
