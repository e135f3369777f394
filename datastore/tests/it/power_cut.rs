//! Every change, stopped after every operation: the store reads as it was or as it was to be, and goes on working.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents};
use datastore::{Datastore, Error};
use host_io::SystemFs;
use host_io::explore::CutFs;
use serde_json::json;

use super::{create, data_dirs, open, quick, settings, version};

/// All that a reader sees: the version and everything in the store. `None`: there is no store.
type Seen = Option<(semver::Version, Contents)>;

fn seen(base: &Path) -> Seen {
    let chain = links::read(&SystemFs, base).unwrap()?;
    Some((chain.version, store_dir::read(&SystemFs, &base.join(chain.data_dir)).unwrap()))
}

/// Prepares a store, lets `change` run with the power cut after every number of operations, and says how many of the
/// outcomes were old and how many new.
fn cut_everywhere(
    prepare: impl Fn(&Path),
    change: impl Fn(Arc<CutFs>, &Path) -> Result<(), Error>,
) -> (usize, usize) {
    let host = || {
        let base = tempfile::tempdir().unwrap();
        prepare(base.path());
        base
    };
    let base = host();
    let old = seen(base.path());
    let counting = Arc::new(CutFs::counting());
    change(Arc::clone(&counting), base.path()).unwrap();
    let new = seen(base.path());
    assert_ne!(old, new, "the change must change something");

    let (mut olds, mut news) = (0, 0);
    for cut in 0..counting.changes() {
        let base = host();
        let cutting = Arc::new(CutFs::after(cut));
        // A change that is durable may end well although its clean-up was cut.
        let result = change(Arc::clone(&cutting), base.path());
        assert!(cutting.was_cut());
        let after = seen(base.path());
        assert!(after == old || after == new, "cut {cut}: {after:?}");
        assert!(result.is_err() || after == new, "cut {cut}: success was said, and the old state is there");
        *(if after == new { &mut news } else { &mut olds }) += 1;

        // The next boot goes on, and clears up.
        change(quick(), base.path()).unwrap_or_else(|error| match error {
            Error::Present { .. } => {}
            error => panic!("cut {cut}: {error}"),
        });
        assert_eq!(seen(base.path()), new, "cut {cut}");
        let mut store = open(base.path());
        store.populate(&settings([("written.after", json!("the cut"))])).unwrap();
        let kept = links::kept(&SystemFs, base.path(), &version("0.9.0")).unwrap();
        assert_eq!(data_dirs(base.path()), 1 + usize::from(kept.is_some()), "cut {cut}");
        assert!(!fs::exists(base.path().join("current/.dropped")).unwrap());
    }
    assert!(olds > 0, "no cut left the old state, so nothing was tested");
    (olds, news)
}

fn with_transactions(base: &Path) {
    let mut store = create(base, "1.0.0");
    store.populate(&settings([("settings.motd", json!("old")), ("settings.a.b", json!([1, 2]))])).unwrap();
    store
        .set_pending("tx", &settings([("settings.motd", json!("new")), ("settings.c", json!(true))]))
        .unwrap();
    store.set_pending("other", &settings([("settings.motd", json!("other"))])).unwrap();
}

#[test]
fn making_a_store() {
    cut_everywhere(|_| {}, |fs, base| Datastore::create(fs, base, &version("1.2.3-rc1")).map(drop));
}

#[test]
fn a_commit() {
    let (_, news) = cut_everywhere(with_transactions, |fs, base| {
        let mut store = Datastore::open(fs, base)?;
        store.commit("tx").map(drop)
    });
    assert!(news > 0, "cuts in the clean-up find the new state");
}

#[test]
fn a_change_of_a_transaction() {
    cut_everywhere(with_transactions, |fs, base| {
        let store = Datastore::open(fs, base)?;
        store.set_pending("tx", &settings([("settings.motd", json!("newer")), ("settings.d", json!(1))]))
    });
}

#[test]
fn the_end_of_a_transaction() {
    cut_everywhere(with_transactions, |fs, base| {
        let store = Datastore::open(fs, base)?;
        store.delete_transaction("tx").map(drop)
    });
}

#[test]
fn new_defaults() {
    cut_everywhere(with_transactions, |fs, base| {
        let mut store = Datastore::open(fs, base)?;
        store.populate(&settings([("settings.new.one", json!(1)), ("settings.new.two", json!(2))])).map(drop)
    });
}

/// From 0.9.0, whose store is kept, to another version with another store.
fn switch(fs: &CutFs, base: &Path, to: &str) -> Result<(), Error> {
    let live = links::read(fs, base)?.unwrap();
    if live.version == version(to) {
        return links::prune(fs, base, &[]);
    }
    links::sweep(fs, base)?;
    let wanted = Chain::fresh(&version(to));
    let contents = Contents { live: settings([("settings.motd", json!(to))]), ..Contents::default() };
    store_dir::write(fs, &base.join(&wanted.data_dir), &contents)?;
    links::apply(fs, base, &links::plan(Some(&live), &wanted))?;
    links::prune(fs, base, &[])
}

#[test]
fn a_switch_of_the_links_for_a_patch_a_minor_and_a_major_version() {
    for to in ["0.9.1", "0.10.0", "1.0.0", "0.9.0-rc1"] {
        let prepare =
            |base: &Path| drop(create(base, "0.9.0").populate(&settings([("settings.motd", json!("old"))])));
        let (_, news) = cut_everywhere(prepare, |fs, base| switch(&fs, base, to));
        assert!(news > 0, "cuts while pruning find the new state");
    }
}
