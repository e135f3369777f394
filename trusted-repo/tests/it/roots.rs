//! Chains of roots.

use trusted_repo::author::SignedRoot;

use crate::fixture::{Fixture, Keys, assert_refused, days, today};

/// The successor of `previous`, signed by two of the old and two of the new holders.
fn successor(previous: &SignedRoot, old: &Keys, new: &Keys) -> SignedRoot {
    let signers = [&old.root[0], &old.root[1], &new.root[0], &new.root[1]];
    let distinct = if std::ptr::eq(old, new) { &signers[..2] } else { &signers[..] };
    SignedRoot::successor(previous, &new.spec(previous.version() + 1, today() + days(365)), distinct)
        .expect("a rotation")
}

#[tokio::test]
async fn wrong_root_is_refused() {
    let fixture = Fixture::new();
    let stranger = Keys::new().root(1);
    let opened = fixture.open_from(fixture.source(), stranger.bytes(), today()).await;
    assert_refused(opened, "untrusted", "the timestamp role is not signed as the trusted root asks for");
}

#[tokio::test]
async fn shipped_root_that_is_no_root_is_refused() {
    let fixture = Fixture::new();
    for anchor in [&b""[..], b"{}", b"<html>"] {
        let opened = fixture.open_from(fixture.source(), anchor, today()).await;
        assert_refused(opened, "untrusted", "read the shipped root role");
    }
    assert!(fixture.remembered().is_empty());
}

#[tokio::test]
async fn root_rotation_is_followed_and_remembered() {
    let (first, second) = (Keys::new(), Keys::new());
    let root1 = first.root(1);
    let root2 = successor(&root1, &first, &second);
    let root3 = successor(&root2, &second, &second);
    let mut fixture = Fixture::with(first);
    fixture.open().await.expect("root 1");
    // The chain begins with a root that says the same as the fixture's own.
    fixture.begin_at(root1);
    fixture.editor.add_root(root2).expect("follows");
    fixture.editor.add_root(root3).expect("follows");
    fixture.signers = second.into_signers();
    fixture.sign_after(1, 1, 1);
    assert_eq!(fixture.open().await.expect("root 3").roles().root.version, 3);

    // From memory the chain is not needed again.
    for version in [1, 2, 3] {
        std::fs::remove_file(fixture.path(&format!("repo/metadata/{version}.root.json"))).expect("removed");
    }
    assert_eq!(fixture.open().await.expect("remembered").roles().root.version, 3);
}

#[tokio::test]
async fn rotation_after_a_theft_lets_versions_begin_again_once() {
    let (first, second) = (Keys::new(), Keys::new());
    let root1 = first.root(1);
    let root2 = successor(&root1, &first, &second);
    let mut fixture = Fixture::with(first);
    fixture.begin_at(root1);
    // The thief raised all versions.
    fixture.sign_after(1000, 1000, 1000);
    fixture.open().await.expect("fast-forwarded");
    fixture.editor.add_root(root2).expect("follows");
    fixture.signers = second.into_signers();
    fixture.sign_after(1, 1, 1);
    assert_eq!(fixture.open().await.expect("recovered").roles().timestamp.version, 2);
    fixture.sign_after(0, 0, 0);
    assert_refused(fixture.open().await, "untrusted", "version 1 of the timestamp role, and version 2");
}

