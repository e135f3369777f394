//! Which roles a target is looked for in, and in which order: the requests of the server's log are those of the
//! specification's pre-order depth-first search, and no others.
//!
//! The public suite for TUF clients (theupdateframework/tuf-conformance) asks some of the same; where its cases are here:
//!
//! | its case | here |
//! |---|---|
//! | one role, brothers, two and three levels, in order; ends of a search; branches whose paths do not match; a role that two delegate to | `roles_are_searched_in_the_order_of_the_specification` |
//! | a cycle | `delegation_loop_ends_where_it_began` |
//! | a tree with patterns: top level, wildcard, folders, and a target that one delegator on the way does not allow | `every_delegator_on_the_way_has_to_allow_a_target` |
//! | names of roles that mean something in an address | `name_of_a_role_leads_nowhere` in `odd_roles` |
//! | a delegated role that has expired when it is first seen | `expired_role_ends_the_search_although_the_next_is_willing` |
//! | one that expires while it is remembered, and a newer one after that | `remembered_role_that_expires_meanwhile_counts_no_more_until_its_team_signs_it_again` in the tests of `trusted-repo` |

use std::fs;

use serde_json::json;

use super::signer::{Key, sha256};
use super::stage::{PAST, Stage};

/// A stage with these delegations, each from, to, for what, and whether it ends the search.
fn delegating(delegations: &[(&str, &str, &[&str], bool)]) -> Stage {
    let mut stage = Stage::new();
    for (from, to, patterns, terminating) in delegations {
        stage.delegate_from(from, to, patterns)["terminating"] = json!(terminating);
    }
    stage.publish_next();
    stage.init();
    stage
}

/// Lists a target in a role, where its file is as the specification has it.
fn list(stage: &mut Stage, role: &str, name: &str, bytes: &[u8]) {
    let digest = sha256(bytes);
    let file = match name.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/{digest}.{file}"),
        None => format!("{digest}.{name}"),
    };
    stage.target(role, name, bytes, &file);
}

/// Asserts that a target comes from a role that has it as `bytes`, and which roles were asked for.
fn found(stage: &Stage, name: &str, bytes: &[u8], asked: &[&str]) {
    let _none = fs::remove_dir_all(stage.artifacts());
    let ended = stage.download(&[name]);
    assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
    assert_eq!(fs::read(stage.artifacts().join(name)).unwrap(), bytes);
    assert_eq!(stage.asked_roles(), asked, "{name}");
}

/// Asserts that a target is refused for a reason that says `why`, and which roles were asked for.
fn lost(stage: &Stage, name: &str, why: &str, asked: &[&str]) {
    let ended = stage.download(&[name]);
    assert_eq!(ended.code, 1, "{name}");
    assert!(ended.stderr.contains(why), "{why:?} is not in {}", ended.stderr);
    assert_eq!(stage.asked_roles(), asked, "{name}");
}

const ALL: &[&str] = &["*"];

#[test]
fn roles_are_searched_in_the_order_of_the_specification() {
    let py: &[&str] = &["*.py"];
    for (delegations, asked) in [
        (&[("targets", "A", ALL, false)][..], &["A"][..]),
        (&[("targets", "A", ALL, false), ("targets", "B", ALL, false)], &["A", "B"]),
        (
            &[("targets", "A", ALL, false), ("targets", "B", ALL, false), ("B", "C", ALL, false)],
            &["A", "B", "C"],
        ),
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("A", "C", ALL, false),
                ("A", "D", ALL, false),
            ],
            &["A", "C", "D", "B"],
        ),
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("A", "C", ALL, false),
                ("C", "D", ALL, false),
            ],
            &["A", "C", "D", "B"],
        ),
        // A role that two delegate to is met below the first of them that delegates what is asked for.
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("B", "C", ALL, false),
                ("A", "C", ALL, false),
            ],
            &["A", "C", "B"],
        ),
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("B", "C", ALL, false),
                ("A", "C", py, false),
            ],
            &["A", "B", "C"],
        ),
        // One that ends the search ends it for its brothers and for its delegator's.
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("A", "C", ALL, true),
                ("A", "D", ALL, false),
            ],
            &["A", "C"],
        ),
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("A", "C", ALL, true),
                ("C", "D", ALL, false),
            ],
            &["A", "C", "D"],
        ),
        // One whose paths do not match ends nothing, and is not asked for.
        (&[("targets", "A", py, true), ("targets", "B", ALL, false), ("A", "C", ALL, false)], &["B"]),
        (
            &[
                ("targets", "A", ALL, false),
                ("targets", "B", ALL, false),
                ("A", "C", py, false),
                ("C", "D", ALL, false),
            ],
            &["A", "B"],
        ),
    ] {
        let stage = delegating(delegations);
        lost(&stage, "missing", "find the target missing", asked);
        let ended = stage.refresh();
        assert_eq!((ended.code, stage.asked_roles().len()), (0, 0), "a refresh needs none of them");
        lost(&stage, "missing", "find the target missing", &[]);
    }
}

