//! A store in which something cannot be read, or whose link is gone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents};
use datastore::{Change, Datastore, Error};
use host_io::SystemFs;
use serde_json::json;

use super::{create, data_dirs, key, names, open, quick, settings, version};

fn store(base: &Path) -> PathBuf {
    let mut store = create(base, "1.0.0");
    store
        .populate(&settings([("settings.motd", json!("mine")), ("settings.ntp.mode", json!("burst"))]))
        .unwrap();
    base.join(fs::read_link(base.join("v1.0.0")).unwrap())
}

#[test]
fn a_store_with_values_that_cannot_be_read_has_the_others_and_names_these() {
    let base = tempfile::tempdir().unwrap();
    let data = store(base.path());
    fs::write(data.join("live/settings/motd"), "").unwrap();
    fs::create_dir(data.join("live/settings/dir")).unwrap();
    symlink("/dev/zero", data.join("live/settings/dir/link")).unwrap();
    let mut store = open(base.path());
    assert_eq!(store.live().unwrap(), settings([("settings.ntp.mode", json!("burst"))]));
    let damage = store.damage().unwrap();
    let keys: Vec<_> = damage.iter().map(|damage| damage.key.clone()).collect();
    assert_eq!(keys, [Some(key("settings.dir.link")), Some(key("settings.motd"))]);
    assert!(damage[1].told.contains("settings/motd") && damage[1].told.contains("empty"), "{damage:?}");

    // What is set next mends the store; as it was it is put aside, and never removed as garbage.
    store.set_pending("tx", &settings([("settings.motd", json!("again"))])).unwrap();
    store.commit("tx").unwrap();
    store.commit("none").unwrap();
    let aside = base.path().join(format!("damaged-{}", data.file_name().unwrap().to_str().unwrap()));
    assert_eq!(fs::read_to_string(aside.join("live/settings/motd")).unwrap(), "");
    assert_eq!(fs::read_to_string(aside.join("live/settings/ntp/mode")).unwrap(), "\"burst\"");
    store_dir::read(&SystemFs, &base.path().join("current")).unwrap();
    assert!(open(base.path()).damage().unwrap().is_empty());
    assert_eq!(open(base.path()).live().unwrap()[&key("settings.motd")], json!("again"));
}

#[test]
fn a_store_without_its_tree_is_opened_empty_and_kept() {
    let base = tempfile::tempdir().unwrap();
    let data = store(base.path());
    fs::rename(data.join("live"), data.join("elsewhere")).unwrap();
    let mut store = open(base.path());
    assert!(store.live().unwrap().is_empty());
    assert!(store.damage().unwrap()[0].told.contains("live is missing"));
    store.populate(&settings([("settings.motd", json!("default"))])).unwrap();
    let aside = base.path().join(format!("damaged-{}", data.file_name().unwrap().to_str().unwrap()));
    assert!(aside.join("elsewhere/settings/motd").exists());
}

#[test]
fn a_broken_transaction_is_left_out_and_stops_nothing() {
    let base = tempfile::tempdir().unwrap();
    let data = store(base.path());
    open(base.path()).set_pending("good", &settings([("settings.motd", json!("x"))])).unwrap();
    let data = base.path().join(fs::read_link(base.path().join("v1.0.0")).unwrap_or(data));
    fs::create_dir_all(data.join("pending/bad/settings")).unwrap();
    fs::write(data.join("pending/bad/settings/motd"), "").unwrap();
    symlink("/etc", data.join("pending/astray")).unwrap();
    let mut store = open(base.path());
    assert!(store.damage().unwrap().is_empty());
    store.populate(&settings([("settings.z", json!(1))])).unwrap();
    fs::create_dir_all(base.path().join("current/pending/bad/settings/motd.unset")).unwrap();
    store.delete_transactions().unwrap();
    assert_eq!(store.transactions().unwrap(), Vec::<String>::new());
}

#[test]
fn what_a_transaction_takes_away_is_no_value_to_a_reader_that_does_not_know_of_it() {
    let base = tempfile::tempdir().unwrap();
    store(base.path());
    let mut store = open(base.path());
    let change = Change { set: settings([("settings.a", json!(1))]), unset: [key("settings.motd")].into() };
    store.stage("tx", &change).unwrap();
    let tree = base.path().join("current/pending/tx/settings");
    assert_eq!(names(&tree), ["a", "motd.unset"], "metadata, which is never part of a transaction elsewhere");
    assert_eq!(open(base.path()).pending_change("tx").unwrap(), change);
    // Whatever is said later goes.
    store.set_pending("tx", &settings([("settings.motd", json!("x"))])).unwrap();
    assert!(store.pending_change("tx").unwrap().unset.is_empty());
    store.stage("tx", &Change { unset: [key("settings.motd")].into(), ..Change::default() }).unwrap();
    assert_eq!(store.commit("tx").unwrap(), [key("settings.a"), key("settings.motd")]);
    assert_eq!(
        store.live().unwrap(),
        settings([("settings.a", json!(1)), ("settings.ntp.mode", json!("burst"))])
    );
    assert!(!base.path().join("current/live/settings/motd").exists());
}

#[test]
fn a_lost_link_is_set_again_where_one_store_can_be_meant() {
    for lost in [&["current"][..], &["current", "v1"], &["current", "v1", "v1.0", "v1.0.0"]] {
        let base = tempfile::tempdir().unwrap();
        let data = store(base.path());
        for link in lost {
            fs::remove_file(base.path().join(link)).unwrap();
        }
        links::sweep(&SystemFs, base.path()).unwrap();
        assert!(data.exists(), "a sweep removes nothing while no store is live");
        assert!(matches!(
            Datastore::create(quick(), base.path(), &version("1.0.0")),
            Err(Error::Present { .. })
        ));
        assert_eq!(open(base.path()).live().unwrap()[&key("settings.motd")], json!("mine"), "{lost:?}");
    }
}

#[test]
fn a_lost_link_with_two_stores_is_refused_with_both_names() {
    let base = tempfile::tempdir().unwrap();
    let old = store(base.path());
    let live = links::read(&SystemFs, base.path()).unwrap();
    let chain = Chain::fresh(&version("2.0.0"));
    let contents = Contents { live: settings([("settings.motd", json!("two"))]), ..Contents::default() };
    store_dir::write(&SystemFs, &base.path().join(&chain.data_dir), &contents).unwrap();
    links::apply(&SystemFs, base.path(), &links::plan(live.as_ref(), &chain)).unwrap();
    fs::remove_file(base.path().join("current")).unwrap();
    let error = Datastore::open(quick(), base.path()).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    let told = error.to_string();
    assert!(
        told.contains(old.file_name().unwrap().to_str().unwrap()) && told.contains(&chain.data_dir),
        "{told}"
    );
    assert!(Datastore::create(quick(), base.path(), &version("1.0.0")).is_err());
    assert_eq!(data_dirs(base.path()), 2);
}

#[test]
fn what_a_cut_left_of_a_first_boot_is_a_first_boot_still() {
    let base = tempfile::tempdir().unwrap();
    fs::create_dir_all(base.path().join("v1.0.0_0123456789abcdef/live")).unwrap();
    fs::create_dir_all(base.path().join("v1.0.0_0123456789abcdeX")).unwrap();
    assert!(matches!(Datastore::open(quick(), base.path()), Err(Error::Absent { .. })));
    create(base.path(), "1.0.0");
}
