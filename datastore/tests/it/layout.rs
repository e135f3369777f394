//! The files that other programs rely on, and what is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datastore::store_dir::{self, Contents};
use datastore::{Datastore, Error};
use host_io::SystemFs;
use rustix::fs::{Mode, OFlags};
use serde_json::json;

use super::{create, data_dirs, key, names, open, settings};

/// A store with a value and its metadata, written by hand as an older system has left it; returns the live tree.
fn store_by_hand(base: &Path) -> PathBuf {
    let data = base.join("v1.5.2_AAAAbbbbCCCC0123");
    let live = data.join("live");
    fs::create_dir_all(live.join("settings/kubernetes")).unwrap();
    fs::create_dir_all(live.join("configuration-files")).unwrap();
    fs::write(live.join("settings/motd"), "\"Hello\"").unwrap();
    fs::write(live.join("settings/motd.affected-services"), "[\"login\"]").unwrap();
    fs::write(live.join("settings/kubernetes/max-pods"), "110").unwrap();
    fs::write(live.join("configuration-files/%2Fetc%2Fmotd"), "true").unwrap();
    fs::create_dir_all(data.join("pending/a%2Fb/settings")).unwrap();
    fs::write(data.join("pending/a%2Fb/settings/motd"), "\"Bye\"").unwrap();
    for (target, link) in
        [("v1.5.2_AAAAbbbbCCCC0123", "v1.5.2"), ("v1.5.2", "v1.5"), ("v1.5", "v1"), ("v1", "current")]
    {
        symlink(target, base.join(link)).unwrap();
    }
    live
}

/// What whoever wants all of the live store to be right is told.
fn live_error(base: &Path) -> Error {
    store_dir::read(&SystemFs, &base.join("current")).unwrap_err()
}

#[test]
fn a_store_of_an_older_system_is_read() {
    let base = tempfile::tempdir().unwrap();
    store_by_hand(base.path());
    let store = open(base.path());
    assert_eq!(store.version().to_string(), "1.5.2");
    assert_eq!(
        store.live().unwrap(),
        settings([
            ("settings.motd", json!("Hello")),
            ("settings.kubernetes.max-pods", json!(110)),
            ("configuration-files./etc/motd", json!(true)),
        ])
    );
    assert_eq!(store.metadata().unwrap()[&key("settings.motd")]["affected-services"], json!(["login"]));
    assert_eq!(store.transactions().unwrap(), ["a/b"]);
    assert_eq!(store.pending("a/b").unwrap(), settings([("settings.motd", json!("Bye"))]));
    assert!(store.pending("other").unwrap().is_empty());
}

#[test]
fn a_commit_writes_the_same_layout_and_keeps_metadata_and_other_transactions() {
    let base = tempfile::tempdir().unwrap();
    store_by_hand(base.path());
    let mut store = open(base.path());
    store.set_pending("tx", &settings([("settings.\"a.b\"", json!([1, 2])), ("os.x", json!(1.5))])).unwrap();
    assert_eq!(store.commit("tx").unwrap(), [key("os.x"), key("settings.\"a.b\"")]);

    let current = base.path().join("current");
    let live = current.join("live");
    assert_eq!(fs::read_to_string(live.join("settings/a%2Eb")).unwrap(), "[1,2]");
    assert_eq!(fs::read_to_string(live.join("settings/motd")).unwrap(), "\"Hello\"");
    assert_eq!(fs::read_to_string(live.join("settings/motd.affected-services")).unwrap(), "[\"login\"]");
    assert_eq!(fs::read_to_string(live.join("configuration-files/%2Fetc%2Fmotd")).unwrap(), "true");
    assert_eq!(names(&current.join("pending")), ["a%2Fb"]);
    assert_eq!(fs::read_link(base.path().join("v1.5")).unwrap(), Path::new("v1.5.2"));
    let data = fs::read_link(base.path().join("v1.5.2")).unwrap();
    let suffix = data.to_str().unwrap().strip_prefix("v1.5.2_").unwrap();
    assert!(suffix.len() == 16 && suffix.chars().all(|c| c.is_ascii_alphanumeric()), "{suffix}");
    assert_eq!(data_dirs(base.path()), 1, "the old directory is gone");
}