#[test]
fn delegation_loop_ends_where_it_began() {
    let stage = delegating(&[
        ("targets", "A", ALL, false),
        ("targets", "B", ALL, false),
        ("B", "C", ALL, false),
        ("C", "D", ALL, false),
        ("D", "B", ALL, false),
    ]);
    lost(&stage, "missing", "does not list it", &["A", "B", "C", "D"]);
}

#[test]
fn role_that_is_its_own_delegator_is_asked_once() {
    let mut stage = delegating(&[("targets", "A", ALL, false), ("A", "A", ALL, true)]);
    lost(&stage, "missing", "does not list it", &["A"]);
    list(&mut stage, "A", "there", b"there");
    stage.bump("A");
    stage.publish_next();
    found(&stage, "there", b"there", &["A"]);
}

#[test]
fn diamond_of_two_delegators_leads_to_one_role() {
    let mut stage = Stage::new();
    for (from, to) in [("targets", "A"), ("targets", "B"), ("A", "C"), ("B", "C")] {
        stage.delegate_from(from, to, ALL);
    }
    list(&mut stage, "C", "there", b"there");
    stage.publish_next();
    stage.init();
    found(&stage, "there", b"there", &["A", "C"]);
}

#[test]
fn two_roles_of_one_name_count_under_the_delegator_that_the_search_came_through() {
    let mut stage = Stage::new();
    stage.delegate_from("targets", "A", &["a*"]);
    stage.delegate_from("targets", "B", &["*"]);
    stage.delegate_from("A", "C", &["*"]);
    stage.delegate_from("B", "C", &["*"]);
    for name in ["abc", "xyz"] {
        list(&mut stage, "C", name, name.as_bytes());
    }
    // B means another C than A does: the published one is not signed as it asks for.
    let stranger = Key::ed25519();
    stage.role("B")["delegations"]["keys"][&stranger.id] = stranger.public.clone();
    stage.role("B")["delegations"]["roles"][0]["keyids"] = json!([stranger.id]);
    stage.publish_next();
    stage.init();
    found(&stage, "abc", b"abc", &["A", "C"]);
    // What is remembered of it was verified for somebody else.
    lost(&stage, "xyz", "the delegated role \"C\" is not signed as B asks for", &["B", "C"]);
    let ended = stage.download(&["abc", "xyz"]);
    assert_eq!(ended.code, 1, "in one run as well");
    assert!(ended.stderr.contains("as B asks for"), "{}", ended.stderr);
}

#[test]
fn remembered_role_is_held_against_the_delegator_of_now() {
    for digests in [true, false] {
        let mut stage = Stage::new();
        stage.digests = digests;
        stage.delegate("A", "*");
        list(&mut stage, "A", "there", b"there");
        stage.publish_next();
        stage.init();
        found(&stage, "there", b"there", &["A"]);
        found(&stage, "there", b"there", &[]);
        // Its key is taken away, and its file stays as it is.
        let other = Key::ed25519();
        stage.role("targets")["delegations"]["keys"] = json!({ &other.id: other.public });
        stage.role("targets")["delegations"]["roles"][0]["keyids"] = json!([other.id]);
        stage.publish_next();
        lost(&stage, "there", "the delegated role \"A\" is not signed as targets asks for", &["A"]);
        stage.signers.insert("A".to_owned(), vec![other]);
        stage.bump("A");
        stage.publish_next();
        found(&stage, "there", b"there", &["A"]);
    }
}

#[test]
fn every_delegator_on_the_way_has_to_allow_a_target() {
    let mut stage = delegating(&[
        ("targets", "A", &["*.doc", "*.md"], false),
        ("targets", "B", &["releases/*/*"], false),
        ("B", "C", &["releases/x/*"], false),
        ("B", "D", &["releases/y/*.zip"], false),
    ]);
    for (role, name) in [
        ("targets", "file"),
        ("A", "README.md"),
        ("C", "releases/x/1"),
        ("D", "releases/y/1.zip"),
        // Nobody lets D have this one, and nobody lets A have a folder.
        ("D", "releases/z/1.zip"),
        ("A", "folder/README.md"),
    ] {
        list(&mut stage, role, name, name.as_bytes());
    }
    ["A", "C", "D"].into_iter().for_each(|role| stage.bump(role));
    stage.publish_next();
    found(&stage, "file", b"file", &[]);
    found(&stage, "README.md", b"README.md", &["A"]);
    found(&stage, "releases/x/1", b"releases/x/1", &["B", "C"]);
    found(&stage, "releases/y/1.zip", b"releases/y/1.zip", &["D"]);
    lost(&stage, "releases/z/1.zip", "does not list it", &[]);
    lost(&stage, "folder/README.md", "does not list it", &[]);
    lost(&stage, "readme.MD", "does not list it", &[]);
}

