//! Any sequence of changes, against a map in memory; with the files on a disk and with the files in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datastore::store_dir::{self, Contents, Settings};
use datastore::{Datastore, Key, Value};
use host_io::{Fs, MemoryFs, SystemFs};
use proptest::prelude::*;
use serde_json::json;

use super::{create, data_dirs_of, open, quick, settings, version};

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        "\\PC{0,12}".prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        (-1.0e6..1.0e6).prop_map(|number: f64| json!(number)),
        any::<bool>().prop_map(|truth| json!(truth)),
    ];
    prop_oneof![4 => scalar.clone(), 1 => prop::collection::vec(scalar, 0..4).prop_map(|list| json!(list))]
}

fn any_key() -> impl Strategy<Value = Key> {
    prop::collection::vec("[A-Za-z0-9_/.-]{1,6}", 1..5)
        .prop_map(|segments| Key::from_segments(segments).unwrap())
}

/// Settings of which none lies below another.
fn any_settings() -> impl Strategy<Value = Settings> {
    prop::collection::btree_map(any_key(), any_value(), 0..12).prop_map(|map| {
        let keys: Vec<Key> = map.keys().cloned().collect();
        map.into_iter().filter(|(key, _)| !keys.iter().any(|other| key.is_below(other))).collect()
    })
}

#[derive(Debug, Clone)]
enum Change {
    Set(usize, Settings),
    Delete(usize),
    Commit(usize),
    Populate(Settings),
    Reopen,
}

const TRANSACTIONS: [&str; 3] = ["default", "a/b.c", "ünïcode \u{1F600}"];

/// Few names, so that changes meet. Some lie below others, so that some commits are refused.
fn few_settings() -> impl Strategy<Value = Settings> {
    let name = prop::sample::select(vec!["a", "a.b", "a.c", "settings.x", "settings.y", "settings.\"y.z\""]);
    prop::collection::btree_map(name.prop_map(|name| Key::parse(name).unwrap()), 0..5u32, 0..4)
        .prop_map(|map| map.into_iter().map(|(key, number)| (key, json!(number))).collect())
}

fn any_change() -> impl Strategy<Value = Change> {
    let transaction = 0..TRANSACTIONS.len();
    prop_oneof![
        4 => (transaction.clone(), few_settings()).prop_map(|(tx, settings)| Change::Set(tx, settings)),
        1 => transaction.clone().prop_map(Change::Delete),
        2 => transaction.prop_map(Change::Commit),
        1 => few_settings().prop_map(Change::Populate),
        1 => Just(Change::Reopen),
    ]
}

