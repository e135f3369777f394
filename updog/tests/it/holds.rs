//! Releases that are withheld: who keeps a role for holds takes them away from a fleet, and can do nothing else.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use chrono::Duration;
use serde_json::{Value, json};
use testdata::{BootBits, Fault, Host, Release, Set, VARIANT, World};

use crate::support::{Snapshot, failure, refused};

const STAGED: BootBits = BootBits { priority: 0, tries: 1, successful: false };
const ACTIVATED: BootBits = BootBits { priority: 2, tries: 1, successful: false };
const GUARD: &str = "guard";
const WHY: &str = "12 of 300 hosts fell back";

/// A host on 1.0.0 in a world that offers 1.1.0, in which somebody may withhold it.
fn guarded() -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    world.guard(GUARD);
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    (world, host)
}

/// The paths that were asked for, without what comes before the name of a file.
fn asked(world: &World) -> Vec<String> {
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    world.server().requests().iter().map(|request| name(request.path_only())).collect()
}

fn hold_of(names: &Value) -> Vec<u8> {
    let mut hold = json!({
        "variant": VARIANT, "arch": std::env::consts::ARCH, "reason": WHY, "since": "2026-06-01T00:00:00Z",
    });
    hold.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
    json!({ "holds": [hold] }).to_string().into_bytes()
}

/// What `pubrepo` answers that looks at the world's repository.
fn pubrepo(world: &World, args: &[&str]) -> String {
    let mut pubrepo = Command::new(testdata::program("pubrepo"));
    pubrepo.args(args).args(["--variant", VARIANT, "--arch", std::env::consts::ARCH]);
    pubrepo.arg("--trusted-root").arg(world.keys_dir().join("root.json"));
    let ran = pubrepo.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// The file of what the guard withholds.
fn hold_file(world: &World) -> PathBuf {
    let files = fs::read_dir(world.repo_dir().join("targets")).unwrap().map(|file| file.unwrap().path());
    let mut named = files.filter(|path| path.to_string_lossy().ends_with(".hold-guard.json"));
    named.next().expect("there is one")
}

const FAR: Duration = Duration::days(14);

#[test]
fn a_release_that_is_withheld_is_taken_by_no_host_and_whoever_asks_hears_by_whom_and_why() {
    let (world, host) = guarded();
    world.hold(GUARD, "1.1.0", WHY);
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["check-update", "--json"]);
    assert_eq!(ran.code(), Some(1), "{ran}");
    let event: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let said = &event["error"];
    assert_eq!(said["code"], "no_update", "{ran}");
    assert_eq!(said["withheld"]["version"], "1.1.0");
    assert_eq!(said["withheld"]["role"], GUARD);
    assert_eq!(said["withheld"]["reason"], WHY);
    assert!(ran.stderr.contains(&format!("1.1.0 is not offered: {GUARD} withholds it since ")), "{ran}");
    assert!(ran.stderr.contains(WHY), "{ran}");

    let told = host.run("updog", &["explain"]).expect_ok().stdout;
    assert!(told.contains("withheld       guard withholds it since "), "{told}");
    for args in [&["update"][..], &["update", "--image", "1.1.0"], &["update", "--ignore-waves"]] {
        let ran = host.run("updog", args).expect_ok();
        assert!(ran.stderr.contains("guard withholds it since"), "{args:?}: {ran}");
    }
    before.assert_disk_unchanged(&host);
    let history = host.run("updog", &["history", "--json"]).expect_ok();
    assert!(history.stdout.contains("guard withholds it since"), "{history}");

    world.end_hold(GUARD, "1.1.0");
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
}

#[test]
fn a_release_that_is_withheld_after_it_was_activated_does_not_boot_next_after_a_check() {
    let (world, mut host) = guarded();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    world.hold(GUARD, "1.1.0", WHY);
    let _ = host.run("updog", &["check-update", "--review", "--json"]);
    assert_eq!(host.bits(Set::B), STAGED);
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    let against = status["inactive"]["against"].as_str().unwrap().to_owned();
    assert!(against.contains("guard withholds it since ") && against.contains(WHY), "{against}");
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert!(said.code == "disallowed" && said.message.contains(WHY), "{}", said.message);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    // It stayed where it was: whoever ends the hold asks nobody to fetch it once more.
    world.end_hold(GUARD, "1.1.0");
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    let images = ["boot", "root"].map(|image| format!("-{image}.lz4"));
    assert!(
        !asked(&world).iter().any(|name| images.iter().any(|end| name.ends_with(end))),
        "{:?}",
        asked(&world)
    );
}

#[test]
fn a_release_that_is_withheld_between_staging_and_activation_is_not_activated() {
    let (world, mut host) = guarded();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    world.hold(GUARD, "1.1.0", WHY);
    let ran = host.run("updog", &["update-apply"]);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"), "{ran}");
}

