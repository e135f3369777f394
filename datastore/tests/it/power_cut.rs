//! Every change, stopped after every operation: the store reads as it was or as it was to be, and goes on working.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents};
use datastore::{Change, Datastore, Error};
use host_io::SystemFs;
use host_io::explore::CutFs;
use serde_json::json;

use super::{create, data_dirs, key, open, quick, settings, version};

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
fn a_boot_takes_away_what_the_removal_of_a_transaction_left_when_it_was_cut() {
    let mut left = 0;
    for cut in 0.. {
        let base = tempfile::tempdir().unwrap();
        let mut store = create(base.path(), "1.0.0");
        store.populate(&settings([("settings.motd", json!("old"))])).unwrap();
        // No other transaction is there, whose removal would begin with this.
        store.set_pending("tx", &settings([("settings.motd", json!("new"))])).unwrap();
        drop(store);
        let cutting = Arc::new(CutFs::after(cut));
        let fs = Arc::<CutFs>::clone(&cutting);
        let _cut = Datastore::open(fs, base.path()).and_then(|store| store.delete_transaction("tx"));
        let dropped = base.path().join("current/.dropped");
        left += usize::from(fs::exists(&dropped).unwrap());
        open(base.path()).delete_transactions().unwrap();
        assert!(!fs::exists(&dropped).unwrap(), "cut {cut}");
        if !cutting.was_cut() {
            break;
        }
    }
    assert!(left > 0, "no cut left anything, so nothing was tested");
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

/// A store whose spare copy was left by another process, one commit behind.
fn with_a_spare_copy(base: &Path) {
    with_transactions(base);
    let mut store = open(base);
    store.set_pending("more", &settings([("settings.deep.er.x", json!(1))])).unwrap();
    store.commit("more").unwrap();
    assert!(base.join(".spare").is_dir());
}

#[test]
fn a_commit_that_begins_from_a_spare_copy_of_another_process() {
    let (_, news) = cut_everywhere(with_a_spare_copy, |fs, base| {
        let mut store = Datastore::open(fs, base)?;
        store.commit("tx").map(drop)
    });
    assert!(news > 0);
}

#[test]
fn a_commit_after_another_one_of_the_same_process() {
    // Both are cut everywhere: what is seen is the first state, the one in between, or the last.
    let prepare = |base: &Path| {
        with_a_spare_copy(base);
        open(base).prepare().unwrap();
    };
    let change = |fs: Arc<CutFs>, base: &Path| {
        let mut store = Datastore::open(fs, base)?;
        store.commit("tx")?;
        store.stage("next", &Change { unset: [key("settings.deep.er.x")].into(), ..Change::default() })?;
        store.commit("next").map(drop)
    };
    let run = |fs: &Arc<CutFs>| {
        let base = tempfile::tempdir().unwrap();
        prepare(base.path());
        let done = change(Arc::clone(fs), base.path());
        (seen(base.path()).unwrap().1, done, base)
    };
    let counting = quick();
    let (last, done, _base) = run(&counting);
    done.unwrap();
    assert!(!last.live.contains_key(&key("settings.deep.er.x")));
    for cut in 0..counting.changes() {
        let (after, _, base) = run(&Arc::new(CutFs::after(cut)));
        let first = after.live[&key("settings.motd")] == json!("old");
        let whole = first == after.pending.contains_key("tx");
        assert!(whole, "cut {cut}: {after:?}");
        assert_eq!(first, !after.live.contains_key(&key("settings.c")), "cut {cut}: half a commit");
        let mut store = open(base.path());
        store.populate(&settings([("settings.z", json!(1))])).unwrap();
        let mut wanted = after;
        wanted.live.insert(key("settings.z"), json!(1));
        assert_eq!(
            seen(base.path()).unwrap().1,
            wanted,
            "cut {cut}: what comes next begins from what is there"
        );
    }
}

#[test]
fn a_commit_that_takes_settings_away() {
    let (_, news) = cut_everywhere(with_a_spare_copy, |fs, base| {
        let mut store = Datastore::open(fs, base)?;
        let change = Change {
            set: settings([("settings.new", json!(1))]),
            unset: [key("settings.motd"), key("settings.deep.er.x")].into(),
        };
        store.commit_as("tx", &change).map(drop)
    });
    assert!(news > 0);
}

#[test]
fn what_a_transaction_takes_away() {
    cut_everywhere(with_a_spare_copy, |fs, base| {
        let store = Datastore::open(fs, base)?;
        let change = Change {
            set: settings([("settings.new", json!(1))]),
            unset: [key("settings.motd"), key("settings.a.b")].into(),
        };
        store.stage("tx", &change)
    });
    let prepare = |base: &Path| {
        with_transactions(base);
        open(base).stage("tx", &Change { unset: [key("settings.a.b")].into(), ..Change::default() }).unwrap();
    };
    // Neither part of a transaction outlives the other.
    cut_everywhere(prepare, |fs, base| Datastore::open(fs, base)?.delete_transaction("tx").map(drop));
}

#[test]
fn a_link_that_is_set_again() {
    let prepare = |base: &Path| {
        with_a_spare_copy(base);
        fs::remove_file(base.join("current")).unwrap();
    };
    let counting = quick();
    let base = tempfile::tempdir().unwrap();
    prepare(base.path());
    Datastore::open(counting.clone(), base.path()).unwrap();
    let whole = seen(base.path());
    for cut in 0..counting.changes() {
        let base = tempfile::tempdir().unwrap();
        prepare(base.path());
        let _cut = Datastore::open(Arc::new(CutFs::after(cut)), base.path());
        open(base.path());
        let now = seen(base.path());
        assert_eq!(
            now.map(|(_, contents)| contents),
            whole.clone().map(|(_, contents)| contents),
            "cut {cut}"
        );
    }
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
