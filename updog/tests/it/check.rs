//! Which update, and why none.

use host_io::{Clock as _, SystemClock};
use testdata::{HostOptions, Release, Set, World};

use crate::support::{failure, offered};

const VARIANT: &str = "metal-dev";

#[test]
fn the_chosen_update_is_told_in_one_line_or_as_an_object() {
    let (_world, host) = offered();
    for name in ["check-update", "whats"] {
        assert_eq!(host.run("updog", &[name]).expect_ok().stdout, format!("{VARIANT} 1.1.0\n"));
    }
    let ran = host.run("updog", &["-j", "whats"]).expect_ok();
    let update = ran.json();
    assert_eq!(update["version"], "1.1.0");
    assert_eq!(update["variant"], VARIANT);
    assert_eq!(update["arch"], std::env::consts::ARCH);
    assert!(update["images"]["root"].as_str().unwrap().ends_with("-1.1.0-root.lz4"), "{update}");
    assert!(ran.stdout.contains("\n  \"version\": \"1.1.0\""), "{ran}");
}

#[test]
fn everything_that_is_offered_is_listed_newest_first_on_stdout() {
    let (world, host) = offered();
    world.publish(Release::new("1.2.0"));
    let ran = host.run("updog", &["check-update", "--all"]).expect_ok();
    assert_eq!(ran.stdout, format!("{VARIANT} 1.2.0\n{VARIANT} 1.1.0\n"));
    let ran = host.run("updog", &["check-update", "--all", "--json"]).expect_ok();
    let versions: Vec<_> =
        ran.json().as_array().unwrap().iter().map(|update| update["version"].clone()).collect();
    assert_eq!(versions, ["1.2.0", "1.1.0"]);
}

#[test]
fn nothing_on_offer_is_exit_1_for_a_check_and_0_for_a_list_and_for_an_update() {
    let world = World::new();
    let mut host = world.host("1.0.0");
    host.boot();
    let ran = host.run("updog", &["check-update"]).expect_code(1);
    assert!(ran.stdout.is_empty(), "{ran}");
    assert!(ran.stderr.lines().last().unwrap().starts_with("No update available: 1.0.0 runs here"), "{ran}");
    let ran = host.run("updog", &["check-update", "--json"]).expect_code(1);
    let event: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!(event["error"]["code"], "no_update");
    assert_eq!(event["error"]["message"], "No update available");
    assert_eq!(host.run("updog", &["whats", "--all"]).expect_ok().stdout, "");
    assert_eq!(host.run("updog", &["whats", "--all", "-j"]).expect_ok().stdout, "[]\n");
    let ran = host.run("updog", &["update"]).expect_ok();
    assert!(ran.stdout.is_empty() && ran.stderr.contains("No update required"), "{ran}");
}

#[test]
fn a_wave_lets_one_host_in_and_tells_the_other_when() {
    let world = World::new();
    let start = SystemClock.now() - chrono::Duration::hours(2);
    world.publish(Release::new("1.1.0").waves(
        "[[waves]]\nstart_after = \"1 hour\"\nfleet_percentage = 50\n\n[[waves]]\nstart_after = \"3 weeks\"\nfleet_percentage = 100\n",
        start,
    ));
    let mut early = world.host_with("1.0.0", HostOptions { seed: Some(1), ..HostOptions::default() });
    let mut late = world.host_with("1.0.0", HostOptions { seed: Some(2000), ..HostOptions::default() });
    early.boot();
    late.boot();
    assert_eq!(early.run("updog", &["whats"]).expect_ok().stdout, format!("{VARIANT} 1.1.0\n"));
    let ran = late.run("updog", &["whats"]).expect_code(1);
    assert!(ran.stderr.contains("1.1.0 is held until ") && ran.stderr.contains(" for seed 2000"), "{ran}");
    let ran = late.run("updog", &["whats", "--json"]).expect_code(1);
    let event: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!(event["error"]["held"]["version"], "1.1.0");
    assert_eq!(event["error"]["held"]["seed"], 2000);
    let ran = late.run("updog", &["update"]).expect_ok();
    assert!(ran.stderr.contains("No update required: 1.1.0 is held until "), "{ran}");
    for flag in ["-n", "--now", "--ignore-waves"] {
        assert_eq!(late.run("updog", &["whats", flag]).expect_ok().stdout, format!("{VARIANT} 1.1.0\n"));
    }
}

