//! Taking settings away: by name, by whole segments, in a patch.

use serde_json::json;

use crate::host::{Host, Server};

const MERGE: &str = "application/merge-patch+json";

fn unset(server: &Server, keys: &str) -> u16 {
    let status = server.delete(&format!("/settings?keys={keys}")).status;
    if status == 204 {
        server.post("/tx/commit_and_apply").ok();
    }
    status
}

#[test]
fn a_default_comes_back_and_what_has_none_goes() {
    let host = Host::new();
    let server = host.serve();
    let set = r#"{"motd":"mine","network":{"https-proxy":"p:1","no-proxy":["a"]},"updates":{"mirrors":{"m":{"metadata-base-url":"https://a/"}}}}"#;
    server.change("application/json", set).ok();
    server.delete("/settings?keys=motd,network.https-proxy").done();
    assert_eq!(server.get("/tx").ok(), json!({"motd": null, "network": {"https-proxy": null}}));
    assert_eq!(server.get("/settings?keys=motd").ok()["motd"], "mine", "it is not committed");
    let keys = server.post("/tx/commit_and_apply").ok();
    assert_eq!(keys, json!(["settings.motd", "settings.network.https-proxy"]));
    let settings = server.get("/settings").ok();
    assert_eq!((&settings["motd"], &settings["network"]), (&json!("Welcome"), &json!({"no-proxy": ["a"]})));
    assert_eq!(std::fs::read_to_string(host.root().join("etc/motd")).unwrap(), "Welcome\n");
    assert_eq!(unset(&server, "settings.network"), 204, "a group goes by whole segments");
    assert_eq!(unset(&server, "updates.mirrors.m"), 204);
    let settings = server.get("/settings").ok();
    assert!(settings.get("network").is_none() && settings["updates"].get("mirrors").is_none(), "{settings}");
    server.kill();
    assert_eq!(host.serve().get("/settings").ok(), settings, "it is gone for good");
}

#[test]
fn a_name_is_exact_and_an_unknown_one_is_404() {
    let host = Host::new();
    let server = host.serve();
    server.change("application/json", r#"{"network":{"https-proxy":"p:1"}}"#).ok();
    for key in
        ["mot", "network.https-prox", "net", "nothing", "host-containers.nobody", "host-containers", "motd.x"]
    {
        let told = server.delete(&format!("/settings?keys={key}")).refused(404);
        assert!(told.contains("there is no such setting"), "{key}: {told}");
    }
    let told = server.delete("/settings?keys=motd,mot").refused(404);
    assert!(told.contains("unset settings.mot: "), "{told}");
    server.delete("/settings?keys=").refused(400);
    server.delete("/settings?keys=a..b").refused(400);
    assert_eq!(server.get("/tx/list").ok(), json!([]));
    assert_eq!(unset(&server, "network.no-proxy"), 204, "what is not set may be taken away");
}

#[test]
fn null_takes_away_in_a_merge_patch_only() {
    let host = Host::new();
    let server = host.serve();
    let seed = server.get("/settings").ok()["updates"]["seed"].clone();
    server.change("application/json", r#"{"network":{"https-proxy":"p:1"},"motd":"mine"}"#).ok();
    server.change("application/json", r#"{"network":{"https-proxy":null},"motd":"more"}"#).ok();
    assert_eq!(server.get("/settings").ok()["network"]["https-proxy"], "p:1");
    server.change(&format!("{MERGE}; charset=utf-8"), r#"{"network":null,"motd":null}"#).ok();
    let settings = server.get("/settings").ok();
    assert!(settings.get("network").is_none(), "{settings}");
    assert_eq!(settings["motd"], "Welcome");
    assert!(server.change(MERGE, r#"{"mood":null}"#).refused(404).contains("unset settings.mood"));
    assert!(
        server.change(MERGE, r#"{"motd":"x","updates":{"seed":null}}"#).refused(400).contains("named alone")
    );
    server.change(MERGE, r#"{"updates":null}"#).ok();
    let updates = server.get("/settings").ok()["updates"].clone();
    assert_eq!(updates["seed"], seed, "a place in the fleet is no part of a group");
    assert_eq!(updates["metadata-base-url"], "https://updates.example/metal/x86_64/");
}

#[test]
fn a_new_place_in_the_fleet_is_drawn_and_said() {
    let host = Host::new();
    let server = host.serve();
    server.change("application/json", r#"{"updates":{"seed":0}}"#).ok();
    assert_eq!(unset(&server, "updates.seed"), 204);
    let seed = server.get("/settings").ok()["updates"]["seed"].as_i64().unwrap();
    assert!((1..=2048).contains(&seed));
    assert!(
        server.log().contains(&format!("settings.updates.seed is drawn anew: {seed}")),
        "{}",
        server.log()
    );
    assert_eq!(host.updog_toml()["seed"].as_integer(), Some(seed));
}

#[test]
fn what_a_file_cannot_do_without_stays() {
    let host = Host::new();
    let bare = "[[setting]]\nkey = \"settings.ntp.mode\"\ntype = \"string\"\n";
    host.release("1.0.0", bare);
    let server = host.serve();
    server
        .change(
            "application/json",
            r#"{"updates":{"metadata-base-url":"https://a/","targets-base-url":"https://b/"}}"#,
        )
        .ok();
    for keys in ["updates.metadata-base-url", "updates"] {
        let told = server.delete(&format!("/settings?keys={keys}")).refused(400);
        assert!(told.contains("/etc/updog.toml needs it, and the image has no default"), "{told}");
    }
    assert_eq!(host.updog_toml()["metadata_base_url"].as_str(), Some("https://a/"));
}

#[test]
fn a_container_that_is_taken_away_is_stopped_and_cleaned() {
    let host = Host::new();
    host.install_program("systemctl", "[ \"$1\" = show ] || echo \"$*\" >> asked\n");
    let server = host.serve();
    let set =
        r#"{"host-containers":{"a":{"source":"x","enabled":true,"user-data":"aGk="},"ab":{"source":"y"}}}"#;
    server.change("application/json", set).ok();
    let at = |path: &str| host.root().join(path);
    assert!(at("local/host-containers/a/user-data").exists());
    server.change(MERGE, r#"{"host-containers":{"a":{"user-data":null}}}"#).ok();
    assert!(!at("local/host-containers/a/user-data").exists(), "an old secret does not stay");
    std::fs::write(at("local/host-containers/a/notes"), "of the container").unwrap();
    std::fs::write(at("asked"), "").unwrap();
    assert_eq!(unset(&server, "host-containers.a"), 204);
    assert_eq!(
        std::fs::read_to_string(at("asked")).unwrap(),
        "stop host-containers@a.service\nreset-failed host-containers@a.service\n"
    );
    assert!(!at("etc/host-containers/a.env").exists() && at("etc/host-containers/ab.env").exists());
    assert!(at("local/host-containers/a/notes").exists(), "what is its own stays");
    assert_eq!(server.get("/settings").ok()["host-containers"], json!({"ab": {"source": "y"}}));
    assert_eq!(server.get("/health").status, 200);
}
