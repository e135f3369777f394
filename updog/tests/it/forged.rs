//! Repositories whose signatures hold and whose content does not, and chains of roots.

use std::fs;

use chrono::{DateTime, Duration, Utc};
use host_io::{Clock as _, SystemClock, SystemFs};
use serde_json::Value;
use testdata::World;
use trusted_repo::author::{Editor, Expiries, KeyPair, RootSpec, SignedRoot, Signers, Versions, targets};
use trusted_repo::{Hashes, TargetInfo};

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

/// An editor of the world's repository with all targets that it lists now.
fn editor(world: &World) -> Editor {
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
        editor.add_target(TargetInfo { name: name.clone(), length, hashes: Hashes::sha256(sha256) }).unwrap();
    }
    editor
}

/// Signs and publishes as if `before` had been the version of each role until now.
fn sign(world: &World, editor: &mut Editor, keys: &Keys, before: u64) {
    editor.set_versions(Versions { targets: before, snapshot: before, timestamp: before });
    let month = in_a_month();
    let expiries = Expiries { targets: month, snapshot: month, timestamp: month };
    let signed = editor.sign(&keys.signers, &expiries).unwrap();
    signed.write(&SystemFs, &world.metadata_dir()).unwrap();
}

/// Signs the world's targets again, with other bytes for one of them.
pub(crate) fn forge(world: &World, name: &str, bytes: &[u8]) {
    forge_again(world, &[(name, bytes)], 0);
}

/// [`forge`], with other bytes for several targets, for a host that has seen so many forgeries already.
pub(crate) fn forge_again(world: &World, others: &[(&str, &[u8])], seen: u64) {
    let mut editor = editor(world);
    for (name, bytes) in others {
        let info = targets::publish(&SystemFs, &world.repo_dir().join("targets"), name, bytes).unwrap();
        assert!(editor.replace_target(info).is_ok());
    }
    sign(world, &mut editor, &Keys::of(world), 100 + seen);
}

/// Signs the world's targets again, with other words about some of them, whatever lies in the repository.
pub(crate) fn forge_words(world: &World, others: Vec<TargetInfo>) {
    let mut editor = editor(world);
    for other in others {
        assert!(editor.replace_target(other).is_ok());
    }
    sign(world, &mut editor, &Keys::of(world), 100);
}

/// What the world lists now.
pub(crate) fn listed(world: &World) -> Vec<TargetInfo> {
    editor(world).targets().cloned().collect()
}

/// Puts `bytes` into the repository, and gives the words about them.
pub(crate) fn put(world: &World, name: &str, bytes: &[u8]) -> TargetInfo {
    targets::publish(&SystemFs, &world.repo_dir().join("targets"), name, bytes).unwrap()
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
fn decompression_bomb_in_a_migration_is_refused_before_anything_changes() {
    let (world, mut host) = offered();
    let mut bomb = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 65 << 20), &mut bomb).unwrap();
    forge(&world, "migrate_v1.1.0_add-metrics.lz4", &bomb.finish().unwrap());
    let said = refused(&mut host);
    assert!(said.message.contains("longer than 67108864 bytes"), "{}", said.message);
}

#[test]
fn fast_forward_is_recovered_from_by_new_keys() {
    let (world, mut host) = offered();
    let honest = fs::read(world.metadata_dir().join("timestamp.json")).unwrap();
    let mut editor = editor(&world);
    // A thief of the keys signs a version that nobody will ever reach.
    let stolen = Keys::of(&world);
    sign(&world, &mut editor, &stolen, 999_999);
    let _ = host.run("updog", &["check-update"]).expect_ok();
    fs::write(world.metadata_dir().join("timestamp.json"), &honest).unwrap();
    let said = refused(&mut host);
    assert_eq!(said.code, "untrusted");
    assert!(said.message.contains("version 1000000 was verified here before"), "{}", said.message);
    // The holders of the root keys name another timestamp key: what the thief signed is forgotten.
    let fresh = Keys {
        root: stolen.root,
        signers: Signers { timestamp: KeyPair::generate().unwrap(), ..stolen.signers },
    };
    editor.add_root(fresh.successor(&first_root(&world))).unwrap();
    sign(&world, &mut editor, &fresh, 10);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

/// One update of 1.1.0 with this name of its boot image and these waves, as it stands in a manifest.
fn entry(boot: &str, waves: &str) -> String {
    let (boot, arch) = (Value::from(boot), std::env::consts::ARCH);
    format!(
        r#"{{"variant":"metal-dev","arch":"{arch}","version":"1.1.0","max_version":"1.1.0","waves":{{{waves}}},"images":{{"boot":{boot},"root":"r.lz4","hash":"h.lz4"}}}}"#
    )
}

#[test]
fn names_that_lead_elsewhere_are_never_taken() {
    let (world, mut host) = offered();
    let names = ["../boot.lz4", "a/boot.lz4", "/etc/passwd", "..", "", "boot\u{7}.lz4", "b\u{f6}ot.lz4"];
    let entries: Vec<_> = names.iter().map(|name| entry(name, "")).collect();
    let manifest = format!(r#"{{"updates":[{}],"migrations":{{}}}}"#, entries.join(","));
    forge(&world, "manifest.json", manifest.as_bytes());
    let ran = host.run("updog", &["check-update"]).expect_code(1);
    assert!(ran.stderr.contains("No update available"), "{ran}");
    world.server().clear_log();
    let _ = host.run("updog", &["update", "--image", "1.1.0"]);
    assert!(world.server().requests().iter().all(|request| !request.path.contains("boot")));
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
}

#[test]
fn migrations_that_go_in_circles_lead_nowhere_and_end() {
    let (world, mut host) = offered();
    let steps = r#""(1.0.0, 1.0.5)":["a.lz4"],"(1.0.5, 1.0.0)":["b.lz4"],"(1.0.0, 1.0.0)":["c.lz4"],"(1.0.5, 1.0.7)":["d.lz4"]"#;
    let manifest = format!(r#"{{"updates":[{}],"migrations":{{{steps}}}}}"#, entry("b.lz4", ""));
    forge(&world, "manifest.json", manifest.as_bytes());
    let said = refused(&mut host);
    assert!(["missing_migration", "missing_target"].contains(&said.code.as_str()), "{}", said.message);
}

#[test]
fn waves_at_the_ends_of_time_and_bounds_beyond_every_seed_hold_or_open_and_never_panic() {
    for waves in [
        r#""0":"9999-12-31T23:59:59Z","2048":"0000-01-01T00:00:00Z""#,
        r#""0":"2026-01-02T00:00:00Z","1024":"2026-01-01T00:00:00Z""#,
        r#""18446744073709551616":"2026-01-01T00:00:00Z""#,
        r#""4294967295":"+262142-12-31T23:59:59Z""#,
        r#""-1":"2026-01-01T00:00:00Z""#,
    ] {
        let (world, host) = offered();
        let manifest = format!(r#"{{"updates":[{}],"migrations":{{}}}}"#, entry("b.lz4", waves));
        forge(&world, "manifest.json", manifest.as_bytes());
        let ran = host.run("updog", &["check-update"]);
        assert!(matches!(ran.code(), Some(0 | 1)) && !ran.stderr.contains("panicked"), "{waves}: {ran}");
    }
}

#[test]
fn memory_that_moved_on_does_not_stop_the_boot_of_what_was_staged() {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    forge(&world, "manifest.json", br#"{"updates":[],"migrations":{}}"#);
    let _ = host.run("updog", &["check-update"]);
    let shown = host.run("updog", &["trust", "show"]).expect_ok();
    assert!(shown.stdout.contains("version 101"), "{shown}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}
