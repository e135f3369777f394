//! What a publisher asks of a repository over the network, with the real program.

use std::process::{Command, Output};

use testdata::{Release, World, program, world};

/// Runs `pubrepo COMMAND PLACE` from the root role that images ship.
fn pubrepo(world: &World, command: &[&str], place: &str) -> Output {
    let root = world.dir().join("trusted-root.json");
    std::fs::write(&root, world.trusted_root()).expect("written");
    let mut program = Command::new(program("pubrepo"));
    program.arg(command[0]).arg(place).args(&command[1..]).arg("--trusted-root").arg(&root);
    program.args(["--variant", world::VARIANT, "--arch", std::env::consts::ARCH]);
    // A proxy of whoever runs the tests has no place before the loopback.
    program.env("no_proxy", "*").output().expect("it runs")
}

#[test]
fn a_repository_is_looked_at_over_the_network_as_in_its_directory() {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    let copy = world.dir().join("copy");
    let copy = copy.to_str().expect("text");
    let here = world.repo_dir();
    let login = world.server().url("").replace("http://", "http://me:s3cret@");
    for command in [&["check"][..], &["list"], &["expiring", "--within", "1d"], &["mirror", "--out", copy]] {
        let over = pubrepo(&world, command, &format!("{login}?sig=t0p"));
        let said = String::from_utf8_lossy(&over.stderr);
        assert_eq!(over.status.code(), Some(0), "{command:?}: {said}");
        // What expires is told with the second at which it was asked.
        if !["mirror", "expiring"].contains(&command[0]) {
            let local = pubrepo(&world, command, here.to_str().expect("text"));
            assert_eq!(
                String::from_utf8_lossy(&over.stdout),
                String::from_utf8_lossy(&local.stdout),
                "{command:?}"
            );
        }
        for told in [&over.stdout, &over.stderr] {
            let told = String::from_utf8_lossy(told);
            assert!(!told.contains("s3cret") && !told.contains("t0p"), "{told}");
        }
    }
}

#[test]
fn an_address_without_its_scheme_is_no_directory_and_its_secrets_are_not_shown() {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    let refused = pubrepo(&world, &["list"], "me:s3cret@updates.example/?sig=t0p");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("it is neither an address nor a directory that is there"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("t0p"), "{said}");
}
