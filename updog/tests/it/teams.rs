//! Hosts whose releases a team publishes, with a key of its own: the targets role has delegated their manifest to it.

use testdata::{Release, VARIANT, World};
use trusted_repo::author::Purpose;

use crate::support::failure;

/// A world in which the targets role has published 1.0.0, and a team 1.1.0.
fn handed_over() -> World {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.hand_over("team-a");
    world
}

#[test]
fn a_release_of_a_team_is_installed_booted_and_rolled_back() {
    let world = handed_over();
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    // As long as the team has published nothing, what there was before counts.
    assert_eq!(
        host.run("updog", &["check-update", "--all"]).expect_ok().stdout,
        format!("{VARIANT} 1.0.0\n")
    );
    world.publish(Release::new("1.1.0"));
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    let asked: Vec<String> =
        world.server().requests().iter().map(|request| request.path_only().to_owned()).collect();
    assert_eq!(asked.iter().filter(|path| path.ends_with("team-a.json")).count(), 1, "{asked:?}");
    assert!(asked.iter().any(|path| path.ends_with(&format!("manifest-{VARIANT}.json"))), "{asked:?}");
    // The migrations of the next boot are verified from the cached set, without a network.
    let cache = host.paths().metadata_cache();
    assert!(cache.join("2.team-a.json").exists(), "the role that leads to them is there");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    world.server().clear_log();
    let _ = host.run("updog", &["check-update"]);
    assert_eq!(world.server().requests().len(), 2, "an unchanged repository, delegated or not");
    let _ = host.run("updog", &["rollback", "--reboot"]).expect_ok();
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.0.0"));
}

#[test]
fn a_team_has_nothing_to_say_to_hosts_of_another_variant() {
    let world = handed_over();
    world.publish(Release::new("1.1.0"));
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    let ran = host.run("updog", &["check-update", "--all"]).expect_ok();
    assert_eq!(ran.stdout, format!("{VARIANT} 1.1.0\n{VARIANT} 1.0.0\n"));
    let ran = host.run("updog", &["check-update", "--all", "--variant", "elsewhere"]).expect_ok();
    assert!(!ran.stdout.contains("1.1.0"), "{ran}");
}

#[test]
fn what_is_wrong_with_the_role_of_another_team_is_in_the_way_of_no_host() {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    let theirs = ["manifest-elsewhere.json", "theirs-*"].map(str::to_owned).to_vec();
    world.delegate("team-b", Purpose::Targets(theirs));
    world.hand_over("team-a");
    world.publish(Release::new("1.1.0"));
    std::fs::remove_file(world.metadata_dir().join("1.team-b.json")).unwrap();
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    let asked = world.server().requests();
    assert!(!asked.iter().any(|request| request.path_only().contains("team-b")), "{asked:?}");
    let cached = std::fs::read_dir(host.paths().metadata_cache()).unwrap();
    let cached: Vec<_> = cached.map(|file| file.unwrap().file_name()).collect();
    assert!(!cached.iter().any(|name| name.to_string_lossy().contains("team-b")), "{cached:?}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    // Whoever needs it is told which one.
    let said = failure(&host.run("updog", &["check-update", "--variant", "elsewhere", "--json"]));
    assert!(said.message.contains("1.team-b.json"), "{}", said.message);
}

#[test]
fn a_team_whose_role_has_expired_is_named() {
    let world = handed_over();
    world.publish(Release::new("1.1.0").published_ago(chrono::Duration::days(100)));
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    let said = failure(&host.run("updog", &["check-update", "--json"]));
    assert_eq!(said.code, "expired");
}
