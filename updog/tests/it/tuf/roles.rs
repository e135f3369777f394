//! The roles below root: rollback, mix-and-match, expiry, signatures, what is asked for again.

use serde_json::json;

use super::signer::Key;
use super::stage::{BELOW, PAST, Stage};

/// A stage whose client has seen version 2 of everything below root.
fn at_two() -> Stage {
    let mut stage = Stage::new();
    stage.init();
    stage.publish_next();
    stage.refreshed();
    stage.trusts([1, 2, 2, 2]);
    stage
}

#[test]
fn what_did_not_change_is_not_asked_for_again() {
    for (digests, consistent) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut stage = Stage::new();
        stage.digests = digests;
        stage.role("root")["consistent_snapshot"] = json!(consistent);
        stage.next_root();
        stage.publish();
        stage.init();
        stage.refreshed();
        let named = |name: &str| if consistent { format!("1.{name}") } else { name.to_owned() };
        let all = [
            "2.root.json".to_owned(),
            "3.root.json".to_owned(),
            "timestamp.json".to_owned(),
            named("snapshot.json"),
            named("targets.json"),
        ];
        assert_eq!(stage.asked(), all);
        stage.refreshed();
        assert_eq!(stage.asked(), ["3.root.json", "timestamp.json"]);
        stage.bump("timestamp");
        stage.publish();
        stage.refreshed();
        assert_eq!(
            stage.asked(),
            ["3.root.json", "timestamp.json"],
            "a new timestamp names the same snapshot"
        );
        stage.trusts([2, 2, 1, 1]);
    }
}

#[test]
fn a_role_that_others_have_to_sign_now_is_fetched_although_its_version_is_the_same() {
    for role in ["snapshot", "targets"] {
        let mut stage = Stage::new();
        stage.digests = false;
        stage.publish();
        stage.init();
        stage.refreshed();
        stage.keys(role, 1, vec![Key::ecdsa()]);
        stage.next_root();
        stage.publish();
        stage.refreshed();
        assert_eq!(stage.bytes(&format!("{role}.json")), stage.served(&format!("1.{role}.json")));
    }
}

#[test]
fn rollback_of_each_role_is_refused() {
    for digests in [true, false] {
        for (role, trusted) in [
            ("timestamp", [1, 2, 2, 2]),
            ("snapshot", [1, 2, 2, 2]),
            // The snapshot that names the older targets role is itself refused.
            ("targets", [1, 3, 2, 2]),
        ] {
            let mut stage = at_two();
            stage.digests = digests;
            stage.publish_next();
            stage.set_version(role, 1);
            stage.publish();
            stage.refused("before");
            stage.trusts(trusted);
        }
    }
}

#[test]
fn a_repository_recovers_from_fast_forward_by_new_keys() {
    for role in BELOW {
        let mut stage = Stage::new();
        stage.init();
        stage.set_version(role, 100_000);
        stage.publish();
        stage.refreshed();
        for rotated in ["timestamp", "snapshot"] {
            stage.keys(rotated, 1, vec![Key::ed25519()]);
        }
        stage.next_root();
        stage.set_version(role, 1);
        stage.publish();
        stage.refreshed();
        stage.trusts([2, 1, 1, 1]);
    }
}

#[test]
fn roles_of_different_snapshots_are_not_mixed() {
    for role in ["snapshot", "targets"] {
        let mut stage = at_two();
        let old = stage.served(&format!("2.{role}.json"));
        stage.publish_next();
        // An older, well signed file in the place of the one that is named: another digest, another version.
        let old: serde_json::Value = serde_json::from_slice(&old).unwrap();
        stage.put(&format!("3.{role}.json"), &old);
        stage.refused(role);
        stage.trusts(if role == "snapshot" { [1, 3, 2, 2] } else { [1, 3, 3, 2] });
        // By versions alone.
        stage.digests = false;
        stage.publish_next();
        stage.put(&format!("4.{role}.json"), &old);
        stage.refused("version 2");
        stage.trusts(if role == "snapshot" { [1, 4, 2, 2] } else { [1, 4, 4, 2] });
    }
}

#[test]
fn a_timestamp_of_the_same_version_with_other_content_is_ignored() {
    let mut stage = at_two();
    let before = stage.bytes("timestamp.json");
    stage.role("timestamp")["meta"]["snapshot.json"]["version"] = json!(100);
    let envelope = stage.envelope("timestamp");
    stage.put("timestamp.json", &envelope);
    stage.refreshed();
    assert_eq!(stage.asked().last().unwrap(), "timestamp.json");
    assert_eq!(stage.bytes("timestamp.json"), before);
}

