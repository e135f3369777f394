//! SHA-256, SHA-512, both, and others: of targets, and of the roles that timestamp and snapshot name.

use std::fs;

use serde_json::{Value, json};

use super::signer::{sha256, sha512};
use super::stage::Stage;

/// Digests of `bytes` and whether they may be taken.
fn kinds(bytes: &[u8]) -> Vec<(Value, bool)> {
    let (short, long) = (sha256(bytes), sha512(bytes));
    let (zeros, long_zeros) = ("00".repeat(32), "00".repeat(64));
    vec![
        (json!({ "sha256": short }), true),
        (json!({ "sha512": long }), true),
        (json!({ "sha256": short, "sha512": long }), true),
        (json!({ "sha256": short, "blake2b-256": zeros }), true),
        (json!({ "sha512": long, "sha224": "wrong" }), true),
        // A right one does not excuse a wrong one.
        (json!({ "sha256": short, "sha512": long_zeros }), false),
        (json!({ "sha256": zeros, "sha512": long }), false),
        (json!({ "sha512": long_zeros }), false),
        (json!({ "sha256": long }), false),
        (json!({ "sha256": short, "sha512": short }), false),
        (json!({ "blake2b-256": zeros }), false),
        (json!({}), false),
    ]
}

#[test]
fn every_known_digest_of_a_target_has_to_match() {
    for (hashes, good) in kinds(b"bytes") {
        let mut stage = Stage::new();
        for digest in [sha256(b"bytes"), sha512(b"bytes"), "00".repeat(64)] {
            stage.put_artifact(&format!("{digest}.there"), b"bytes");
        }
        stage.role("targets")["targets"]["there"] = json!({ "length": 5, "hashes": hashes });
        stage.target("targets", "other", b"other", &format!("{}.other", sha256(b"other")));
        stage.publish_next();
        stage.init();
        let ended = stage.download(&["there"]);
        assert_eq!(ended.code, i32::from(!good), "{hashes}: {}", ended.stderr);
        assert_eq!(stage.artifacts().join("there").exists(), good);
        assert_eq!(stage.download(&["other"]).code, 0, "{hashes} is nobody else's business");
        if good {
            assert_eq!(fs::read(stage.artifacts().join("there")).unwrap(), b"bytes");
            assert_eq!(stage.download(&["there"]).code, 0);
            assert_eq!(stage.asked(), ["2.root.json", "timestamp.json"], "it is there");
        }
    }
}

#[test]
fn every_known_digest_of_a_role_has_to_match() {
    for role in ["snapshot", "targets", "A"] {
        for number in 0..kinds(b"").len() {
            let mut stage = Stage::new();
            stage.delegate("A", "*");
            stage.target("A", "there", b"bytes", &format!("{}.there", sha256(b"bytes")));
            stage.publish_next();
            let (version, above) = match role {
                "snapshot" => (2, "timestamp"),
                "targets" => (2, "snapshot"),
                _ => (1, "snapshot"),
            };
            let bytes = stage.served(&format!("{version}.{role}.json"));
            let (hashes, good) = kinds(&bytes).swap_remove(number);
            stage.role(above)["meta"][format!("{role}.json")]["hashes"] = hashes.clone();
            let meta = stage.put_role(above);
            if above == "snapshot" {
                stage.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
                let _ = stage.put_role("timestamp");
            }
            stage.init();
            let ended = stage.download(&["there"]);
            assert_eq!(ended.code, i32::from(!good), "{role} {hashes}: {}", ended.stderr);
            if good {
                assert_eq!(stage.download(&["there"]).code, 0);
                assert_eq!(stage.asked(), ["2.root.json", "timestamp.json"], "remembered: {role} {hashes}");
            }
        }
    }
}
