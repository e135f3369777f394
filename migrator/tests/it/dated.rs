//! Stores of every age are read, and what is written is read by a set of every age.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datastore::store_dir::{Metadata, Settings};
use datastore::{Change, Datastore, Key, Value};
use host_io::SystemFs;
use host_io::explore::CutFs;
use serde_json::json;
use testdata::frozen_store::FrozenStore;

use super::host::{ADD, Host, RENAME, settings};

/// Each dated store, and what it holds as it is written down beside it.
fn dated() -> Vec<(PathBuf, FrozenStore)> {
    let all = testdata::dated_stores();
    assert!(all.len() >= 2, "{all:?}");
    let holds = |dir: &Path| {
        let text = fs::read_to_string(dir.join("holds.json")).unwrap();
        let told: Value = serde_json::from_str(&text).unwrap();
        let map =
            |name: &str| -> BTreeMap<String, Value> { serde_json::from_value(told[name].clone()).unwrap() };
        let maps = |name: &str| -> BTreeMap<String, BTreeMap<String, Value>> {
            serde_json::from_value(told[name].clone()).unwrap()
        };
        FrozenStore {
            version: told["version"].as_str().unwrap().to_owned(),
            live: map("live"),
            metadata: maps("metadata"),
            pending: maps("pending"),
        }
    };
    all.into_iter().map(|dir| (dir.join("datastore"), holds(&dir))).collect()
}

/// What a reader of ours sees, in the frozen one's words.
fn seen(base: &Path) -> FrozenStore {
    let store = Datastore::open(Arc::new(SystemFs), base).unwrap();
    let named =
        |settings: &Settings| settings.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let noted =
        |metadata: &Metadata| metadata.iter().map(|(key, one)| (key.to_string(), one.clone())).collect();
    let contents = store.contents().unwrap();
    assert_eq!(store.damage().unwrap(), []);
    FrozenStore {
        version: store.version().to_string(),
        live: named(&contents.live),
        metadata: noted(&contents.metadata),
        pending: contents.pending.iter().map(|(name, settings)| (name.clone(), named(settings))).collect(),
    }
}

#[test]
fn a_store_of_every_age_is_read_and_the_frozen_reader_agrees() {
    for (base, holds) in dated() {
        assert_eq!(FrozenStore::read(&base).unwrap(), holds, "{}", base.display());
        assert_eq!(seen(&base), holds, "{}", base.display());
    }
}

#[test]
fn what_is_written_over_a_store_of_every_age_is_read_by_the_frozen_reader() {
    for (base, mut holds) in dated() {
        let dir = tempfile::tempdir().unwrap();
        copy(&base, &dir.path().join("datastore"));
        let base = dir.path().join("datastore");
        let mut store = Datastore::open(Arc::new(CutFs::counting()), &base).unwrap();
        let new = settings([
            (r#"settings.odd."a.b/c".d_-e"#, json!(["x", 1, false])),
            ("settings.motd", json!("neu: ü \u{1F600} \"")),
            ("settings.number", json!(u64::MAX)),
        ]);
        let set = Change { set: new, unset: [Key::parse("settings.ntp.mode").unwrap()].into() };
        store.stage("x/y z", &set).unwrap();
        store.commit("x/y z").unwrap();
        store.populate(&settings([("settings.default", json!(2.5))])).unwrap();
        store.set_pending("later", &settings([("settings.motd", json!("later"))])).unwrap();

        holds.live.remove("settings.ntp.mode");
        holds.live.insert(r#"settings.odd."a.b/c".d_-e"#.to_owned(), json!(["x", 1, false]));
        holds.live.insert("settings.motd".to_owned(), json!("neu: ü \u{1F600} \""));
        holds.live.insert("settings.number".to_owned(), json!(u64::MAX));
        holds.live.insert("settings.default".to_owned(), json!(2.5));
        let later = BTreeMap::from([("settings.motd".to_owned(), json!("later"))]);
        holds.pending.insert("later".to_owned(), later);
        assert_eq!(FrozenStore::read(&base).unwrap(), holds);
        assert_eq!(seen(&base), holds);
    }
}

#[test]
fn what_migrations_leave_is_read_by_a_set_of_every_age() {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", &[RENAME, ADD])]);
    host.boot("1.1.0").expect_ok();
    let found = FrozenStore::read(&host.base()).unwrap();
    assert_eq!((found.version.as_str(), &found.live["settings.renamed"]), ("1.1.0", &json!("two")));
    assert_eq!(found, seen(&host.base()));
    host.boot("1.0.0").expect_ok();
    let found = FrozenStore::read(&host.base()).unwrap();
    assert_eq!((found.version.as_str(), &found.live["settings.renamed"]), ("1.0.0", &json!("one")));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to.to_owned());
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
            }
            _ => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
