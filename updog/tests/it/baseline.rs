//! First boots that are held against the numbers of earlier ones.

use std::fs;

use testdata::{Host, Ran, Release, World};

use crate::support::failure;

/// A check that passes and tells this number.
fn tells(host: &Host, seconds: &str) {
    let path = host.paths().health_checks()[1].join("20-shop");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\necho it is open\necho number: seconds {seconds}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn confirm(host: &Host) -> Ran {
    host.run("updog", &["confirm-boot", "--json"])
}

/// A host that has told its numbers a few times, and boots the next release for the first time.
fn on_trial(wanted: bool) -> (World, Host) {
    let world = World::new();
    let mut host = world.host("1.0.0");
    host.boot();
    host.set("updates.health-baseline", &wanted.to_string());
    for seconds in ["0.5", "0.5625", "9", "0.5"] {
        assert_eq!(host.reboot_unproven().version_at_once(), Some("1.0.0"));
        tells(&host, seconds);
        let _ = confirm(&host).expect_ok();
        // Of one boot the first word counts.
        tells(&host, "700");
        let _ = confirm(&host).expect_ok();
    }
    world.publish(Release::new("1.1.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.1.0"));
    (world, host)
}

fn notes(host: &Host) -> String {
    let records = host.run("updog", &["history", "--json"]).expect_ok().json();
    let record =
        records.as_array().unwrap().iter().find(|record| record["command"] == "confirm-boot").unwrap();
    record["notes"].to_string()
}

#[test]
fn a_release_that_works_but_worse_falls_back_and_says_why() {
    let (_world, mut host) = on_trial(true);
    tells(&host, "2");
    let said = failure(&confirm(&host));
    let why = "seconds of the health check 20-shop is 2: in 4 good boots before, 0.5 was usual here, and the limit is 0.75";
    assert_eq!(said.code, "unhealthy");
    assert!(said.message.contains("it works, but worse than before: "), "{}", said.message);
    assert!(said.message.contains(why) && notes(&host).contains(why), "{}", said.message);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    let told = host.run("updog", &["status"]).expect_ok().stdout;
    assert!(told.contains("Not kept: ") && told.contains(why), "{told}");
}

#[test]
fn one_that_works_as_well_stays_and_is_the_measure_of_the_next() {
    let (_world, host) = on_trial(true);
    tells(&host, "0.625");
    let _ = confirm(&host).expect_ok();
    assert!(
        notes(&host)
            .contains("seconds of the health check 20-shop is 0.625: in 4 good boots before, 0.5 was usual")
    );
    let kept = fs::read_to_string(host.paths().health_baseline()).unwrap();
    assert!(kept.contains("[0.5,0.5625,9.0,0.5,0.625]"), "{kept}");
    // A release that was marked good is never judged.
    tells(&host, "100");
    let _ = confirm(&host).expect_ok();
}

#[test]
fn nobody_is_judged_unless_the_settings_say_so_and_a_damaged_file_judges_nobody() {
    let (_world, host) = on_trial(false);
    assert!(!host.paths().health_baseline().exists());
    tells(&host, "2");
    let _ = confirm(&host).expect_ok();
    let (_world, host) = on_trial(true);
    fs::write(host.paths().health_baseline(), "{\"series\":[{").unwrap();
    tells(&host, "2");
    let _ = confirm(&host).expect_ok();
}