#[test]
fn the_names_of_metadata_are_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut contents = Contents { live: settings([("a.b", json!("x"))]), ..Contents::default() };
    for (owner, name) in [("a.b", "strange/name"), ("a", "dotted.name"), ("only.metadata", "x")] {
        contents
            .metadata
            .entry(key(owner))
            .or_default()
            .insert(name.to_owned(), json!({"any": ["json", null]}));
    }
    store_dir::write(&SystemFs, &data, &contents).unwrap();
    assert!(data.join("live/a/b.strange%2Fname").is_file());
    assert_eq!(store_dir::read(&SystemFs, &data).unwrap(), contents);
}

#[test]
fn names_that_are_not_ours_are_passed_over() {
    let base = tempfile::tempdir().unwrap();
    let live = store_by_hand(base.path());
    let before = open(base.path()).live().unwrap();
    for name in ["%", "%zz", "a b", ".hidden", "motd.%", "motd.a.b", "%6dotd"] {
        fs::write(live.join("settings").join(name), "broken").unwrap();
    }
    fs::create_dir(live.join("lost+found")).unwrap();
    fs::create_dir(live.join("settings/dir.with-dot")).unwrap();
    // Deeper than any name of a setting, and than a process usually may have open files.
    let mut at = rustix::fs::open(&live, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..1_100 {
        rustix::fs::mkdirat(&at, "deep", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "deep", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    assert_eq!(open(base.path()).live().unwrap(), before);
    assert!(open(base.path()).damage().unwrap().is_empty());
    // From the top, as whoever goes down into it to remove it runs out of open files.
    let (top, next) = (live.join("deep"), live.join("next"));
    while fs::rename(top.join("deep"), &next).is_ok() {
        fs::remove_dir(&top).unwrap();
        fs::rename(&next, &top).unwrap();
    }
    base.close().unwrap();
}

#[test]
fn a_broken_value_names_its_path() {
    for (content, said) in
        [("", "empty"), ("\"half", "EOF"), ("null", "null"), ("{\"a\":1}", "table"), ("[[1]]", "list")]
    {
        let base = tempfile::tempdir().unwrap();
        let live = store_by_hand(base.path());
        fs::write(live.join("settings/motd"), content).unwrap();
        let error = live_error(base.path()).to_string();
        assert!(error.contains("settings/motd") && error.contains(said), "{error}");
    }
}

#[test]
fn a_link_in_a_data_directory_is_refused_with_its_path() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "\"secret\"").unwrap();
    for place in ["settings/motd", "settings", "", "settings/undecodable name"] {
        let base = tempfile::tempdir().unwrap();
        let live = store_by_hand(base.path());
        let place = if place.is_empty() { live.clone() } else { live.join(place) };
        let target = if place.ends_with("settings") || place == live {
            fs::rename(&place, outside.path().join("tree")).unwrap();
            outside.path().join("tree")
        } else {
            let _absent = fs::remove_file(&place);
            outside.path().join("secret")
        };
        symlink(target, &place).unwrap();
        let error = live_error(base.path());
        let seen = base.path().join("current").join(place.strip_prefix(live.parent().unwrap()).unwrap());
        assert!(matches!(&error, Error::Foreign { path, .. } if *path == seen), "{error}");
        let _moved = fs::remove_dir_all(outside.path().join("tree"));
    }
}

#[test]
fn a_store_without_a_live_tree_is_broken_and_one_without_transactions_is_not() {
    let base = tempfile::tempdir().unwrap();
    let live = store_by_hand(base.path());
    fs::remove_dir_all(live.parent().unwrap().join("pending")).unwrap();
    assert!(open(base.path()).transactions().unwrap().is_empty());
    fs::remove_dir_all(&live).unwrap();
    assert!(matches!(live_error(base.path()), Error::NoLive { .. }));
}

#[test]
fn a_chain_that_leads_astray_is_refused_with_the_link() {
    let cases: [(&str, &str, &str); 6] = [
        ("current", "/etc", "out of the datastore"),
        ("v1", "../datastore/v1.5", "out of the datastore"),
        ("v1.5", "v1.5.x", "not \"v\" and a version"),
        ("v1.5.2", "v1.5.2_gone", "there is no"),
        ("v1", "v1.6", "missing"),
        ("current", "current", "not \"v\" and a version"),
    ];
    for (link, target, said) in cases {
        let base = tempfile::tempdir().unwrap();
        store_by_hand(base.path());
        fs::remove_file(base.path().join(link)).unwrap();
        symlink(target, base.path().join(link)).unwrap();
        let error = Datastore::open(Arc::new(SystemFs), base.path()).unwrap_err();
        assert!(matches!(error, Error::Link { .. }), "{link} -> {target}: {error}");
        assert!(error.to_string().contains(said), "{link} -> {target}: {error}");
    }
}

#[test]
fn a_chain_that_skips_between_versions_is_refused() {
    let base = tempfile::tempdir().unwrap();
    store_by_hand(base.path());
    // Switching such a chain to 1.5.3 would have to change two live links.
    fs::rename(base.path().join("v1"), base.path().join("v7")).unwrap();
    fs::remove_file(base.path().join("current")).unwrap();
    symlink("v7", base.path().join("current")).unwrap();
    let error = Datastore::open(Arc::new(SystemFs), base.path()).unwrap_err().to_string();
    assert!(error.contains("through v7 to a store of 1.5.2"), "{error}");
}

#[test]
fn no_store_yet_is_an_answer_of_its_own_and_a_second_store_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let inside = base.path().join("not/there/yet");
    let error = Datastore::open(Arc::new(SystemFs), &inside).unwrap_err();
    assert!(matches!(error, Error::Absent { .. }), "{error}");
    let store = create(&inside, "1.0.0-rc.1+build.5");
    assert!(store.live().unwrap().is_empty());
    assert_eq!(open(&inside).version().to_string(), "1.0.0-rc.1+build.5");
    let error = Datastore::create(Arc::new(SystemFs), &inside, store.version()).unwrap_err();
    assert!(matches!(error, Error::Present { .. }), "{error}");
}

