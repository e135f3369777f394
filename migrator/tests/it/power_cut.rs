//! An update, a fall back and a rollback, stopped after every operation of `migrator`: the links lead to the settings
//! of one version or of the other, whole, and the next boot comes to the same end.

use host_io::explore::CutFs;
use migrator::Error;
use serde_json::json;

use super::host::{Host, RENAME};

/// Runs the boot of `version` with the power cut after every number of operations; says how many cuts left the old
/// state and how many the new one.
fn cut_everywhere(prepare: impl Fn() -> Host, version: &str) -> (usize, usize) {
    cut_and_look(prepare, version, |_, _, _| {})
}

/// The same. `left` looks at how many stores there are after the next boot, and how many there would have been, for each
/// cut.
fn cut_and_look(
    prepare: impl Fn() -> Host,
    version: &str,
    left: impl Fn(usize, usize, usize),
) -> (usize, usize) {
    let host = prepare();
    let old = host.store();
    let counting = CutFs::counting();
    host.settle(&counting, version).unwrap();
    let new = host.store();
    let stores = host.stores();
    assert_ne!(old.0, new.0);

    let host = prepare();
    let start = Snapshot::of(&host);
    let (mut olds, mut news) = (0, 0);
    for cut in 0..counting.changes() {
        start.restore(&host);
        let cutting = CutFs::after(cut);
        let result: Result<(), Error> = host.settle(&cutting, version);
        assert!(cutting.was_cut(), "cut {cut}");
        let after = host.store();
        assert!(after == old || after == new, "cut {cut}: {after:?}");
        assert!(
            result.is_err() || after == new,
            "cut {cut}: success was said, and the old settings are there"
        );
        *(if after == new { &mut news } else { &mut olds }) += 1;

        // The next boot of the same image.
        host.settle(&CutFs::counting(), version).unwrap();
        assert_eq!(host.store(), new, "cut {cut}");
        left(host.stores(), stores, cut);
        // A cut after the switch leaves its garbage to the next change of the store.
        host.set("settings.after", json!(cut));
        assert!(host.stores() <= stores.max(2), "cut {cut}: {}", host.stores());
    }
    (olds, news)
}

/// A datastore as it was, so that a host with its signed cache is made once for many cuts.
struct Snapshot(tempfile::TempDir);

impl Snapshot {
    fn of(host: &Host) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&host.base(), &dir.path().join("base"));
        Self(dir)
    }

    fn restore(&self, host: &Host) {
        std::fs::remove_dir_all(host.base()).unwrap();
        // What the cut before this one noted would save this one a few operations.
        let _absent = std::fs::remove_dir_all(host.paths.record());
        copy(&self.0.path().join("base"), &host.base());
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

fn before_the_update() -> Host {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", &[RENAME])]);
    host.bits(false, true);
    host
}

fn after_the_update(other_proven: bool) -> Host {
    let host = before_the_update();
    host.settle(&CutFs::counting(), "1.1.0").unwrap();
    host.set("settings.kept", json!("changed on 1.1.0"));
    host.bits(true, other_proven);
    host
}

#[test]
fn an_update() {
    let (olds, news) = cut_everywhere(before_the_update, "1.1.0");
    assert!(olds > 0 && news > 0, "{olds} cuts left the old state, {news} the new one");
}

#[test]
fn a_fall_back() {
    // What it drops does not come back: the next boot removes what the cut left of it.
    let none_more = |found, expected, cut| assert_eq!(found, expected, "stores after cut {cut}");
    let (olds, news) = cut_and_look(|| after_the_update(false), "1.0.0", none_more);
    assert!(olds > 0 && news > 0, "{olds} cuts left the old state, {news} the new one");
}

#[test]
fn a_rollback_by_hand() {
    let (olds, news) = cut_everywhere(|| after_the_update(true), "1.0.0");
    assert!(olds > 0 && news > 0, "{olds} cuts left the old state, {news} the new one");
}
