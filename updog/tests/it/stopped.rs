//! An update that ends in the middle.

use std::process::Command;
use std::time::Duration;

use blocks::Index;
use testdata::{Fault, Host, Release, World, program};

use crate::bytes::newest;
use crate::frames::{assert_installed, forget_the_running_root, half_sent};
use crate::support::{Snapshot, done, failure, offered_again, offered_by, served};

const PATIENCE: Duration = Duration::from_secs(60);

/// A host whose update waits for an image that does not come.
fn waiting_for(end: &str) -> (World, Host, Snapshot, testdata::Running) {
    let (world, host) = offered_again();
    let target = served(&world, end).0;
    world.server().fault(&target, Fault::Stall.once());
    let before = Snapshot::of(&host);
    let update = host.spawn("updog", &["update", "--json"]);
    assert!(world.server().wait_for(&target, PATIENCE).is_some());
    (world, host, before, update)
}

#[test]
fn a_signal_during_a_write_leaves_the_set_cleared_and_the_next_run_goes_on() {
    let (_world, mut host, before, update) = waiting_for("1.2.0-root.lz4");
    update.terminate();
    let said = failure(&update.wait());
    assert_eq!(said.code, "failed");
    assert!(said.message.contains("a signal asked to stop"), "{}", said.message);
    assert!(said.help.contains("set A stays cleared"), "{}", said.help);
    before.assert_only_cleared(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}

#[test]
fn a_signal_before_the_clear_changes_nothing() {
    let (_world, mut host, before, update) = waiting_for("1.2.0-hash.lz4");
    update.terminate();
    let said = failure(&update.wait());
    assert_eq!(said.code, "failed");
    assert!(said.help.contains("nothing was changed"), "{}", said.help);
    before.assert_disk_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn without_threads_there_is_a_sentence_and_nothing_is_changed() {
    let (_world, host) = offered_again();
    let before = Snapshot::of(&host);
    for args in [&["update"][..], &["check-update", "--all"], &["status"]] {
        let ran = Command::new(program("updog"))
            .arg("--root")
            .arg(host.paths().root())
            .args(args)
            // No stack of a thread is as large as that, whoever asks.
            .env("RUST_MIN_STACK", (1_u64 << 47).to_string())
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.starts_with("updog: failed to start: ") && !said.contains("panicked"), "{said}");
    }
    before.assert_disk_unchanged(&host);
}

#[test]
fn a_kill_during_a_write_leaves_the_set_cleared_and_the_lock_free() {
    let (world, mut host, before, update) = waiting_for("1.2.0-root.lz4");
    assert_eq!(update.kill().code(), None);
    before.assert_only_cleared(&host);
    // The images that were written before it are there, and come from nowhere.
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    let asked = world.server().requests();
    let asked_for = |end: &str| asked.iter().any(|request| request.path_only().ends_with(end));
    assert_eq!(
        ["hash", "boot", "root"].map(|image| asked_for(&format!("1.2.0-{image}.lz4"))),
        [false, false, true]
    );
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}

/// How many bytes of `path` the newest run has read, of which more may have been sent: all that it tells, less all others,
/// which were read whole.
fn read_of(world: &World, host: &Host, path: &str) -> u64 {
    let requests = world.server().requests();
    let others: u64 =
        requests.iter().filter(|request| request.path_only() != path).map(|request| request.bytes).sum();
    newest(host)["bytes"]["fetched"].as_u64().unwrap().checked_sub(others).expect("others were read whole")
}

#[test]
fn a_signal_between_frames_keeps_what_has_come() {
    let (world, host) = offered_by(Release::new("1.1.0").framed());
    forget_the_running_root(&host);
    let (path, data) = served(&world, "1.1.0-root.zst");
    let update = half_sent(&world, &host);
    update.terminate();
    let said = failure(&update.wait());
    assert!(said.message.contains("a signal asked to stop"), "{}", said.message);
    assert!(said.help.contains("set B stays cleared"), "{}", said.help);
    let before = read_of(&world, &host, &path);
    world.server().heal();
    world.server().clear_log();
    let _ = done(&host.run("updog", &["update", "--json"]));
    let again = (before + read_of(&world, &host, &path)).saturating_sub(data.len() as u64);
    // Of each of six ranges the frame that was under way, and what was read behind it.
    let index = Index::parse(&served(&world, "1.1.0-root.idx").1).unwrap();
    let longest = index.frames().map(|frame| u64::from(frame.length)).max().unwrap();
    assert!(again <= 6 * (longest + 30_000), "{again} of {} bytes came twice", data.len());
    assert_installed(&world, &host, "1.1.0");
}
