//! Targets as files.

use std::fs;

use serde_json::json;

use super::signer::sha256;
use super::stage::Stage;

/// A stage with two targets, one of them in a folder, as the specification publishes them.
fn stocked() -> Stage {
    let mut stage = Stage::new();
    stage.target("targets", "file.txt", b"plain", &format!("{}.file.txt", sha256(b"plain")));
    stage.target("targets", "path/to/file", b"deep", &format!("path/to/{}.file", sha256(b"deep")));
    stage.publish_next();
    stage.init();
    stage
}

fn files(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![stage.artifacts()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(stage.artifacts()).unwrap().to_str().unwrap().to_owned();
            found.push((name, fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

fn file(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.to_vec())
}

#[test]
fn several_targets_come_through_one_walk_and_stay_when_they_are_there() {
    let stage = stocked();
    assert_eq!(stage.download(&["file.txt", "path/to/file"]).code, 0);
    assert_eq!(files(&stage), [file("file.txt", b"plain"), file("path/to/file", b"deep")]);
    let targets = [
        format!("/targets/{}.file.txt", sha256(b"plain")),
        format!("/targets/path/to/{}.file", sha256(b"deep")),
    ];
    assert_eq!(stage.asked().len(), 6, "four roles and two targets");
    assert_eq!(stage.asked()[4..], targets);
    assert_eq!(stage.download(&["path/to/file", "file.txt"]).code, 0);
    assert_eq!(stage.asked(), ["2.root.json", "timestamp.json"], "nothing changed");
    fs::write(stage.artifacts().join("file.txt"), "local").unwrap();
    assert_eq!(stage.download(&["file.txt"]).code, 0);
    assert_eq!(files(&stage)[0], file("file.txt", b"plain"), "what is not as signed is fetched");
}

#[test]
fn a_new_version_of_a_target_takes_the_place_of_the_old_one() {
    let mut stage = stocked();
    assert_eq!(stage.download(&["file.txt"]).code, 0);
    stage.target("targets", "file.txt", b"newer", &format!("{}.file.txt", sha256(b"newer")));
    stage.publish_next();
    assert_eq!(stage.download(&["file.txt"]).code, 0);
    assert_eq!(files(&stage), [file("file.txt", b"newer")]);
}

#[test]
fn bytes_that_nobody_signed_leave_no_file_and_spoil_none() {
    let mut stage = stocked();
    assert_eq!(stage.download(&["file.txt"]).code, 0);
    stage.target("targets", "file.txt", b"newer", &format!("{}.file.txt", sha256(b"newer")));
    stage.publish_next();
    let (plain, deep) =
        (format!("{}.file.txt", sha256(b"newer")), format!("path/to/{}.file", sha256(b"deep")));
    for wrong in [&b"wrong"[..], b"w", b"much longer than signed", b""] {
        stage.put_artifact(&plain, wrong);
        stage.put_artifact(&deep, wrong);
        for name in ["file.txt", "path/to/file"] {
            let ended = stage.download(&[name]);
            assert_eq!(ended.code, 1, "{name}");
            assert!(ended.stderr.contains(&format!("accept the target {name}")), "{}", ended.stderr);
        }
        assert_eq!(files(&stage), [file("file.txt", b"plain")]);
    }
}

#[test]
fn the_form_that_tough_writes_is_found_as_well() {
    let mut stage = Stage::new();
    stage.target("targets", "path/to/file", b"deep", &format!("{}.path/to/file", sha256(b"deep")));
    stage.publish_next();
    stage.init();
    assert_eq!(stage.download(&["path/to/file"]).code, 0);
    assert_eq!(files(&stage), [file("path/to/file", b"deep")]);
}

#[test]
fn without_consistent_snapshots_names_are_plain() {
    let mut stage = Stage::new();
    stage.role("root")["consistent_snapshot"] = json!(false);
    stage.next_root();
    stage.target("targets", "path/to/a file#1", b"deep", "path/to/a file#1");
    stage.publish_next();
    stage.init();
    assert_eq!(stage.download(&["path/to/a file#1"]).code, 0);
    assert_eq!(files(&stage), [file("path/to/a file#1", b"deep")]);
    assert_eq!(stage.asked().last().unwrap(), "/targets/path/to/a%20file%231");
}

#[test]
fn what_is_not_listed_or_not_there_is_missing_and_the_metadata_is_fresh_all_the_same() {
    let mut stage = stocked();
    stage.role("targets")["targets"]["gone"] =
        json!({ "length": 1, "hashes": { "sha256": "00".repeat(32) } });
    stage.publish_next();
    for name in ["gone", "never listed"] {
        let ended = stage.download(&[name]);
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains(&format!("find the target {name}")), "{}", ended.stderr);
    }
    stage.trusts([1, 3, 3, 3]);
    assert!(files(&stage).is_empty());
}

#[test]
fn a_name_that_leads_out_of_the_directory_is_refused() {
    let mut stage = stocked();
    for name in ["/etc/evil", "../evil", "a/../../evil", "a//evil"] {
        stage.target("targets", name, b"evil", "evil");
    }
    stage.publish_next();
    for name in ["/etc/evil", "../evil", "a/../../evil", "a//evil"] {
        assert_eq!(stage.download(&[name]).code, 1, "{name}");
    }
    assert!(!stage.artifacts().parent().unwrap().join("evil").exists());
    assert!(files(&stage).is_empty());
}

#[test]
fn a_delegated_role_is_trusted_kept_and_not_asked_for_again() {
    let mut stage = stocked();
    stage.delegate("below", "sub/*");
    stage.target("below", "sub/x", b"x", &format!("sub/{}.x", sha256(b"x")));
    stage.publish_next();
    assert_eq!(stage.download(&["sub/x"]).code, 0);
    assert_eq!(files(&stage), [file("sub/x", b"x")]);
    assert_eq!(stage.trusted()[0], ("below.json".to_owned(), 1));
    assert_eq!(stage.bytes("below.json"), stage.served("1.below.json"));
    stage.refreshed();
    assert_eq!(stage.asked(), ["2.root.json", "timestamp.json"]);
    assert_eq!(stage.download(&["sub/x"]).code, 0);
    assert_eq!(stage.asked(), ["2.root.json", "timestamp.json"]);
    // No longer delegated: no longer trusted.
    let _ = stage.role("targets").as_object_mut().unwrap().remove("delegations");
    stage.publish_next();
    assert_eq!(stage.download(&["sub/x"]).code, 1);
}

#[test]
fn an_option_that_is_missing_is_named() {
    let stage = stocked();
    let ended = stage.download(&[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("--target-name is missing"), "{}", ended.stderr);
}
