//! The root chain: rotation, thresholds, types of keys.

use serde_json::json;

use super::signer::{Key, signed};
use super::stage::{BELOW, Stage};

#[test]
fn a_client_begins_with_a_root_and_walks_to_the_newest() {
    let mut stage = Stage::new();
    stage.init();
    stage.trusts([1, 0, 0, 0]);
    stage.next_root();
    stage.next_root();
    stage.refreshed();
    stage.trusts([3, 1, 1, 1]);
    let asked =
        ["2.root.json", "3.root.json", "4.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"];
    assert_eq!(stage.asked(), asked);
    for (name, file) in [
        ("root.json", "3.root.json"),
        ("timestamp.json", "timestamp.json"),
        ("snapshot.json", "1.snapshot.json"),
        ("targets.json", "1.targets.json"),
    ] {
        assert_eq!(stage.bytes(name), stage.served(file), "{name} is not as it was received");
    }
}

#[test]
fn a_file_that_is_no_signed_root_begins_nothing() {
    let stage = Stage::new();
    let mut unsigned = stage.envelope("root");
    unsigned["signatures"] = json!([]);
    let mut changed = stage.envelope("root");
    changed["signed"]["version"] = json!(7);
    for root in [b"hello".to_vec(), unsigned.to_string().into_bytes(), changed.to_string().into_bytes()] {
        assert_eq!(stage.init_with(&root).code, 1);
        stage.refused("find a trusted root");
        assert!(stage.asked().is_empty());
    }
}

#[test]
fn the_same_root_again_changes_nothing_and_another_one_begins_anew() {
    let mut stage = Stage::new();
    stage.init();
    stage.next_root();
    stage.refreshed();
    stage.init();
    stage.trusts([2, 1, 1, 1]);
    let other = Stage::new();
    assert_eq!(stage.init_with(&other.served("1.root.json")).code, 0);
    stage.trusts([1, 0, 0, 0]);
}

/// Keys that the root names, how many have to sign, who signs.
type Version<'a> = (&'a [usize], u64, &'a [usize]);

/// Publishes a chain of roots; whether the client takes the last of them.
fn rotates(versions: &[Version<'_>]) -> bool {
    let mut stage = Stage::new();
    let pool: Vec<Key> = (0..10).map(|_| Key::ed25519()).collect();
    for (number, (keys, threshold, signers)) in versions.iter().enumerate() {
        let ids: Vec<&String> = keys.iter().map(|key| &pool[*key].id).collect();
        let root = stage.role("root");
        for key in *keys {
            root["keys"][&pool[*key].id] = pool[*key].public.clone();
        }
        root["roles"]["root"] = json!({ "keyids": ids, "threshold": threshold });
        root["version"] = json!(number + 1);
        let envelope = signed(&stage.roles["root"], signers.iter().map(|key| &pool[*key]));
        stage.put(&format!("{}.root.json", number + 1), &envelope);
    }
    stage.init();
    let taken = stage.refresh().code == 0;
    let newest = if taken { versions.len() } else { versions.len() - 1 };
    assert_eq!(stage.bytes("root.json"), stage.served(&format!("{newest}.root.json")));
    taken
}

#[test]
fn roots_rotate_with_a_threshold_of_old_and_new_keys() {
    let five: &[usize] = &[0, 1, 2, 3, 4];
    let chains: [&[Version<'_>]; 9] = [
        &[(&[1], 1, &[1]), (&[2], 1, &[2, 1]), (&[2], 1, &[2])],
        &[(&[1], 1, &[3, 1, 4]), (&[2], 1, &[3, 2, 1, 4]), (&[2], 1, &[3, 2, 4])],
        &[(five, 3, &[0, 2, 4]), (five, 3, &[0, 4, 1]), (five, 3, &[0, 1, 3])],
        &[(five, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 1])],
        &[(five, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 2, 4, 5]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 5])],
        &[(five, 3, &[0, 2, 4]), (&[5, 6, 7, 8, 9], 3, &[0, 2, 4, 5, 6, 7])],
        &[(&[1, 2, 3], 1, &[1]), (&[1, 2, 3], 2, &[1, 2])],
        &[(&[1, 2, 3], 2, &[1, 2]), (&[1, 2, 3], 1, &[1, 2]), (&[1, 2, 3], 1, &[1])],
        &[(&[1], 1, &[1]), (&[1, 2], 2, &[1, 2])],
    ];
    for chain in chains {
        assert!(rotates(chain), "{chain:?}");
    }
}