#[test]
fn a_lock_and_a_name_choose_one_version() {
    let (world, host) = offered();
    world.publish(Release::new("1.2.0"));
    let whats = |args: &[&str]| host.run("updog", &[&["whats"], args].concat());
    assert_eq!(whats(&[]).expect_ok().stdout, format!("{VARIANT} 1.2.0\n"));
    assert_eq!(whats(&["-i", "1.1.0"]).expect_ok().stdout, format!("{VARIANT} 1.1.0\n"));
    let ran = whats(&["--image", "1.5.0"]).expect_code(1);
    assert!(ran.stderr.contains("1.5.0 is not offered"), "{ran}");
    host.set("updates.version-lock", "v1.1.0");
    assert_eq!(whats(&[]).expect_ok().stdout, format!("{VARIANT} 1.1.0\n"));
    host.set("updates.version-lock", "1.0.0");
    let _ = whats(&[]).expect_code(1);
}

#[test]
fn checks_at_the_same_time_do_not_spoil_what_is_remembered() {
    let (world, host) = offered();
    for minor in 2..5 {
        world.publish(Release::new(&format!("1.{minor}.0")));
        let checks: Vec<_> = (0..4).map(|_| host.spawn("updog", &["check-update"])).collect();
        for check in checks {
            assert_eq!(check.wait().expect_ok().stdout, format!("{VARIANT} 1.{minor}.0\n"));
        }
    }
}

#[test]
fn wrong_usage_is_exit_1_and_help_is_exit_0() {
    let (_world, host) = offered();
    for args in [&["frobnicate"][..], &[], &["update", "-i", "v1.0.0"], &["update-image", "-t", "now"]] {
        let ran = host.run("updog", args).expect_code(1);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran}");
    }
    let page = |args: &[&str]| host.run("updog", args).expect_ok().stdout;
    assert!(page(&["--help"]).contains("updog update --reboot"));
    // One page, whichever way it is asked for.
    for (asked, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "update"], &["update", "--help"]),
        (&["trust", "help", "show"], &["trust", "show", "--help"]),
        (&["help", "trust", "show"], &["trust", "show", "--help"]),
    ] {
        assert_eq!(page(asked), page(same), "{asked:?}");
    }
    assert!(host.run("updog", &["prepare"]).expect_ok().stderr.contains("Nothing to prepare"));
}

#[test]
fn a_status_reads_two_blocks_of_a_tree_and_all_of_it_when_asked() {
    let (_world, host) = offered();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let status =
        |args: &[&str]| host.run("updog", &[&["status", "--json"], args].concat()).expect_ok().json();
    assert_eq!(
        (&status(&[])["checked"], &status(&[])["inactive"]["version"]),
        (&"top".into(), &"1.1.0".into())
    );
    let whole = status(&["--verify"]);
    assert_eq!((&whole["checked"], &whole["inactive"]["version"]), (&"whole-tree".into(), &"1.1.0".into()));
    // A digest far below the top has rotted: what would be booted is found out before it is, and on demand.
    host.disk().write(&Set::B.label("HASH"), 2 * 4096 + 64, &[0x55; 8]);
    assert_eq!(status(&[])["inactive"]["version"], "1.1.0");
    assert_eq!(status(&["--verify"])["inactive"]["version"], serde_json::Value::Null);
    assert_eq!(failure(&host.run("updog", &["update-apply", "--json"])).code, "not_staged");
}
