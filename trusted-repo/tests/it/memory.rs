//! What is remembered between two openings.

use chrono::TimeDelta;
use testdata::FaultyServer;
use trusted_repo::Source;

use crate::fixture::{Fixture, assert_refused, days, today};

#[tokio::test]
async fn first_use_trusts_the_shipped_root_and_remembers_what_it_saw() {
    let fixture = Fixture::new();
    assert!(fixture.remembered().is_empty());
    let repository = fixture.open().await.expect("opened");
    assert_eq!(repository.roles().timestamp.version, 1);
    assert!(repository.manifest().await.expect("a manifest").updates.is_empty());
    let memory = fixture.memory();
    for name in ["timestamp.json", "1.root.json"] {
        let published = std::fs::read(fixture.path("repo/metadata").join(name)).expect("published");
        assert_eq!(std::fs::read(memory.join(name)).expect("remembered"), published, "exact bytes of {name}");
    }
    for (plain, published) in [("snapshot.json", "1.snapshot.json"), ("targets.json", "1.targets.json")] {
        let published = std::fs::read(fixture.path("repo/metadata").join(published)).expect("published");
        assert_eq!(std::fs::read(memory.join(plain)).expect("remembered"), published);
    }
}

#[tokio::test]
async fn rollback_of_everything_is_refused_and_the_memory_stays() {
    let mut fixture = Fixture::new();
    let old = fixture.metadata();
    fixture.sign();
    fixture.open().await.expect("version 2");
    let before = fixture.remembered();
    fixture.put_back(&old);
    assert_refused(
        fixture.open().await,
        "untrusted",
        "version 1 of the timestamp role, and version 2 was verified",
    );
    assert_eq!(fixture.remembered(), before);
    fixture.sign();
    assert_eq!(fixture.open().await.expect("version 3").roles().timestamp.version, 3);
}

#[tokio::test]
async fn rollback_of_the_snapshot_below_a_newer_timestamp_is_refused() {
    let mut fixture = Fixture::new();
    fixture.sign_after(4, 4, 4);
    fixture.open().await.expect("version 5");
    fixture.sign_after(4, 3, 5);
    assert_refused(fixture.open().await, "untrusted", "version 4 of the snapshot role, and version 5");
}

#[tokio::test]
async fn rollback_of_the_targets_below_a_newer_snapshot_is_refused() {
    let mut fixture = Fixture::new();
    fixture.sign_after(4, 4, 4);
    fixture.open().await.expect("version 5");
    fixture.sign_after(3, 5, 5);
    assert_refused(fixture.open().await, "untrusted", "version 4 of targets.json, and version 5");
    fixture.sign_after(4, 6, 6);
    assert_eq!(fixture.open().await.expect("forwards again").roles().targets.version, 5);
}

#[tokio::test]
async fn rollback_is_refused_although_the_address_has_other_secrets() {
    let mut fixture = Fixture::new();
    let old = fixture.metadata();
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let source = |secrets: &str| {
        let at = |path: &str| server.url(path).replace("://", &format!("://{secrets}@")).parse().unwrap();
        Source::new(at("metadata/?tok=1"), at("targets/"))
    };
    fixture.open_from(source("me:old"), &fixture.anchor, today()).await.expect("version 2");
    fixture.put_back(&old);
    let opened = fixture.open_from(source("me:new"), &fixture.anchor, today()).await;
    assert_refused(opened, "untrusted", "version 1 of the timestamp role");
    let dirs = std::fs::read_dir(fixture.trust())
        .expect("there")
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    assert_eq!(dirs.count(), 1, "one memory");
}

#[tokio::test]
async fn memory_filed_under_an_address_with_a_login_is_filed_anew_without_it_and_still_counts() {
    let mut fixture = Fixture::new();
    let old = fixture.metadata();
    fixture.sign();
    let server = FaultyServer::start(fixture.repo());
    let source = |login: &str| {
        let at = |path: &str| server.url(path).replace("://", &format!("://{login}")).parse().unwrap();
        Source::new(at("metadata/"), at("targets/"))
    };
    fixture.open_from(source(""), &fixture.anchor, today()).await.expect("version 2");
    // As programs before this one have filed it: the login is in the key, in the index and in the validator.
    let index = fixture.memory().join("memory.json");
    let text = std::fs::read_to_string(&index).expect("remembered").replace("http://", "http://me:s3cret@");
    std::fs::write(&index, text).expect("as it was written before");
    let memory = |key: &str| fixture.trust().join(key);
    let mut entries =
        std::fs::read_dir(fixture.trust()).expect("there").map(|entry| entry.expect("readable").path());
    let key = entries.find(|path| path.is_dir()).expect("one");
    std::fs::rename(key, memory("00ff")).expect("moved");
    fixture.put_back(&old);
    let opened = fixture.open_from(source("me:other@"), &fixture.anchor, today()).await;
    assert_refused(opened, "untrusted", "version 1 of the timestamp role");
    assert!(!memory("00ff").exists(), "the old one is gone");
    let secret = |(_, bytes): &(_, Vec<u8>)| String::from_utf8_lossy(bytes).contains("s3cret");
    assert!(!fixture.remembered().iter().any(secret), "and so is the password");
}

