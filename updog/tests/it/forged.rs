//! Repositories whose signatures hold and whose content does not, and chains of roots.

use std::fs;

use chrono::{DateTime, Duration, Utc};
use host_io::{Clock as _, SystemClock, SystemFs};
use serde_json::Value;
use testdata::World;
use trusted_repo::TargetInfo;
use trusted_repo::author::{Editor, Expiries, KeyPair, RootSpec, SignedRoot, Signers, Versions, targets};

use crate::support::{offered, refused};

/// The keys of a world's repository.
struct Keys {
    root: Vec<KeyPair>,
    signers: Signers,
}

impl Keys {
    fn of(world: &World) -> Self {
        let load = |name: &str| KeyPair::load(&SystemFs, &world.keys_dir().join(name)).unwrap();
        Self {
            root: (1..=3).map(|number| load(&format!("root-{number}.pem"))).collect(),
            signers: Signers {
                targets: load("targets.pem"),
                snapshot: load("snapshot.pem"),
                timestamp: load("timestamp.pem"),
            },
        }
    }

    /// The next root, with the same holders.
    fn successor(&self, previous: &SignedRoot) -> SignedRoot {
        let spec = RootSpec {
            version: previous.version() + 1,
            expires: in_a_month(),
            root: &self.root,
            root_threshold: 2,
            targets: std::slice::from_ref(&self.signers.targets),
            snapshot: std::slice::from_ref(&self.signers.snapshot),
            timestamp: std::slice::from_ref(&self.signers.timestamp),
        };
        SignedRoot::successor(previous, &spec, &[&self.root[0], &self.root[1]]).unwrap()
    }
}

fn in_a_month() -> DateTime<Utc> {
    SystemClock.now() + Duration::days(30)
}

fn first_root(world: &World) -> SignedRoot {
    SignedRoot::parse(world.trusted_root()).unwrap()
}

fn publish_root(world: &World, root: &SignedRoot) {
    fs::write(world.metadata_dir().join(root.file_name()), root.bytes()).unwrap();
}

/// Signs the world's targets again, with other bytes for one of them.
fn forge(world: &World, name: &str, bytes: &[u8]) {
    let newest = fs::read_dir(world.metadata_dir()).unwrap().map(|entry| entry.unwrap());
    let newest = newest
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.strip_suffix(".targets.json").and_then(|version| version.parse::<u64>().ok())
        })
        .max()
        .unwrap();
    let file = world.metadata_dir().join(format!("{newest}.targets.json"));
    let listed: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut editor = Editor::new(first_root(world));
    for (name, target) in listed["signed"]["targets"].as_object().unwrap() {
        let digest = target["hashes"]["sha256"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap();
        let sha256 = std::array::from_fn(byte);
        let length = target["length"].as_u64().unwrap();
        editor.add_target(TargetInfo { name: name.clone(), length, sha256 }).unwrap();
    }
    let info = targets::publish(&SystemFs, &world.repo_dir().join("targets"), name, bytes).unwrap();
    assert!(editor.replace_target(info).is_ok());
    editor.set_versions(Versions { targets: 100, snapshot: 100, timestamp: 100 });
    let month = in_a_month();
    let expiries = Expiries { targets: month, snapshot: month, timestamp: month };
    let signed = editor.sign(&Keys::of(world).signers, &expiries).unwrap();
    signed.write(&SystemFs, &world.metadata_dir()).unwrap();
}

#[test]
fn root_chain_flood_is_cut_off_at_64_a_run_and_the_next_run_goes_on() {
    let (world, mut host) = offered();
    let keys = Keys::of(&world);
    let mut root = first_root(&world);
    for _ in 0..70 {
        root = keys.successor(&root);
        publish_root(&world, &root);
    }
    let said = refused(&mut host);
    assert_eq!(said.code, "untrusted");
    assert!(said.message.contains("more than 64 new root roles"), "{}", said.message);
    let _ = host.run("updog", &["check-update"]).expect_ok();
}

#[test]
fn fleet_key_rotation_is_followed_and_stays_known() {
    let (world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    publish_root(&world, &Keys::of(&world).successor(&first_root(&world)));
    let _ = host.run("updog", &["check-update"]).expect_ok();
    world.server().clear_log();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    assert_eq!(world.server().requests()[0].path_only().rsplit('/').next(), Some("3.root.json"));
}

#[test]
fn image_shipped_with_a_newer_root_takes_the_memory_over() {
    let (world, mut host) = offered();
    let old: Vec<_> = fs::read_dir(world.metadata_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    forge(&world, "manifest.json", br#"{"updates":[],"migrations":{}}"#);
    let _ = host.run("updog", &["check-update"]);
    let newer = Keys::of(&world).successor(&first_root(&world));
    publish_root(&world, &newer);
    fs::write(host.paths().trusted_root(), newer.bytes()).unwrap();
    let _ = host.run("updog", &["check-update"]);
    for (path, bytes) in old {
        fs::write(path, bytes).unwrap();
    }
    let said = refused(&mut host);
    assert_eq!(said.code, "untrusted");
    assert!(said.message.contains("version 101 was verified here before"), "{}", said.message);
}

#[test]
fn absurd_count_of_updates_is_refused() {
    let (world, mut host) = offered();
    let entry = r#"{"variant":"metal-dev","arch":"x86_64","version":"1.1.0","max_version":"1.1.0","waves":{},"images":{"boot":"b","root":"r","hash":"h"}}"#;
    let manifest = format!(r#"{{"updates":[{}],"migrations":{{}}}}"#, vec![entry; 4097].join(","));
    forge(&world, "manifest.json", manifest.as_bytes());
    let said = refused(&mut host);
    assert_eq!(said.code, "failed");
    assert!(said.message.contains("4096"), "{}", said.message);
}

#[test]
fn decompression_bomb_in_a_migration_never_runs_and_the_host_goes_back() {
    let (world, mut host) = offered();
    let mut bomb = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 65 << 20), &mut bomb).unwrap();
    forge(&world, "migrate_v1.1.0_add-metrics.lz4", &bomb.finish().unwrap());
    // The migrations run at the next boot, and that is where this one is refused: the host goes back by itself.
    let _ = host.run("updog", &["update"]).expect_ok();
    let report = host.reboot();
    assert_eq!(host.version().as_deref(), Some("1.0.0"), "{report:#?}");
    let told = format!("{report:#?}");
    assert!(told.contains("longer than 67108864 bytes"), "{told}");
}
