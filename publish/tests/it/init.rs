//! Keys, their protection, an empty repository.

use std::os::unix::fs::PermissionsExt as _;

use publish::InitOptions;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_new_repository_is_one_that_a_host_opens() {
    let fixture = Fixture::empty();
    let report = fixture.init().await.expect("made");
    assert!(report.keys_are_new);
    let names = ["root-1", "root-2", "root-3", "targets", "snapshot", "timestamp"];
    assert_eq!(report.keys, names.map(|name| fixture.path(&format!("keys/{name}.pem"))));
    for key in &report.keys {
        let mode = std::fs::metadata(key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
    let shipped = std::fs::read(fixture.path("keys/root.json")).expect("for images");
    for published in ["1.root.json", "root.json"] {
        let path = fixture.path("repo/metal/x86_64").join(published);
        assert_eq!(std::fs::read(path).expect("published"), shipped);
    }
    let repository = fixture.open().await;
    assert_eq!(repository.roles().root.version, 1);
    assert!(repository.manifest().await.expect("a manifest").updates.is_empty());
}

#[tokio::test]
async fn roles_have_separate_keys_and_root_needs_two_of_three() {
    let fixture = Fixture::new().await;
    let root: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture.path("keys/root.json")).expect("made")).expect("JSON");
    let roles = &root["signed"]["roles"];
    assert_eq!(roles["root"]["threshold"], 2);
    assert_eq!(roles["root"]["keyids"].as_array().expect("a list").len(), 3);
    let mut ids: Vec<String> = ["root", "targets", "snapshot", "timestamp"]
        .iter()
        .flat_map(|role| roles[role]["keyids"].as_array().expect("a list").clone())
        .map(|id| id.to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert_eq!(root["signed"]["consistent_snapshot"], true);
}

#[tokio::test]
async fn a_second_variant_uses_the_keys_that_are_there() {
    let fixture = Fixture::new().await;
    let before = std::fs::read(fixture.path("keys/targets.pem")).expect("a key");
    let other = InitOptions { variant: "cloud".to_owned(), ..fixture.init_options() };
    let report = publish::init(&other, crate::fixture::today()).await.expect("made");
    assert!(!report.keys_are_new);
    assert_eq!(std::fs::read(fixture.path("keys/targets.pem")).expect("a key"), before);
}