#[tokio::test]
async fn same_version_with_other_content_is_ignored_and_the_kept_one_stays() {
    let mut fixture = Fixture::new();
    fixture.open().await.expect("version 1");
    let kept = std::fs::read(fixture.memory().join("timestamp.json")).expect("remembered");
    fixture.expiries.timestamp = today() + days(70);
    fixture.sign_after(0, 0, 0);
    let repository = fixture.open().await.expect("opened with the kept timestamp");
    assert_eq!(repository.roles().timestamp.expires, today() + days(7));
    assert_eq!(std::fs::read(fixture.memory().join("timestamp.json")).expect("remembered"), kept);
}

#[tokio::test]
async fn same_version_with_broken_signatures_never_reaches_the_memory() {
    let fixture = Fixture::new();
    fixture.open().await.expect("version 1");
    let before = fixture.remembered();
    let path = fixture.path("repo/metadata/timestamp.json");
    let mut role: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("published")).expect("JSON");
    role["signatures"][0]["sig"] = "00".repeat(64).into();
    std::fs::write(&path, role.to_string()).expect("attacked");
    assert_refused(fixture.open().await, "untrusted", "the timestamp role is not signed");
    assert_eq!(fixture.remembered(), before);
}

#[tokio::test]
async fn mix_and_match_of_a_new_timestamp_with_an_old_snapshot_is_refused() {
    let mut fixture = Fixture::new();
    let old = std::fs::read(fixture.path("repo/metadata/1.snapshot.json")).expect("published");
    fixture.sign();
    std::fs::write(fixture.path("repo/metadata/2.snapshot.json"), old).expect("attacked");
    assert_refused(fixture.open().await, "untrusted", "SHA-256 of 2.snapshot.json");
}

#[tokio::test]
async fn partial_progress_is_kept_when_a_later_role_fails() {
    let mut fixture = Fixture::new();
    fixture.open().await.expect("version 1");
    fixture.sign();
    std::fs::remove_file(fixture.path("repo/metadata/2.targets.json")).expect("an outage");
    assert_refused(fixture.open().await, "missing_target", "fetch 2.targets.json");
    let remembered = |name: &str| -> u64 {
        let bytes = std::fs::read(fixture.memory().join(name)).expect("remembered");
        let role: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        role["signed"]["version"].as_u64().expect("a version")
    };
    assert_eq!(
        (remembered("timestamp.json"), remembered("snapshot.json"), remembered("targets.json")),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn damaged_memory_is_refused_and_named() {
    let fixture = Fixture::new();
    fixture.open().await.expect("opened");
    let memory = fixture.memory();
    let state = std::fs::canonicalize(&memory).expect("a state");
    for name in ["memory.json", "timestamp.json", "1.root.json", "snapshot.json", "targets.json"] {
        let path = state.join(name);
        let good = std::fs::read(&path).expect("there");
        for bad in [&b""[..], &good[..good.len() / 2]] {
            std::fs::write(&path, bad).expect("damaged");
            assert_refused(fixture.open().await, "memory", name);
        }
        std::fs::remove_file(&path).expect("removed");
        assert_refused(fixture.open().await, "memory", name);
        std::fs::write(&path, good).expect("mended");
    }
    fixture.open().await.expect("as before");
    std::fs::rename(&state, state.with_file_name("elsewhere")).expect("moved");
    assert_refused(fixture.open().await, "memory", "remove");
}

#[tokio::test]
async fn memory_that_cannot_be_written_is_a_refusal() {
    let fixture = Fixture::new();
    std::fs::write(fixture.trust(), b"a file in the way").expect("written");
    assert_refused(fixture.open().await, "memory", "trust");
}

#[tokio::test]
async fn leftovers_of_a_power_cut_do_not_matter_and_go_away() {
    let mut fixture = Fixture::new();
    fixture.open().await.expect("opened");
    let key = fixture.memory().parent().expect("a key").to_owned();
    std::fs::create_dir(key.join(".half.new")).expect("leftover");
    std::fs::write(key.join(".half.new/memory.json"), b"{").expect("leftover");
    fixture.sign();
    fixture.open().await.expect("opened");
    assert_eq!(std::fs::read_dir(&key).expect("there").count(), 2, "the link and one state");
}

#[test]
fn two_programs_that_check_at_the_same_time_do_not_harm_the_memory() {
    let mut fixture = Fixture::new();
    fixture.sign();
    let rounds = |offset: i64| {
        let fixture = &fixture;
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for round in 0..25 {
                // Another time each round, so that every round writes.
                let now = today() + TimeDelta::seconds(2 * round + offset);
                runtime.block_on(fixture.open_at(now)).expect("opened");
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(rounds(0));
        scope.spawn(rounds(1));
    });
    let key = fixture.memory().parent().expect("a key").to_owned();
    assert_eq!(std::fs::read_dir(&key).expect("there").count(), 2, "the link and one state");
}