#[test]
fn roots_without_a_threshold_of_old_or_new_keys_are_refused() {
    let five: &[usize] = &[0, 1, 2, 3, 4];
    let chains: [&[Version<'_>]; 6] = [
        &[(&[1], 1, &[1]), (&[2], 1, &[2, 3, 4])],
        &[(&[1], 1, &[1]), (&[2], 1, &[1, 3, 4])],
        &[(five, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 2, 4])],
        &[(five, 3, &[0, 2, 4]), (&[0, 1, 3, 4, 5], 3, &[0, 4, 5])],
        &[(&[1, 2, 3], 1, &[1]), (&[1, 2, 3], 2, &[2])],
        &[(&[1, 2, 3], 2, &[1, 2]), (&[1, 2, 3], 1, &[1])],
    ];
    for chain in chains {
        assert!(!rotates(chain), "{chain:?}");
    }
}

#[test]
fn a_key_under_two_identities_is_one_holder() {
    for (one, again) in [
        (Key::ed25519(), (|key| key.remarked("again")) as fn(&Key) -> Key),
        (Key::rsa(), |key| key.remarked("again")),
        (Key::ecdsa(), |key| key.remarked("again")),
        (Key::ecdsa(), Key::of_old),
    ] {
        // As the first root, as the next one, and for each role below.
        let mut stage = Stage::new();
        stage.keys("root", 2, vec![again(&one), again(&one).remarked("once more")]);
        assert_eq!(stage.init_with(stage.envelope("root").to_string().as_bytes()).code, 1);
        stage.refused("find a trusted root");

        let mut stage = Stage::new();
        stage.init();
        let before = stage.signers.remove("root").unwrap();
        stage.keys("root", 2, vec![again(&one), one.remarked("")]);
        stage.signers.get_mut("root").unwrap().extend(before);
        stage.next_root();
        stage.refused("the root role is not signed");
        stage.trusts([1, 0, 0, 0]);

        for role in BELOW {
            let mut stage = Stage::new();
            stage.keys(role, 2, vec![again(&one), one.remarked("")]);
            stage.publish_root();
            stage.publish();
            stage.init();
            stage.refused(&format!("the {role} role is not signed"));
        }
    }
}

#[test]
fn a_holder_may_sign_under_any_identity_and_another_one_makes_two() {
    for left_out in 0..2 {
        let mut stage = Stage::new();
        let (one, two) = (Key::ed25519(), Key::ecdsa());
        stage.keys("timestamp", 2, vec![one.remarked("again"), one, two]);
        stage.publish_root();
        let _ = stage.signers.get_mut("timestamp").unwrap().remove(left_out);
        stage.publish();
        stage.init();
        stage.refreshed();
    }
}

#[test]
fn a_root_that_skips_a_version_or_repeats_one_is_refused() {
    for version in [1, 3] {
        let mut stage = Stage::new();
        stage.init();
        stage.set_version("root", version);
        let envelope = stage.envelope("root");
        stage.put("2.root.json", &envelope);
        stage.refused("root");
        stage.trusts([1, 0, 0, 0]);
    }
}

#[test]
fn every_type_of_key_signs_and_a_changed_signature_does_not() {
    for new in [Key::rsa(), Key::ecdsa(), Key::ed25519()] {
        let mut stage = Stage::new();
        stage.init();
        let old = stage.signers.remove("root").unwrap();
        let kind = new.public["keytype"].clone();
        stage.keys("root", 2, old.into_iter().chain([new]).collect());
        stage.next_root();
        stage.refreshed();
        stage.bump("root");
        let mut envelope = stage.envelope("root");
        let signature = envelope["signatures"][1]["sig"].as_str().unwrap().to_owned();
        let (body, last) = signature.split_at(signature.len() - 1);
        envelope["signatures"][1]["sig"] = json!(format!("{body}{}", if last == "0" { "1" } else { "0" }));
        stage.put("3.root.json", &envelope);
        stage.refused("root");
        assert_eq!(stage.trusted()[0], ("root.json".to_owned(), 2), "{kind}");
    }
}

#[test]
fn fields_that_nobody_knows_are_part_of_what_is_signed() {
    let mut stage = Stage::new();
    stage.init();
    stage.role("root")["x-note"] = json!({ "a": [1, "two", null, true] });
    stage.role("root")["roles"]["root"]["x-note"] = json!("value");
    stage.next_root();
    stage.refreshed();
    stage.bump("root");
    let mut envelope = stage.envelope("root");
    envelope["signed"]["x-note"] = json!("another");
    stage.put("3.root.json", &envelope);
    stage.refused("root");
}