#[test]
fn nothing_lies_below_a_value() {
    let base = tempfile::tempdir().unwrap();
    let mut store = create(base.path(), "1.0.0");
    let both = settings([("settings.a", json!(1)), ("settings.a.b", json!(2))]);
    assert!(matches!(store.set_pending("tx", &both), Err(Error::Collision { .. })));
    assert!(store.transactions().unwrap().is_empty());

    store.populate(&settings([("settings.a.b", json!(2))])).unwrap();
    store.set_pending("tx", &settings([("settings.a", json!(1))])).unwrap();
    let error = store.commit("tx").unwrap_err().to_string();
    assert!(error.contains("settings.a.b") && error.contains("settings.a holds a value"), "{error}");
    assert_eq!(store.live().unwrap(), settings([("settings.a.b", json!(2))]));
    assert_eq!(store.pending("tx").unwrap(), settings([("settings.a", json!(1))]));

    let mut contents = Contents { live: settings([("a", json!(1))]), ..Contents::default() };
    contents.metadata.entry(key("a.b")).or_default().insert("m".to_owned(), json!(1));
    let written = store_dir::write(&SystemFs, &base.path().join("data"), &contents);
    assert!(matches!(written, Err(Error::Collision { .. })));
}

#[test]
fn what_no_file_can_hold_is_refused_before_anything_is_written() {
    let base = tempfile::tempdir().unwrap();
    let store = create(base.path(), "1.0.0");
    let before = names(base.path());
    let refused =
        |tx: &str, name: &str, value| store.set_pending(tx, &settings([(name, value)])).unwrap_err();
    // 100 slashes are 300 bytes once encoded.
    let long = "/".repeat(100);
    assert!(matches!(refused("tx", &long, json!(1)), Error::NameTooLong { len: 300, .. }));
    assert!(matches!(refused(&long, "a", json!(1)), Error::NameTooLong { .. }));
    assert!(matches!(refused("", "a", json!(1)), Error::Name { .. }));
    for value in [json!(null), json!({"b": 1}), json!([null]), json!([[1]])] {
        assert!(matches!(refused("tx", "a", value), Error::NotStorable { .. }));
    }
    let mut contents = Contents::default();
    contents.metadata.entry(key("a")).or_default().insert("not a name".to_owned(), json!(1));
    let data = base.path().join("data");
    assert!(matches!(store_dir::write(&SystemFs, &data, &contents), Err(Error::Name { .. })));
    assert!(!data.exists());
    assert_eq!(names(base.path()), before);
}