#[test]
fn terminating_role_that_lacks_the_target_ends_the_search_although_the_next_has_it() {
    let mut stage = delegating(&[("targets", "A", ALL, true), ("targets", "B", ALL, false)]);
    list(&mut stage, "B", "there", b"there");
    stage.bump("B");
    stage.publish_next();
    lost(&stage, "there", "and \"A\" ends the search", &["A"]);
}

#[test]
fn expired_role_ends_the_search_although_the_next_is_willing() {
    let mut stage = delegating(&[("targets", "A", ALL, false), ("targets", "B", &["*", "*/*"], false)]);
    for name in ["there", "sub/there"] {
        list(&mut stage, "B", name, b"there");
    }
    stage.role("A")["expires"] = json!(PAST);
    ["A", "B"].into_iter().for_each(|role| stage.bump(role));
    stage.publish_next();
    lost(&stage, "there", "its A metadata expired on 2020-01-01", &["A"]);
    found(&stage, "sub/there", b"there", &["B"]);
}

#[test]
fn what_is_wrong_with_a_role_that_is_not_needed_blocks_nothing() {
    let mut stage = Stage::new();
    for (name, pattern) in [
        ("unsigned", "u*"),
        ("gone", "g*"),
        ("unnamed", "n*"),
        ("expired", "e*"),
        ("good", "*"),
        ("reaching", "r*"),
    ] {
        stage.delegate(name, pattern);
    }
    stage.signers.insert("unsigned".to_owned(), vec![Key::ed25519()]);
    stage.role("expired")["expires"] = json!(PAST);
    list(&mut stage, "good", "there", b"there");
    list(&mut stage, "reaching", "stolen", b"stolen");
    list(&mut stage, "reaching", "right", b"right");
    // A key of a kind that nobody knows is no worse.
    let delegations = &mut stage.role("targets")["delegations"];
    delegations["keys"]["00"] = json!({ "keytype": "quantum", "scheme": "quantum", "keyval": {} });
    stage.publish_next();
    let unnamed = stage.role("snapshot")["meta"].as_object_mut().unwrap().remove("unnamed.json");
    assert!(unnamed.is_some());
    stage.role("snapshot")["meta"]["gone.json"]["version"] = json!(7);
    let meta = stage.put_role("snapshot");
    stage.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
    let _ = stage.put_role("timestamp");
    stage.init();
    found(&stage, "there", b"there", &["good"]);
    // An over-reaching role does not deliver what it reaches for; the rest of it counts.
    lost(&stage, "stolen", "does not list it", &[]);
    lost(
        &stage,
        "undone",
        "the delegated role \"unsigned\" is not signed as targets asks for",
        &["unsigned"],
    );
    lost(&stage, "never", "its snapshot does not name the delegated role \"unnamed\"", &[]);
    lost(&stage, "got", "fetch 7.gone.json", &["gone"]);
    lost(&stage, "ended", "its expired metadata expired", &["expired"]);
    found(&stage, "right", b"right", &["reaching"]);
}

#[test]
fn version_length_and_digest_of_a_delegated_role_are_those_of_the_snapshot() {
    for (field, wrong, why) in [
        ("version", json!(7), "version"),
        ("length", json!(10), "A.json"),
        ("length", json!(100_000), "the length of"),
        ("hashes", json!({ "sha256": "00".repeat(32) }), "the SHA-256 of"),
        ("hashes", json!({ "md5": "00" }), "without a SHA-256 or SHA-512"),
    ] {
        let mut stage = Stage::new();
        stage.delegate("A", "*");
        list(&mut stage, "A", "there", b"there");
        stage.publish_next();
        let bytes = stage.served("1.A.json");
        stage.role("snapshot")["meta"]["A.json"][field] = wrong;
        let meta = stage.put_role("snapshot");
        stage.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
        let _ = stage.put_role("timestamp");
        // The file is there under every version.
        stage.put("7.A.json", &serde_json::from_slice(&bytes).unwrap());
        stage.init();
        lost(&stage, "there", why, &["A"]);
        stage.trusts([1, 2, 2, 2]);
    }
}

