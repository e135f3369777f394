//! From any version to any other, and what is kept.

use std::path::Path;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents};
use host_io::{Fs as _, SystemFs};
use proptest::prelude::*;
use serde_json::json;

use super::{create, data_dirs, names, open, settings, version};

/// Writes a store beside the live one and switches to it, as a migration does.
fn migrate(base: &Path, to: &str, motd: &str) {
    let live = links::read(&SystemFs, base).unwrap();
    let chain = Chain::fresh(&version(to));
    let contents = Contents { live: settings([("settings.motd", json!(motd))]), ..Contents::default() };
    store_dir::write(&SystemFs, &base.join(&chain.data_dir), &contents).unwrap();
    links::apply(&SystemFs, base, &links::plan(live.as_ref(), &chain)).unwrap();
}

fn motd(base: &Path) -> serde_json::Value {
    open(base).live().unwrap().into_values().next().unwrap()
}

#[test]
fn each_kind_of_update_changes_one_live_link() {
    let chain = |text: &str| Chain { version: version(text), data_dir: format!("v{text}_0123456789abcdef") };
    for (to, swap, prepared) in [
        ("1.2.4", "v1.2", vec!["v1.2.4"]),
        ("1.3.0", "v1", vec!["v1.3.0", "v1.3"]),
        ("2.0.0", "current", vec!["v2.0.0", "v2.0", "v2"]),
        ("1.2.3-rc.1", "v1.2", vec!["v1.2.3-rc.1"]),
    ] {
        let plan = links::plan(Some(&chain("1.2.3")), &chain(to));
        assert_eq!(plan.swap.unwrap().name, swap, "{to}");
        assert_eq!(plan.prepare.into_iter().map(|link| link.name).collect::<Vec<_>>(), prepared, "{to}");
    }
    let plan = links::plan(Some(&chain("1.2.3")), &Chain::fresh(&version("1.2.3")));
    assert!(plan.prepare.is_empty());
    assert_eq!(plan.swap.unwrap().name, "v1.2.3");
    assert_eq!(
        links::plan(Some(&chain("1.2.3")), &chain("1.2.3")).to_string(),
        "the live links stay as they are"
    );
    assert_eq!(
        links::plan(Some(&chain("1.2.3")), &chain("1.3.0")).to_string(),
        "make the link v1.3.0 -> v1.3.0_0123456789abcdef\nmake the link v1.3 -> v1.3.0\nswitch the live link v1 -> v1.3"
    );
}

#[test]
fn a_store_of_a_pre_release_is_not_one_of_the_release() {
    let base = tempfile::tempdir().unwrap();
    create(base.path(), "1.5.2-rc1");
    assert_eq!(open(base.path()).version(), &version("1.5.2-rc1"));
    migrate(base.path(), "1.5.2", "release");
    assert_eq!(open(base.path()).version(), &version("1.5.2"));
    assert!(links::kept(&SystemFs, base.path(), &version("1.5.2-rc1")).unwrap().is_some());
}

#[test]
fn the_original_of_a_migrated_store_is_found_by_its_version() {
    let base = tempfile::tempdir().unwrap();
    create(base.path(), "1.0.0").populate(&settings([("settings.motd", json!("one"))])).unwrap();
    migrate(base.path(), "1.1.0", "two");
    let kept = links::kept(&SystemFs, base.path(), &version("1.0.0")).unwrap().unwrap();
    // A commit to the new store removes the new store's old directory and nothing else.
    let mut store = open(base.path());
    store.set_pending("tx", &settings([("settings.motd", json!("three"))])).unwrap();
    store.commit("tx").unwrap();
    assert_eq!(data_dirs(base.path()), 2);

    let live = links::read(&SystemFs, base.path()).unwrap();
    links::apply(&SystemFs, base.path(), &links::plan(live.as_ref(), &kept)).unwrap();
    assert_eq!(motd(base.path()), json!("one"));
    assert_eq!(links::kept(&SystemFs, base.path(), &version("1.2.0")).unwrap(), None);
}