#[test]
fn a_recall_and_a_hold_of_another_role_count_though_a_role_for_holds_cannot_be_read() {
    type Stop = fn(&World);
    let rows: [(Stop, &str); 2] = [
        (|world| world.recall("1.1.0"), "it was taken back"),
        (|world| world.hold("watch", "1.1.0", WHY), "watch withholds it since"),
    ];
    for (stop, why) in rows {
        for command in ["check-update", "update", "update-apply"] {
            let (world, mut host) = guarded();
            world.guard("watch");
            let staged = if command == "update-apply" { "update-image" } else { "update" };
            let _ = host.run("updog", &[staged]).expect_ok();
            stop(&world);
            world.withhold(GUARD, b"{}", FAR);
            let args: &[&str] = if command == "check-update" { &[command, "--review"] } else { &[command] };
            let ran = host.run("updog", &[args, &["--json"]].concat());
            let said = failure(&ran);
            assert_eq!(host.bits(Set::B), STAGED, "{why}: {ran}");
            if command == "update-apply" {
                assert!(said.code == "disallowed" && said.message.contains(why), "{why}: {}", said.message);
            } else {
                let unknown = "learn what the role for holds \"guard\" withholds";
                assert!(said.message.contains(unknown), "{why}: {}", said.message);
            }
            let status = host.run("updog", &["status", "--json"]).expect_ok().json();
            let against = status["inactive"]["against"].as_str().unwrap_or_default().to_owned();
            assert!(against.contains(why), "{command}: {against}");
            assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
        }
    }
}

#[test]
fn what_is_staged_is_not_activated_while_nobody_knows_what_is_withheld_and_is_as_soon_as_that_is_known() {
    let (world, host) = guarded();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    world.withhold(GUARD, b"{}", FAR);
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert_eq!(said.code, "disallowed");
    let unknown =
        "nobody knows whether it is withheld: failed to learn what the role for holds \"guard\" withholds";
    assert!(said.message.contains(unknown), "{}", said.message);
    assert_eq!(host.bits(Set::B), STAGED);
    world.withhold(GUARD, &hold_of(&json!({ "version": "9.9.9" })), FAR);
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert!(status["inactive"]["against"].is_null(), "{status}");
}