#[test]
fn threshold_of_a_delegated_role_counts_each_key_once() {
    let mut stage = Stage::new();
    let keys = vec![Key::ed25519(), Key::ecdsa()];
    let role = stage.delegate_from("targets", "A", ALL);
    role["keyids"] = json!([keys[0].id, keys[1].id, "00", keys[0].id]);
    role["threshold"] = json!(2);
    for key in &keys {
        stage.role("targets")["delegations"]["keys"][&key.id] = key.public.clone();
    }
    // The same key under another identity is no second one.
    stage.role("targets")["delegations"]["keys"]["00"] = keys[0].public.clone();
    list(&mut stage, "A", "there", b"there");
    stage.signers.insert("A".to_owned(), keys);
    stage.publish_next();
    stage.init();
    found(&stage, "there", b"there", &["A"]);
    let _ = stage.signers.get_mut("A").unwrap().pop();
    stage.bump("A");
    stage.digests = false;
    stage.publish_next();
    let why = "the delegated role \"A\" is not signed as targets asks for";
    lost(&stage, "there", why, &["A"]);
    let mut forged = stage.envelope("A");
    let mut again = forged["signatures"][0].clone();
    again["keyid"] = json!("00");
    forged["signatures"].as_array_mut().unwrap().push(again);
    stage.put("2.A.json", &forged);
    lost(&stage, "there", why, &["A"]);
}

#[test]
fn key_under_two_right_identities_counts_once_for_a_delegated_role() {
    let mut stage = Stage::new();
    let one = Key::ed25519();
    let keys = vec![one.remarked("again"), one];
    let role = stage.delegate_from("targets", "A", ALL);
    role["keyids"] = json!([keys[0].id, keys[1].id]);
    role["threshold"] = json!(2);
    for key in &keys {
        stage.role("targets")["delegations"]["keys"][&key.id] = key.public.clone();
    }
    list(&mut stage, "A", "there", b"there");
    stage.signers.insert("A".to_owned(), keys);
    stage.publish_next();
    stage.init();
    lost(&stage, "there", "the delegated role \"A\" is not signed as targets asks for", &["A"]);
}

#[test]
fn bins_by_digest_are_found_without_asking_for_any_other() {
    let mut stage = Stage::new();
    let bin = |name: &str| sha256(name.as_bytes())[..1].to_owned();
    for digit in "0123456789abcdef".chars() {
        let role = stage.delegate_from("targets", &format!("bin-{digit}"), &[]);
        let _ = role.as_object_mut().unwrap().remove("paths");
        role["path_hash_prefixes"] = json!([digit.to_string()]);
    }
    for name in ["one", "folder/two"] {
        list(&mut stage, &format!("bin-{}", bin(name)), name, name.as_bytes());
    }
    // In the wrong bin it is nowhere.
    let wrong = if bin("three") == "0" { "bin-1" } else { "bin-0" };
    list(&mut stage, wrong, "three", b"three");
    stage.publish_next();
    stage.init();
    for name in ["one", "folder/two"] {
        found(&stage, name, name.as_bytes(), &[&format!("bin-{}", bin(name))]);
    }
    lost(&stage, "three", "does not list it", &[&format!("bin-{}", bin("three"))]);
}

#[test]
fn delegated_role_is_not_asked_for_again_until_the_snapshot_names_another() {
    for (digests, consistent) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut stage = Stage::new();
        stage.digests = digests;
        stage.role("root")["consistent_snapshot"] = json!(consistent);
        stage.next_root();
        stage.delegate("A", "*");
        stage.target("A", "there", b"there", "there");
        stage.put_artifact(&format!("{}.there", sha256(b"there")), b"there");
        stage.publish();
        stage.init();
        found(&stage, "there", b"there", &["A"]);
        assert_eq!(stage.bytes("A.json"), stage.served(if consistent { "1.A.json" } else { "A.json" }));
        stage.refreshed();
        assert_eq!(stage.asked(), ["3.root.json", "timestamp.json"]);
        found(&stage, "there", b"there", &[]);
        stage.bump("A");
        stage.publish_next();
        found(&stage, "there", b"there", &["A"]);
    }
}

#[test]
fn rollback_of_a_delegated_role_is_refused_whoever_asks_for_it() {
    let mut stage = Stage::new();
    stage.delegate("A", "*");
    stage.set_version("A", 5);
    stage.publish_next();
    stage.init();
    stage.refreshed();
    stage.set_version("A", 4);
    stage.publish_next();
    stage.refused("version 4 of A.json, and version 5 was named before");
    stage.set_version("A", 5);
    stage.role("snapshot")["meta"] = json!({});
    let _ = stage.roles.remove("A");
    stage.publish_next();
    stage.refused("its snapshot no longer names A.json");
}