/// Whether a store can hold these settings: none lies below another.
fn fits(settings: &Settings) -> bool {
    settings.keys().all(|key| !settings.keys().any(|other| key.is_below(other)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_data_directory_gives_back_what_was_put_in(
        live in any_settings(),
        pending in prop::collection::btree_map("\\PC{1,20}", any_settings(), 0..3),
        metadata in prop::collection::btree_map("[a-z./-]{1,8}", any_value(), 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let metadata = if metadata.is_empty() {
            BTreeMap::new()
        } else {
            live.keys().map(|key| (key.clone(), metadata.clone())).collect()
        };
        let pending = pending.into_iter().filter(|(_, settings)| !settings.is_empty()).collect();
        let contents = Contents { live, metadata, pending, ..Contents::default() };
        let memory = MemoryFs::default().with_dir(dir.path().to_str().unwrap());
        for fs in [&SystemFs as &dyn Fs, &memory] {
            store_dir::write(fs, &data, &contents).unwrap();
            prop_assert_eq!(&store_dir::read(fs, &data).unwrap(), &contents);
        }
    }

    #[test]
    fn a_store_does_what_a_map_does(changes in prop::collection::vec(any_change(), 1..16)) {
        let base = tempfile::tempdir().unwrap();
        for fs in [quick() as Arc<dyn Fs>, Arc::new(MemoryFs::default())] {
            does_what_a_map_does(&fs, base.path(), &changes)?;
        }
    }
}

fn does_what_a_map_does(fs: &Arc<dyn Fs>, base: &Path, changes: &[Change]) -> Result<(), TestCaseError> {
    let mut store = Datastore::create(Arc::clone(fs), base, &version("1.0.0")).unwrap();
    let mut live = Settings::new();
    let mut pending: BTreeMap<&str, Settings> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Set(tx, settings) => {
                let mut wanted = pending.get(TRANSACTIONS[*tx]).cloned().unwrap_or_default();
                wanted.extend(settings.clone());
                let result = store.set_pending(TRANSACTIONS[*tx], settings);
                prop_assert_eq!(result.is_ok(), fits(&wanted));
                if result.is_ok() && !wanted.is_empty() {
                    pending.insert(TRANSACTIONS[*tx], wanted);
                }
            }
            Change::Delete(tx) => {
                let wanted: Vec<Key> =
                    pending.remove(TRANSACTIONS[*tx]).unwrap_or_default().into_keys().collect();
                prop_assert_eq!(store.delete_transaction(TRANSACTIONS[*tx]).unwrap(), wanted);
            }
            Change::Commit(tx) => {
                let settings = pending.get(TRANSACTIONS[*tx]).cloned().unwrap_or_default();
                let mut wanted = live.clone();
                wanted.extend(settings.clone());
                match store.commit(TRANSACTIONS[*tx]) {
                    Ok(keys) => {
                        prop_assert!(fits(&wanted));
                        prop_assert_eq!(keys, settings.into_keys().collect::<Vec<_>>());
                        pending.remove(TRANSACTIONS[*tx]);
                        live = wanted;
                    }
                    Err(_) => prop_assert!(!fits(&wanted)),
                }
            }
            Change::Populate(defaults) => {
                let has_place =
                    |key: &Key| !live.keys().any(|other| key.is_below(other) || other.is_below(key));
                let mut wanted = defaults.clone();
                wanted.retain(|key, _| has_place(key));
                wanted.extend(live.clone());
                let result = store.populate(defaults);
                prop_assert_eq!(result.is_ok(), fits(&wanted));
                if let Ok(keys) = result {
                    let new: Vec<Key> =
                        wanted.keys().filter(|key| !live.contains_key(*key)).cloned().collect();
                    prop_assert_eq!(keys, new);
                    live = wanted;
                }
            }
            Change::Reopen => store = Datastore::open(Arc::clone(fs), base).unwrap(),
        }
        prop_assert_eq!(&store.live().unwrap(), &live);
        let names: Vec<&str> = pending.keys().copied().collect();
        prop_assert_eq!(store.transactions().unwrap(), names);
        for (tx, settings) in &pending {
            prop_assert_eq!(&store.pending(tx).unwrap(), settings);
        }
        prop_assert_eq!(data_dirs_of(&**fs, base), 1);
    }
    Ok(())
}

#[test]
fn threads_that_read_see_whole_commits_while_another_one_writes() {
    let base = tempfile::tempdir().unwrap();
    let pair = |number: u32| settings([("settings.a", json!(number)), ("settings.b.c", json!(number))]);
    let mut store = create(base.path(), "1.0.0");
    store.populate(&pair(0)).unwrap();
    let shared = std::sync::RwLock::new(store);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let values: Vec<Value> = shared.read().unwrap().live().unwrap().into_values().collect();
                    assert_eq!(values[0], values[1]);
                }
            });
        }
        for number in 1..20 {
            // Transactions are changed under a shared lock, beside the readers.
            shared.read().unwrap().set_pending("tx", &pair(number)).unwrap();
            shared.write().unwrap().commit("tx").unwrap();
        }
    });
    assert_eq!(open(base.path()).live().unwrap(), pair(19));
}
