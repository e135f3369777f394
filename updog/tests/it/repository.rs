//! Repositories that cannot be reached, read or trusted. Nothing changes, remembered trust included.

use chrono::Duration;
use testdata::{ClosedPort, Fault, Host, Release, World};

use crate::support::{Failure, Snapshot, failure, offered, offered_by};

/// Runs a check and an update, which must both fail the same way and change nothing.
fn refused(host: &mut Host) -> Failure {
    let before = Snapshot::of(host);
    let checked = failure(&host.run("updog", &["check-update", "--json"]));
    let updated = failure(&host.run("updog", &["update", "--json"]));
    assert_eq!(checked.code, updated.code);
    before.assert_unchanged(host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    updated
}

#[test]
fn an_unreachable_repository_is_named() {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let closed = ClosedPort::new();
    let address = closed.address().to_string();
    let config = host.paths().updog_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, text.replace(&world.server().address().to_string(), &address)).unwrap();
    let said = refused(&mut host);
    assert_eq!(said.code, "unreachable");
    assert!(said.message.contains(&address), "{}", said.message);
}

#[test]
fn html_instead_of_metadata_is_told_as_such() {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    world.server().fault("", Fault::Html);
    let said = refused(&mut host);
    assert_eq!(said.code, "not_a_repository");
    assert!(said.message.contains("expected TUF metadata, got text/html"), "{}", said.message);
}

#[test]
fn expired_metadata_is_refused() {
    let (_world, mut host) = offered_by(Release::new("1.1.0").published_ago(Duration::days(100)));
    let said = refused(&mut host);
    assert_eq!(said.code, "expired");
    assert!(said.message.contains("expired on "), "{}", said.message);
}

#[test]
fn a_repository_of_somebody_else_is_refused() {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let elsewhere = World::new();
    let foreign = Release::new("1.0.0").trusting(elsewhere.trusted_root());
    let mut host = world.host_of(&foreign, testdata::HostOptions::default());
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    let said = refused(&mut host);
    assert_eq!(said.code, "untrusted");
}

#[test]
fn a_configuration_that_makes_no_sense_names_its_setting() {
    let (_world, mut host) = offered();
    let config = host.paths().updog_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, text.replace("version_lock = \"latest\"", "version_lock = \"newest\"")).unwrap();
    let said = refused(&mut host);
    assert_eq!(said.code, "failed");
    assert!(said.help.contains("settings.updates.version-lock"), "{}", said.help);
}

#[test]
fn no_temporary_directory_is_needed() {
    let (_world, mut host) = offered();
    // As early at boot, or on a system whose /tmp nobody can write to.
    for args in [&["check-update"][..], &["update"]] {
        let ran = std::process::Command::new(testdata::program("updog"))
            .arg("--root")
            .arg(host.paths().root())
            .args(args)
            .env("TMPDIR", "/nowhere/at/all")
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}