#[test]
fn one_directory_under_two_versions_is_not_removed_by_a_commit_to_one_of_them() {
    let base = tempfile::tempdir().unwrap();
    create(base.path(), "1.0.0").populate(&settings([("settings.motd", json!("one"))])).unwrap();
    // An update without migrations links the directory that is there.
    let live = links::read(&SystemFs, base.path()).unwrap().unwrap();
    let same = Chain { version: version("1.0.1"), ..live.clone() };
    links::apply(&SystemFs, base.path(), &links::plan(Some(&live), &same)).unwrap();
    let mut store = open(base.path());
    store.set_pending("tx", &settings([("settings.motd", json!("two"))])).unwrap();
    store.commit("tx").unwrap();
    assert_eq!(motd(base.path()), json!("two"));
    assert_eq!(links::kept(&SystemFs, base.path(), &version("1.0.0")).unwrap(), Some(live));
    assert_eq!(data_dirs(base.path()), 2);
}

#[test]
fn pruning_leaves_what_a_rollback_needs() {
    let base = tempfile::tempdir().unwrap();
    create(base.path(), "1.0.0");
    for to in ["1.0.1", "1.1.0", "2.0.0", "2.1.0"] {
        migrate(base.path(), to, to);
    }
    std::fs::create_dir(base.path().join("v9.9.9_not-a-data-dir")).unwrap();
    std::os::unix::fs::symlink("elsewhere", base.path().join("vendor")).unwrap();
    let kept = links::kept(&SystemFs, base.path(), &version("2.0.0")).unwrap().unwrap();
    let live = links::read(&SystemFs, base.path()).unwrap().unwrap();
    links::prune(&SystemFs, base.path(), &[&kept.data_dir]).unwrap();
    let mut wanted = [
        "current",
        "v2",
        "v2.0",
        "v2.0.0",
        "v2.1",
        "v2.1.0",
        &kept.data_dir,
        &live.data_dir,
        "v9.9.9_not-a-data-dir",
        "vendor",
    ];
    wanted.sort_unstable();
    assert_eq!(names(base.path()), wanted);
    assert_eq!(motd(base.path()), json!("2.1.0"));
}

#[test]
fn the_next_writer_removes_what_a_cut_left() {
    let base = tempfile::tempdir().unwrap();
    let mut store = create(base.path(), "1.0.0");
    std::fs::create_dir_all(base.path().join("v1.0.0_0123456789abcdef/live/settings")).unwrap();
    std::os::unix::fs::symlink("v1.0.0_0123456789abcdef", base.path().join(".v1.0.0.new")).unwrap();
    store.populate(&settings([("settings.motd", json!("x"))])).unwrap();
    assert_eq!(names(base.path()).len(), 6, "four links, one store, one spare: {:?}", names(base.path()));
}

fn any_version() -> impl Strategy<Value = String> {
    (0..3u8, 0..3u8, 0..3u8, prop::sample::select(vec!["", "-rc1", "-rc.1.2", "+b", "-a+b"]))
        .prop_map(|(major, minor, patch, rest)| format!("{major}.{minor}.{patch}{rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_prepared_link_is_live(from in any_version(), to in any_version()) {
        let live = Chain::fresh(&version(&from));
        let wanted = Chain::fresh(&version(&to));
        let plan = links::plan(Some(&live), &wanted);
        let names: Vec<String> = live.links().into_iter().map(|link| link.name).collect();
        prop_assert!(plan.prepare.iter().all(|link| !names.contains(&link.name)), "{}", plan);
        prop_assert!(names.contains(&plan.swap.unwrap().name));
    }

    #[test]
    fn any_walk_through_versions_ends_where_it_went(walk in prop::collection::vec(any_version(), 1..6)) {
        let base = tempfile::tempdir().unwrap();
        create(base.path(), "1.0.0");
        for (step, to) in walk.iter().enumerate() {
            migrate(base.path(), to, &step.to_string());
            prop_assert_eq!(open(base.path()).version().clone(), version(to));
            prop_assert_eq!(motd(base.path()), json!(step.to_string()));
        }
        links::prune(&SystemFs, base.path(), &[]).unwrap();
        prop_assert_eq!(SystemFs.list(base.path()).unwrap().len(), 5);
    }
}