#[tokio::test]
async fn rotation_forgets_the_timestamp_although_the_new_one_does_not_come() {
    let keys = Keys::new();
    let root1 = keys.root(1);
    // The old key stays valid beside the new one, so that nothing but forgetting helps.
    let both = [Keys::new().timestamp, keys.timestamp];
    let keys = Keys { timestamp: Keys::new().timestamp, ..keys };
    let spec = trusted_repo::author::RootSpec { timestamp: &both, ..keys.spec(2, today() + days(365)) };
    let root2 = SignedRoot::first(&spec, &[&keys.root[0], &keys.root[1]]).expect("two of three");
    let [new, old] = both;
    let mut fixture = Fixture::with(Keys { timestamp: old, ..keys });
    fixture.begin_at(root1);
    fixture.sign_after(1000, 1000, 1000);
    fixture.open().await.expect("fast-forwarded");

    fixture.editor.add_root(root2).expect("follows");
    fixture.signers.timestamp = new;
    fixture.sign_after(1, 1, 1);
    let timestamp = fixture.path("repo/metadata/timestamp.json");
    let bytes = std::fs::read(&timestamp).expect("published");
    std::fs::remove_file(&timestamp).expect("an outage");
    assert_refused(fixture.open().await, "not_a_repository", "fetch timestamp.json");
    assert!(fixture.memory().join("2.root.json").exists(), "progress is kept");
    assert!(!fixture.memory().join("timestamp.json").exists(), "the thief's timestamp is forgotten");
    std::fs::write(&timestamp, bytes).expect("healed");
    assert_eq!(fixture.open().await.expect("recovered").roles().timestamp.version, 2);
}

#[tokio::test]
async fn root_that_the_old_holders_did_not_sign_is_refused() {
    let (keys, thief) = (Keys::new(), Keys::new());
    let mut fixture = Fixture::with(keys);
    fixture.open().await.expect("root 1");
    let before = fixture.remembered();
    std::fs::write(fixture.path("repo/metadata/2.root.json"), thief.root(2).bytes()).expect("attacked");
    assert_refused(
        fixture.open().await,
        "untrusted",
        "the root role is not signed as the trusted root asks for",
    );
    assert_eq!(fixture.remembered(), before);
    std::fs::remove_file(fixture.path("repo/metadata/2.root.json")).expect("healed");
    fixture.sign();
    fixture.open().await.expect("as before");
}

#[tokio::test]
async fn flood_of_roots_is_cut_off_and_the_next_run_goes_on_from_there() {
    let keys = Keys::new();
    let mut root = keys.root(1);
    let mut fixture_roots = vec![root.clone()];
    for _ in 0..70 {
        root = successor(&root, &keys, &keys);
        fixture_roots.push(root.clone());
    }
    let mut fixture = Fixture::with(keys);
    let mut roots = fixture_roots.into_iter();
    let first = roots.next().expect("root 1");
    fixture.begin_at(first);
    for root in roots {
        fixture.editor.add_root(root).expect("follows");
    }
    fixture.sign();
    assert_refused(fixture.open().await, "untrusted", "more than 64 new root roles");
    assert!(fixture.memory().join("65.root.json").exists(), "progress is kept");
    assert_eq!(fixture.open().await.expect("the rest").roles().root.version, 71);
}

#[tokio::test]
async fn image_with_a_newer_root_takes_the_memory_over_and_rollback_stays_refused() {
    let keys = Keys::new();
    let root1 = keys.root(1);
    let root2 = successor(&root1, &keys, &keys);
    let mut fixture = Fixture::with(keys);
    fixture.begin_at(root1);
    fixture.sign_after(4, 4, 4);
    fixture.open().await.expect("seen by the old image");
    fixture.editor.add_root(root2.clone()).expect("follows");
    fixture.sign_after(3, 3, 3);
    let opened = fixture.open_from(fixture.source(), root2.bytes(), today()).await;
    assert_refused(opened, "untrusted", "version 4 of the timestamp role, and version 5");
    fixture.sign_after(5, 5, 5);
    let opened = fixture.open_from(fixture.source(), root2.bytes(), today()).await;
    assert_eq!(opened.expect("joined").roles().root.version, 2);
    // The old image, after a rollback, goes on from what the new one saw.
    fixture.sign_after(4, 4, 4);
    assert_refused(fixture.open().await, "untrusted", "version 5 of the timestamp role, and version 6");
}

#[tokio::test]
async fn two_roots_that_no_chain_joins_are_both_named() {
    let fixture = Fixture::new();
    fixture.open().await.expect("remembered");
    let before = fixture.remembered();
    let stranger = Keys::new().root(1);
    let opened = fixture.open_from(fixture.source(), stranger.bytes(), today()).await;
    assert_refused(opened, "untrusted", "one chain from the shipped root (version 1, SHA-256 ");
    assert_eq!(fixture.remembered(), before);
    fixture.open().await.expect("the right image goes on");
}
