//! What whoever signs a role for holds, or what leads to one, may do to hosts: metadata that `pubrepo` never writes.

use std::fs;

use serde_json::{Value, json};
use testdata::{Host, VARIANT, World};

use crate::support::{failure, offered};
use crate::team_threats::Forger;
use crate::tuf::signer::sha256;

/// A role for holds.
fn guard<'a>(forger: &'a mut Forger<'_>, role: &str) -> &'a mut Value {
    forger.delegate("targets", role)["paths"] = json!(["hold-*.json"]);
    &mut forger.roles.get_mut(role).unwrap().0
}

/// Publishes a file, and gives what is signed of it.
fn published(world: &World, name: &str, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    fs::write(world.repo_dir().join("targets").join(format!("{digest}.{name}")), bytes).unwrap();
    json!({ "length": bytes.len(), "hashes": { "sha256": digest } })
}

fn hold(version: &str) -> Vec<u8> {
    json!({ "holds": [{
        "variant": VARIANT, "arch": std::env::consts::ARCH, "version": version, "reason": "it hangs",
        "since": "2026-06-01T00:00:00Z",
    }] })
    .to_string()
    .into_bytes()
}

fn assert_unknown(host: &Host, says: &str) {
    let said = failure(&host.run("updog", &["check-update", "--json"]));
    assert!(said.message.contains("learn what the role for holds"), "{says}: {}", said.message);
    assert!(said.message.contains(says), "{says:?} is not in {}", said.message);
}

#[test]
fn a_snapshot_that_does_not_name_a_role_for_holds_ends_no_hold() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    guard(&mut forger, "guard")["targets"]["hold-guard.json"] =
        published(&world, "hold-guard.json", &hold("1.1.0"));
    forger.publish(|meta| drop(meta.as_object_mut().unwrap().remove("guard.json")));
    assert_unknown(&host, "its snapshot does not name the delegated role \"guard\"");
}

#[test]
fn a_manifest_and_images_that_a_role_for_holds_lists_change_nothing_and_its_hold_counts() {
    let (world, host) = offered();
    let of_all: Value = {
        let listed = Forger::of(&world).targets["targets"]["manifest.json"].clone();
        let digest = listed["hashes"]["sha256"].as_str().unwrap();
        let path = world.repo_dir().join("targets").join(format!("{digest}.manifest.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let mut own = of_all;
    for update in own["updates"].as_array_mut().unwrap() {
        update["version"] = json!("1.7.0");
        update["max_version"] = json!("1.7.0");
    }
    let name = format!("manifest-{VARIANT}.json");
    for held in ["9.9.9", "1.1.0"] {
        let mut forger = Forger::of(&world);
        forger.targets["delegations"] = Value::Null;
        let role = guard(&mut forger, "guard");
        role["targets"][&name] = published(&world, &name, own.to_string().as_bytes());
        role["targets"]["manifest.json"] = published(&world, "manifest.json", own.to_string().as_bytes());
        role["targets"]["image.lz4"] = published(&world, "image.lz4", b"image");
        role["targets"]["hold-guard.json"] = published(&world, "hold-guard.json", &hold(held));
        role["version"] = json!(if held == "1.1.0" { 2 } else { 1 });
        let version = role["version"].as_u64().unwrap();
        forger.publish(|_| ());
        if version == 2 {
            let dir = world.metadata_dir();
            fs::rename(dir.join("1.guard.json"), dir.join("2.guard.json")).unwrap();
        }
        let ran = host.run("updog", &["check-update", "--json"]);
        if held == "1.1.0" {
            assert!(ran.stderr.contains("1.1.0 is not offered: guard withholds it"), "{ran}");
        } else {
            assert!(ran.ok() && ran.stdout.contains("1.1.0") && !ran.stdout.contains("1.7.0"), "{ran}");
        }
    }
}

#[test]
fn what_a_fleet_may_withhold_has_its_bounds() {
    // (roles, files of each, bytes of each file, what is said)
    let rows: [(usize, usize, usize, Option<&str>); 6] = [
        (8, 2, 300, None),
        (9, 1, 300, Some("it has more than 8 roles for holds")),
        (1, 16, 300, None),
        (1, 17, 300, Some("it lists more than 16 files of holds")),
        (1, 1, 256 << 10, None),
        (1, 1, (256 << 10) + 1, Some("it is longer than 262144 bytes")),
    ];
    for (roles, files, length, says) in rows {
        let (world, host) = offered();
        let mut forger = Forger::of(&world);
        for role in 0..roles {
            let role = format!("guard-{role}");
            let listed = guard(&mut forger, &role);
            for file in 0..files {
                let name = format!("hold-{role}-{file}.json");
                let mut bytes = hold("9.9.9");
                bytes.resize(length, b' ');
                listed["targets"][&name] = published(&world, &name, &bytes);
            }
        }
        forger.publish(|_| ());
        match says {
            Some(says) => assert_unknown(&host, says),
            None => {
                let ran = host.run("updog", &["check-update"]);
                assert!(ran.ok() && ran.stdout.contains("1.1.0"), "{roles} {files} {length}: {ran}");
            }
        }
    }
}