#[test]
fn an_expired_role_ends_the_walk_and_what_came_before_it_is_kept() {
    for (role, trusted, last) in [
        ("root", [2, 2, 2, 2], "3.root.json"),
        ("timestamp", [2, 2, 2, 2], "timestamp.json"),
        ("snapshot", [2, 3, 2, 2], "3.snapshot.json"),
        ("targets", [2, 3, 3, 2], "3.targets.json"),
    ] {
        let mut stage = at_two();
        stage.role(role)["expires"] = json!(PAST);
        stage.next_root();
        stage.publish_next();
        stage.refused(&format!("its {role} metadata expired on 2020-01-01"));
        stage.trusts(trusted);
        assert_eq!(stage.asked().last().unwrap(), last);
    }
}

#[test]
fn a_role_that_nobody_signed_ends_the_walk_and_what_came_before_it_is_kept() {
    for (role, trusted) in
        [("timestamp", [1, 2, 2, 2]), ("snapshot", [1, 3, 2, 2]), ("targets", [1, 3, 3, 2])]
    {
        let mut stage = at_two();
        stage.signers.insert(role.to_owned(), vec![Key::ed25519()]);
        stage.publish_next();
        stage.refused(&format!("the {role} role is not signed"));
        stage.trusts(trusted);
    }
}

#[test]
fn signatures_of_one_key_count_once_and_too_few_are_refused() {
    for role in BELOW {
        let mut stage = Stage::new();
        let three = vec![Key::ed25519(), Key::ecdsa(), Key::rsa()];
        stage.keys(role, 3, three);
        stage.next_root();
        stage.publish_next();
        stage.init();
        stage.refreshed();
        stage.trusts([2, 2, 2, 2]);
        let _ = stage.signers.get_mut(role).unwrap().pop();
        stage.digests = false;
        stage.publish_next();
        stage.refused(&format!("the {role} role is not signed"));
        let mut twice = stage.envelope(role);
        let again = twice["signatures"][0].clone();
        twice["signatures"].as_array_mut().unwrap().push(again);
        let file = if role == "timestamp" { "timestamp.json".to_owned() } else { format!("3.{role}.json") };
        stage.put(&file, &twice);
        stage.refused(&format!("the {role} role is not signed"));
        let at = stage.trusted().into_iter().find(|(name, _)| *name == format!("{role}.json"));
        assert_eq!(at.unwrap().1, 2);
    }
}

#[test]
fn one_bad_signature_beside_enough_good_ones_does_no_harm() {
    let mut stage = Stage::new();
    stage.keys("timestamp", 1, vec![Key::ed25519(), Key::ecdsa()]);
    stage.next_root();
    stage.init();
    for (version, bad) in [(2, "3045022100ee"), (3, "")] {
        stage.set_version("timestamp", version);
        let mut envelope = stage.envelope("timestamp");
        envelope["signatures"][0]["sig"] = json!(bad);
        stage.put("timestamp.json", &envelope);
        stage.refreshed();
    }
    stage.trusts([2, 3, 1, 1]);
}

#[test]
fn metadata_with_another_length_or_digest_than_named_is_refused() {
    for (role, above, trusted) in
        [("snapshot", "timestamp", [1, 3, 2, 2]), ("targets", "snapshot", [1, 3, 3, 2])]
    {
        for (field, wrong) in [("length", json!(10)), ("hashes", json!({ "sha256": "00".repeat(32) }))] {
            let mut stage = at_two();
            stage.publish_next();
            stage.role(above)["meta"][format!("{role}.json")][field] = wrong;
            let meta = stage.put_role(above);
            if above == "snapshot" {
                stage.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
                let _ = stage.put_role("timestamp");
            }
            stage.refused(role);
            stage.trusts(trusted);
        }
    }
}

#[test]
fn progress_is_kept_when_a_later_role_does_not_come() {
    let mut stage = at_two();
    stage.next_root();
    stage.publish_next();
    let snapshot = stage.roles["snapshot"].clone();
    stage.role("snapshot")["meta"]["targets.json"]["version"] = json!(9);
    let meta = stage.put_role("snapshot");
    stage.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
    let _ = stage.put_role("timestamp");
    stage.refused("9.targets.json");
    stage.trusts([2, 3, 3, 2]);
    stage.roles.insert("snapshot".to_owned(), snapshot);
    for role in ["timestamp", "snapshot"] {
        stage.bump(role);
    }
    stage.set_version("targets", 9);
    stage.publish();
    stage.refreshed();
    stage.trusts([2, 4, 4, 9]);
}

#[test]
fn pages_and_endless_files_are_no_metadata() {
    let mut stage = at_two();
    stage.publish_next();
    let huge = json!({ "signed": {}, "pad": "x".repeat(2 << 20) });
    stage.put("timestamp.json", &huge);
    stage.refused("timestamp.json");
    stage.trusts([1, 2, 2, 2]);
}
