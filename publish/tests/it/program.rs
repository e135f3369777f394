//! The same through `pubrepo`.

use testdata::noise;

use crate::fixture::{Fixture, done, pubrepo, refused};

const WHERE: [&str; 8] = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];

#[tokio::test]
async fn init_and_add_tell_what_they_did_as_text_and_as_json() {
    let fixture = Fixture::empty();
    let init = pubrepo(&fixture, &[&["init"], &WHERE[..]].concat());
    assert!(init.status.success(), "{init:?}");
    let said = String::from_utf8(init.stdout).expect("text");
    assert!(said.contains("for images: keys/root.json (root version 1)"), "{said}");
    assert!(init.stderr.is_empty(), "{:?}", String::from_utf8_lossy(&init.stderr));

    fixture.write("boot", &noise(1, 100));
    fixture.write("root", &noise(1, 16 * 4096));
    let images = ["--version", "1.0.0", "--boot", "boot", "--root", "root", "--json"];
    let add = pubrepo(&fixture, &[&["add"], &WHERE[..], &images].concat());
    assert!(add.status.success(), "{add:?}");
    let report: serde_json::Value = serde_json::from_slice(&add.stdout).expect("one object");
    assert_eq!(report["version"], "1.0.0");
    assert_eq!(report["targets"].as_array().expect("a list").len(), 8);
    let manifest = fixture.open_now().await.manifest().await.expect("a manifest");
    assert_eq!(manifest.updates.len(), 1);
}

#[test]
fn a_failure_is_one_sentence_with_a_next_step_and_an_object_for_programs() {
    let fixture = Fixture::empty();
    let images = ["--version", "1.0.0", "--boot", "boot", "--root", "root", "--json"];
    let add = pubrepo(&fixture, &[&["add"], &WHERE[..], &images].concat());
    assert_eq!(add.status.code(), Some(1));
    let said = String::from_utf8(add.stderr).expect("text");
    assert_eq!(
        said,
        "pubrepo: failed to find a repository in repo/metal/x86_64\nhelp: make one with \"pubrepo init\" first\n"
    );
    let object: serde_json::Value = serde_json::from_slice(&add.stdout).expect("one object");
    assert_eq!(object["error"]["help"], "make one with \"pubrepo init\" first");
}

#[test]
fn a_usage_error_is_told_on_stderr() {
    let fixture = Fixture::empty();
    for args in [&["publish"][..], &["add", "--repo", "x"], &["init", "--variant"]] {
        let output = pubrepo(&fixture, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains("--help"));
    }
    let help = pubrepo(&fixture, &["--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("pubrepo init --repo"));
    let hidden = pubrepo(&fixture, &["add", "--help"]);
    assert!(!String::from_utf8_lossy(&hidden.stdout).contains("allow-missing"));
}

#[test]
fn what_was_typed_is_named_and_the_names_of_one_command_count_in_another() {
    let fixture = Fixture::empty();
    let _ = done(pubrepo(&fixture, &[&["init"], &WHERE[..]].concat()));
    fixture.write("boot", &noise(1, 100));
    fixture.write("root", &noise(1, 16 * 4096));
    let images = ["--version", "1.0.0", "--boot", "boot", "--root", "root"];
    let _ = done(pubrepo(&fixture, &[&["add"], &WHERE[..], &images].concat()));
    let seen = ["--variant", "metal", "--arch", "x86_64", "--trusted-root"];
    let listed =
        |place: &[&str]| done(pubrepo(&fixture, &[&["list"], place, &seen, &["keys/root.json"]].concat()));
    assert_eq!(listed(&["repo"]), listed(&["--repo", "repo"]));
    let none = pubrepo(&fixture, &[&["list", "repo"], &seen[..], &["boot"]].concat());
    refused(&none, "failed to read the root role boot: it is none (");
    let recalled =
        done(pubrepo(&fixture, &[&["pause"], &WHERE[..], &["--version", "1.0.0", "--yes"]].concat()));
    assert!(recalled.contains("1.0.0"), "{recalled}");
    assert_eq!(pubrepo(&fixture, &[&["pause"], &WHERE[..], &["--yes"]].concat()).status.code(), Some(2));
    let pruned = done(pubrepo(&fixture, &["prune", "--repo", "repo"]));
    assert!(pruned.starts_with("the metadata of 1 variant and architecture was asked, "), "{pruned}");
}
