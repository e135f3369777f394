//! What a change costs at the seam to the file system: it follows what changes, not what there is.

use std::path::Path;
use std::sync::Arc;

use datastore::{Change, Datastore};
use host_io::explore::CutFs;
use serde_json::json;

use super::{create, key, settings};

/// The most waits for the medium that one change may cost.
const SYNCS: usize = 6;

/// A store of so many settings, in groups of five as host containers have them.
fn filled(base: &Path, count: usize) {
    let all = (0..count).map(|n| (key(&format!("settings.boxes.b{}.s{}", n / 5, n % 5)), json!(n))).collect();
    create(base, "1.0.0").populate(&all).unwrap();
}

/// Changes and syncs of each step of a host's life, beside so many settings.
fn costs(count: usize) -> Vec<(&'static str, usize, usize)> {
    let base = tempfile::tempdir().unwrap();
    filled(base.path(), count);
    let fs = Arc::new(CutFs::counting());
    let mut store = Datastore::open(fs.clone(), base.path()).unwrap();
    store.prepare().unwrap();
    let mut costs = Vec::new();
    let mut step = |name, work: &mut dyn FnMut(&mut Datastore)| {
        let before = (fs.changes(), fs.syncs());
        work(&mut store);
        costs.push((name, fs.changes() - before.0, fs.syncs() - before.1));
    };
    for n in 0..4 {
        let key =
            ["settings.boxes.b0.s0", "settings.motd", "settings.new.group.of.its.own", "settings.motd"][n];
        step("stage", &mut |store| store.set_pending("tx", &settings([(key, json!(n))])).unwrap());
        step("commit", &mut |store| drop(store.commit("tx").unwrap()));
    }
    let away = Change { unset: [key("settings.new.group.of.its.own")].into(), ..Change::default() };
    step("stage a removal", &mut |store| store.stage("tx", &away).unwrap());
    step("commit a removal", &mut |store| drop(store.commit("tx").unwrap()));
    step("populate", &mut |store| drop(store.populate(&settings([("settings.x", json!(1))])).unwrap()));
    let many = (0..40).map(|n| (key(&format!("settings.many.m{n}.x")), json!(n))).collect();
    step("stage forty", &mut |store| store.set_pending("tx", &many).unwrap());
    step("commit forty", &mut |store| drop(store.commit("tx").unwrap()));
    step("drop", &mut |store| {
        store.set_pending("tx", &settings([("settings.y", json!(1))])).unwrap();
        store.delete_transaction("tx").unwrap();
    });
    costs
}

#[test]
fn a_change_waits_for_the_medium_six_times_at_most_and_costs_the_same_beside_five_thousand_settings() {
    let (few, many) = (costs(10), costs(5_000));
    for ((name, few, _), (_, many, _)) in few.iter().zip(&many) {
        assert!(many <= few, "{name}: {few} changes beside few settings, {many} beside many");
    }
    for (name, changes, syncs) in many {
        let limit = if name == "drop" { SYNCS + 2 } else { SYNCS };
        assert!(syncs <= limit, "{name}: {syncs} syncs");
        // What comes next has the forty to catch up with.
        let after_many = name.contains("forty") || name == "drop";
        assert!(after_many || changes <= 40, "{name}: {changes} changes");
    }
}

#[test]
fn the_first_change_of_a_process_that_finds_a_spare_copy_costs_no_more() {
    let base = tempfile::tempdir().unwrap();
    filled(base.path(), 1_000);
    create_spare(base.path());
    let fs = Arc::new(CutFs::counting());
    let mut store = Datastore::open(fs.clone(), base.path()).unwrap();
    store.populate(&settings([("settings.x", json!(1))])).unwrap();
    assert!(fs.syncs() <= SYNCS, "{} syncs", fs.syncs());
    assert!(fs.changes() < 40, "{} changes", fs.changes());
}

fn create_spare(base: &Path) {
    Datastore::open(Arc::new(CutFs::counting()), base).unwrap().prepare().unwrap();
    assert!(base.join(".spare").is_dir());
}
