//! Programs whose words reach nobody: whoever reads them has gone away or stands still, the disk is full, the streams are
//! closed. They end as if they were heard.

use serde_json::json;
use testdata::{Ear, Host, Release, World};

fn host_in(world: &World) -> Host {
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    host
}

/// Narration goes nowhere, from the update to the boot with its migrations, and the API's changes after it.
fn walk(ear: Ear) {
    let world = World::new();
    let mut host = host_in(&world);
    host.heard_by(ear);
    let update = host.run("updog", &["--log-level", "trace", "update", "--json"]).expect_ok();
    assert!(update.stdout.lines().last().unwrap_or_default().contains(r#""event":"done""#), "{update}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    for motd in ["one", "two", "three"] {
        host.set("motd", motd);
        assert_eq!(host.setting("motd"), json!(motd));
    }
    host.crash_api().expect("it starts again");
    assert_eq!(host.setting("motd"), json!("three"));
}

#[test]
fn a_reader_that_has_gone_away_stops_no_update_no_boot_and_no_server() {
    walk(Ear::Gone);
}

#[test]
fn a_reader_that_stands_still_stops_no_update_no_boot_and_no_server() {
    walk(Ear::Still);
}

#[test]
fn a_log_on_a_full_disk_stops_no_update_no_boot_and_no_server() {
    walk(Ear::Full);
}

#[test]
fn closed_streams_stop_no_update_no_boot_and_no_server() {
    let world = World::new();
    let mut host = host_in(&world);
    assert_eq!(host.run_heard_by(Ear::Closed, "updog", &["update"]).code(), Some(0));
    host.heard_by(Ear::Closed);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert_eq!(host.run_heard_by(Ear::Closed, "apiclient", &["set", "motd=one"]).code(), Some(0));
    host.heard_by(Ear::Open);
    assert_eq!(host.setting("motd"), json!("one"));
}

#[test]
fn what_is_done_is_done_though_nobody_can_be_told() {
    let world = World::new();
    let mut host = host_in(&world);
    let done: [(&str, &[&str]); 10] = [
        ("apiclient", &["set", "motd=one"]),
        ("apiclient", &["raw", "-m", "PATCH", "-u", "/settings?tx=x", "-d", r#"{"motd": "two"}"#]),
        ("apiclient", &["raw", "-m", "POST", "-u", "/tx/commit_and_apply?tx=x"]),
        ("updog", &["update-image", "--json"]),
        ("updog", &["update-apply"]),
        ("updog", &["update-revert", "--json"]),
        ("updog", &["confirm-boot"]),
        ("updog", &["clear-failed"]),
        ("signpost", &["mark-successful-boot"]),
        ("updog", &["update"]),
    ];
    for ear in [Ear::Gone, Ear::Full, Ear::Closed] {
        for (program, args) in done {
            assert_eq!(host.run_heard_by(ear, program, args).code(), Some(0), "{ear:?}: {program} {args:?}");
        }
        let _ = host.run("updog", &["update-revert"]).expect_ok();
    }
    assert_eq!(host.setting("motd"), json!("two"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn an_answer_that_was_the_whole_point_is_missed_on_a_full_disk_and_not_by_whoever_has_gone_away() {
    let world = World::new();
    let host = host_in(&world);
    let asked: [(&str, &[&str]); 9] = [
        ("apiclient", &["get", "settings.motd"]),
        ("apiclient", &["-u", "/os"]),
        ("apiclient", &["update", "check"]),
        ("updog", &["status"]),
        ("updog", &["status", "--json"]),
        ("updog", &["check-update"]),
        ("updog", &["plan", "--json"]),
        ("signpost", &["status"]),
        ("signpost", &["status", "--json"]),
    ];
    for (program, args) in asked {
        for (ear, code) in [(Ear::Full, 1), (Ear::Gone, 0), (Ear::Closed, 0)] {
            assert_eq!(
                host.run_heard_by(ear, program, args).code(),
                Some(code),
                "{ear:?}: {program} {args:?}"
            );
        }
    }
}

#[test]
fn a_failure_is_one_whoever_hears_it() {
    let world = World::new();
    let host = host_in(&world);
    let wrong: [(&str, &[&str], i32); 9] = [
        ("apiclient", &["get", "/nowhere"], 1),
        ("apiclient", &["frobnicate"], 2),
        ("apiserver", &["--frobnicate"], 2),
        ("migrator", &["--frobnicate"], 2),
        ("signpost", &["frobnicate"], 1),
        ("signpost", &["clear-inactive", "--frobnicate"], 1),
        ("updog", &["frobnicate"], 1),
        ("updog", &["check-update", "--image", "7.0.0", "--json"], 1),
        ("updog", &["history", "7000"], 1),
    ];
    for ear in [Ear::Gone, Ear::Full, Ear::Closed] {
        for (program, args, code) in wrong {
            assert_eq!(
                host.run_heard_by(ear, program, args).code(),
                Some(code),
                "{ear:?}: {program} {args:?}"
            );
        }
    }
}

#[test]
fn who_publishes_is_told_by_the_exit_status_if_by_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (number, ear) in [Ear::Gone, Ear::Full, Ear::Closed].into_iter().enumerate() {
        let (repo, keys, manifest) = (
            path(&format!("repo{number}")),
            path(&format!("keys{number}")),
            path(&format!("m{number}.json")),
        );
        let init = ["init", "--repo", &repo, "--keys", &keys, "--variant", "metal", "--arch", "x86_64"];
        assert_eq!(ear.run("pubrepo", &init), Some(0), "{ear:?}");
        assert_eq!(ear.run("pubrepo", &init), Some(1), "{ear:?}: it is there already");
        assert_eq!(ear.run("pubrepo", &["--frobnicate"]), Some(2), "{ear:?}");
        assert_eq!(ear.run("updata", &["init", &manifest, "--json"]), Some(0), "{ear:?}");
        assert_eq!(ear.run("updata", &["--frobnicate"]), Some(1), "{ear:?}");
        let answer = if ear == Ear::Full { 1 } else { 0 };
        assert_eq!(ear.run("updata", &["show", &manifest, "--json"]), Some(answer), "{ear:?}");
        assert_eq!(ear.run("updata", &["validate", &manifest, "--json"]), Some(answer), "{ear:?}");
        assert_eq!(ear.run("updata", &["validate", &path("none"), "--json"]), Some(1), "{ear:?}");
    }
}