#[test]
fn whoever_insists_after_being_told_activates_what_nobody_knows_to_be_withheld_and_nothing_that_is() {
    let (world, host) = guarded();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    world.withhold(GUARD, b"{}", FAR);
    let _ = failure(&host.run("updog", &["update-apply", "--json"]));
    let _ = host.run("updog", &["update-apply", "--insist"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    world.withhold(GUARD, &hold_of(&json!({ "version": "1.1.0" })), FAR);
    let _ = host.run("updog", &["check-update", "--review"]);
    assert_eq!(host.bits(Set::B), STAGED);
}

#[test]
fn a_hold_that_was_told_stays_while_its_role_cannot_be_read_and_ends_with_it() {
    let (world, host) = guarded();
    let _ = host.run("updog", &["update"]).expect_ok();
    let review = || {
        let _ = host.run("updog", &["check-update", "--review"]);
        host.run("updog", &["status", "--json"]).expect_ok().json()["inactive"]["against"].clone()
    };
    world.hold(GUARD, "1.1.0", WHY);
    assert!(review().as_str().is_some_and(|against| against.contains(WHY)));
    let files = world.metadata_dir().join("2.guard.json");
    let away = files.with_extension("away");
    fs::rename(&files, &away).unwrap();
    fs::remove_dir_all(host.paths().trust()).unwrap();
    assert!(review().as_str().is_some_and(|against| against.contains(WHY)), "its role is gone");
    let said = failure(&host.run("updog", &["update-apply", "--json"]));
    assert!(said.message.contains(WHY), "{}", said.message);
    fs::rename(&away, &files).unwrap();
    world.end_hold(GUARD, "1.1.0");
    assert!(review().is_null());
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
}

#[test]
fn a_role_for_holds_that_does_not_come_on_its_way_keeps_nobody_from_what_is_staged() {
    let (world, host) = guarded();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    world.hold(GUARD, "1.0.0", "another one");
    world.server().fault("2.guard.json", Fault::Status(503));
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
}

#[test]
fn an_unchanged_repository_costs_two_requests_and_a_new_hold_the_files_that_changed() {
    let (world, host) = guarded();
    let check = || {
        world.server().clear_log();
        let _ = host.run("updog", &["check-update", "--json"]);
        asked(&world)
    };
    let _first = check();
    assert_eq!(check().len(), 2, "a role for holds that withholds nothing");
    world.hold(GUARD, "1.1.0", WHY);
    let changed = check();
    assert_eq!(changed.len(), 5, "{changed:?}");
    assert!(changed[0].ends_with(".root.json") && changed[1] == "timestamp.json", "{changed:?}");
    assert!(changed[2].ends_with(".snapshot.json") && changed[3] == "2.guard.json", "{changed:?}");
    assert!(changed[4].ends_with(".hold-guard.json"), "{changed:?}");
    assert_eq!(check().len(), 2, "it is remembered");
}

#[test]
fn a_root_that_is_withheld_is_not_installed_whatever_version_it_has() {
    let (world, mut host) = guarded();
    // A hold of a version knows its root as well.
    world.hold(GUARD, "1.1.0", WHY);
    let held = pubrepo(&world, &["hold", "list", world.repo_dir().to_str().unwrap(), "--json"]);
    let held: Value = serde_json::from_str(&held).unwrap();
    let root_hash =
        held["held"][0]["hold"]["root_hash"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned();
    assert_eq!(held["held"][0]["role"], GUARD);
    world.withhold(GUARD, &hold_of(&json!({ "root_hash": root_hash })), FAR);
    let before = Snapshot::of(&host);
    let ran = host.run("updog", &["update"]).expect_ok();
    assert!(ran.stderr.contains("guard withholds it since"), "{ran}");
    before.assert_disk_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    // And what lies in a set already is judged by it.
    world.withhold(GUARD, &hold_of(&json!({ "version": "9.9.9" })), FAR);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    world.withhold(GUARD, &hold_of(&json!({ "root_hash": root_hash })), FAR);
    let _ = host.run("updog", &["check-update", "--review", "--json"]);
    assert_eq!(host.bits(Set::B), STAGED);
}

#[test]
fn a_role_for_holds_that_cannot_be_had_or_trusted_or_understood_lets_no_host_take_anything_new() {
    const COPY: &str = "puts the file back from a copy";
    const ANOTHER: &str = "signs holds that hosts understand";
    type Harm = fn(&World);
    let rows: [(&str, Harm, &str, &str, &str); 8] = [
        (
            "gone",
            |world| drop(fs::remove_file(world.metadata_dir().join("2.guard.json"))),
            "2.guard.json",
            "missing_target",
            COPY,
        ),
        (
            "other bytes than the snapshot names",
            |world| {
                let path = world.metadata_dir().join("2.guard.json");
                let text = fs::read_to_string(&path).unwrap().replacen("1.0.31", "1.0.30", 1);
                fs::write(path, text.replacen("\"targets\"", "\"targetz\"", 1)).unwrap();
            },
            "guard",
            "untrusted",
            "do not use this mirror otherwise",
        ),
        (
            "expired",
            |world| world.withhold(GUARD, &hold_of(&json!({ "version": "9.9.9" })), -FAR),
            "expired",
            "expired",
            "pubrepo refresh --team guard",
        ),
        ("no holds", |world| world.withhold(GUARD, b"{}", FAR), "hold-guard.json", "failed", ANOTHER),
        (
            "as long as no hold is",
            |world| world.withhold(GUARD, &vec![b' '; (256 << 10) + 1], FAR),
            "it is longer than 262144 bytes",
            "failed",
            ANOTHER,
        ),
        (
            "its file damaged",
            |world| fs::write(hold_file(world), "{}").unwrap(),
            "hold-guard.json",
            "tampered",
            COPY,
        ),
        (
            "a hold of a later kind",
            |world| world.withhold(GUARD, &hold_of(&json!({ "channel": "beta" })), FAR),
            "hold number 1 names neither a version nor the root hash",
            "failed",
            ANOTHER,
        ),
        (
            "its file gone",
            |world| fs::remove_file(hold_file(world)).unwrap(),
            "hold-guard.json",
            "missing_target",
            COPY,
        ),
    ];
    for (what, harm, says, code, help) in rows {
        let (world, mut host) = guarded();
        world.hold(GUARD, "1.0.0", "another one");
        harm(&world);
        let said = refused(&mut host);
        assert!(
            said.message.contains("learn what the role for holds \"guard\" withholds"),
            "{what}: {}",
            said.message
        );
        assert!(said.message.contains(says), "{what}: {}", said.message);
        assert_eq!(said.code, code, "{what}");
        assert!(said.help.contains(help), "{what}: {}", said.help);
        let ends_it = said.help.contains("pubrepo delegate remove guard");
        assert_eq!(ends_it, code != "untrusted", "{what}: {}", said.help);
    }
}

#[test]
fn a_role_for_holds_that_is_ended_withholds_nothing_and_is_not_asked_for() {
    let (world, host) = guarded();
    world.hold(GUARD, "1.1.0", WHY);
    let (repo, keys) = (world.repo_dir(), world.keys_dir());
    let at = ["--repo", repo.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
    let mut remove = Command::new(testdata::program("pubrepo"));
    remove
        .args(["delegate", "remove", GUARD, "--variant", VARIANT, "--arch", std::env::consts::ARCH])
        .args(at);
    let ran = remove.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    world.server().clear_log();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.bits(Set::B), ACTIVATED);
    assert!(!asked(&world).iter().any(|name| name.contains("guard")), "{:?}", asked(&world));
}
