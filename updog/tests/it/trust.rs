//! What is trusted, shown and forgotten without a network.

use testdata::Fault;

use super::support::offered;

#[test]
fn what_is_trusted_is_shown_with_where_it_is_from() {
    let (world, host) = offered();
    let shown = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    assert_eq!(shown["shipped"]["version"], 1);
    let root = shown["shipped"]["sha256"].clone();
    let before = shown["remembered"].as_array().unwrap().len();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    world.server().fault("*", Fault::Status(503));
    world.server().clear_log();
    let shown = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    let remembered = shown["remembered"].as_array().unwrap();
    assert!(before <= 1 && remembered.len() == 1, "{shown}");
    assert_eq!(remembered[0]["anchor"], root);
    assert_eq!(remembered[0]["anchor_is_shipped"], true);
    assert!(remembered[0]["floor"].is_string(), "{shown}");
    assert!(remembered[0]["metadata_base_url"].as_str().unwrap().starts_with("http://"), "{shown}");
    let roles = remembered[0]["roles"].as_array().unwrap();
    let told: Vec<_> = roles.iter().map(|role| (role["name"].as_str(), role["from"].as_str())).collect();
    let expected = [
        ("root", "shipped"),
        ("timestamp", "remembered"),
        ("snapshot", "remembered"),
        ("targets", "remembered"),
    ];
    assert_eq!(told, expected.map(|(name, from)| (Some(name), Some(from))));
    let text = host.run("updog", &["trust", "show"]).expect_ok().stdout;
    for said in ["Shipped:", "Remembered:", "timestamp", "floor", "expires"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(world.server().requests().is_empty(), "it works without a network");
}

#[test]
fn a_reset_asks_first_and_is_logged() {
    let (world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    world.server().fault("*", Fault::Status(503));
    let asked = host.run("updog", &["trust", "reset"]).expect_code(1);
    assert!(asked.stdout.contains("Would forget: http://"), "{asked}");
    assert!(asked.stderr.contains("add --yes"), "{asked}");
    let kept = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    assert_eq!(kept["remembered"].as_array().unwrap().len(), 1);
    let done = host.run("updog", &["trust", "reset", "--yes"]).expect_ok();
    assert!(done.stderr.contains("forgotten on request"), "{done}");
    let gone = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    assert!(gone["remembered"].as_array().unwrap().is_empty(), "{gone}");
    let _ = host.run("updog", &["trust", "reset"]).expect_ok();
    world.server().heal();
    let _ = host.run("updog", &["check-update"]).expect_ok();
}

#[test]
fn a_memory_that_cannot_be_read_is_shown_as_such_and_can_be_forgotten() {
    let (_world, host) = offered();
    let _ = host.run("updog", &["check-update"]).expect_ok();
    let memory = std::fs::read_dir(host.paths().trust())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    std::fs::write(memory.join("current/timestamp.json"), "{}").unwrap();
    let _ = host.run("updog", &["check-update"]).expect_code(1);
    let shown = host.run("updog", &["trust", "show", "--json"]).expect_ok().json();
    assert!(shown["remembered"][0]["unreadable"].as_str().unwrap().contains("timestamp.json"), "{shown}");
    let _ = host.run("updog", &["trust", "reset", "--yes"]).expect_ok();
    let _ = host.run("updog", &["check-update"]).expect_ok();
}
