//! Hosts whose releases are signed with a SHA-512, alone or beside a SHA-256: each one that is there counts.

use std::fs;

use ring::digest::{SHA512, digest};
use testdata::World;
use trusted_repo::{Hashes, TargetInfo};

use crate::forged::{forge_words, listed};
use crate::support::{Snapshot, failure, offered, offered_again, refused};

/// Signs every target of the world again, with the digests that `hashes` makes of what is signed of it now and of its
/// SHA-512, and has its file under the name that they give it.
fn sign_with(world: &World, hashes: impl Fn(&TargetInfo, [u8; 64]) -> Hashes) {
    let dir = world.repo_dir().join("targets");
    let signed = listed(world).into_iter().map(|target| {
        let file = dir.join(format!("{}.{}", target.hashes.hex(), target.name));
        let bytes = fs::read(&file).unwrap();
        let sha512 = digest(&SHA512, &bytes).as_ref().try_into().unwrap();
        let hashes = hashes(&target, sha512);
        fs::write(dir.join(format!("{}.{}", hashes.hex(), target.name)), bytes).unwrap();
        TargetInfo { hashes, ..target }
    });
    let signed = signed.collect();
    forge_words(world, signed);
}

#[test]
fn release_that_is_signed_with_a_sha512_alone_is_installed_booted_and_rolled_back() {
    let (world, mut host) = offered();
    sign_with(&world, |_, sha512| Hashes::sha512(sha512));
    let _ = host.run("updog", &["update"]).expect_ok();
    // Its migrations are verified from the cached set, without a network.
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    world.server().clear_log();
    let _ = host.run("updog", &["check-update"]);
    assert_eq!(world.server().requests().len(), 2, "the manifest is remembered by its SHA-512");
    let _ = host.run("updog", &["rollback", "--reboot"]).expect_ok();
    assert_eq!(host.reboot_if_requested().unwrap().version_at_once(), Some("1.0.0"));
}

#[test]
fn wrong_sha512_beside_a_right_sha256_is_refused_for_each_small_target_before_anything_changes() {
    for wrong in ["manifest.json", "-hash.lz4", "migrate_v1.1.0_"] {
        let (world, mut host) = offered();
        sign_with(&world, |target, sha512| {
            let lie = target.name == wrong || target.name.ends_with(wrong) || target.name.starts_with(wrong);
            target.hashes.clone().and_sha512(if lie { [0; 64] } else { sha512 })
        });
        let said = refused(&mut host);
        assert_eq!(said.code, "tampered", "{wrong}: {}", said.message);
        assert!(said.message.contains("SHA-512"), "{wrong}: {}", said.message);
    }
}

#[test]
fn wrong_sha512_beside_a_right_sha256_never_lets_root_or_boot_become_bootable() {
    for wrong in ["1.2.0-root.lz4", "1.2.0-boot.lz4"] {
        let (world, mut host) = offered_again();
        sign_with(&world, |target, sha512| {
            target.hashes.clone().and_sha512(if target.name.ends_with(wrong) { [0; 64] } else { sha512 })
        });
        let before = Snapshot::of(&host);
        let said = failure(&host.run("updog", &["update", "--json"]));
        assert!(said.code == "tampered" && said.message.contains("SHA-512"), "{wrong}: {}", said.message);
        before.assert_only_cleared(&host);
        assert_eq!(host.reboot().version_at_once(), Some("1.1.0"), "{wrong}");
    }
}
