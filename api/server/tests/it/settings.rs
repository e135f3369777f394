//! Reading and changing settings, restarts, callers at the same time.

use serde_json::{Value, json};

use crate::host::{Host, Server};

/// Changes one setting as `apiclient set` does, in a transaction of its own.
fn set(server: &Server, transaction: &str, pair: &str) -> Value {
    let body = json!({ "request_payload": [pair] }).to_string();
    server.patch(&format!("/settings/keypair?tx={transaction}"), &body).done();
    server.post(&format!("/tx/commit_and_apply?tx={transaction}")).ok()
}

#[test]
fn settings_are_read_by_key_by_prefix_or_all() {
    let host = Host::new();
    let server = host.serve();
    set(&server, "t", "settings.updates.seed=7");
    let seed = json!({"updates": {"seed": 7}});
    assert_eq!(server.get("/settings?keys=settings.updates.seed").ok(), seed);
    assert_eq!(server.get("/settings?keys=updates.seed,settings.nope").ok(), seed);
    assert_eq!(server.get("/settings?prefix=settings.updates.s").ok(), seed);
    assert_eq!(server.get("/settings?prefix=updates.s").ok(), seed);
    assert_eq!(server.get("/settings?keys=settings.motd&prefix=updates").ok(), json!({"motd": "Welcome"}));
    assert_eq!(server.get("/settings?prefix=nope").ok(), json!({}));
    // Of a key that stands there twice the last one counts.
    assert_eq!(server.get("/settings?keys=motd&keys=updates.seed").ok(), seed);
    assert_eq!(server.get("/settings?keys=settings.updates").ok(), json!({}), "a group is no key");
}

#[test]
fn everything_is_settings_and_the_image() {
    let host = Host::new();
    let server = host.serve();
    let os = json!({
        "pretty_name": "Ours OS 1.0.0",
        "variant_id": "metal",
        "version_id": "1.0.0",
        "build_id": "abc",
        "arch": std::env::consts::ARCH,
    });
    assert_eq!(server.get("/os").ok(), os);
    assert_eq!(server.get("/os?prefix=v").ok(), json!({"variant_id": "metal", "version_id": "1.0.0"}));
    assert_eq!(server.get("/os?prefix=os.build").ok(), json!({"build_id": "abc"}));
    assert_eq!(server.get("/os?prefix=os").ok(), os);
    let all = server.get("/").ok();
    assert_eq!(all["os"], os);
    assert_eq!(all["settings"], server.get("/settings").ok());
    assert_eq!(server.get("/?prefix=settings.motd").ok(), json!({"settings": {"motd": "Welcome"}}));
    assert_eq!(server.get("/?prefix=os.version").ok(), json!({"os": {"version_id": "1.0.0"}}));
    assert_eq!(server.get("/?prefix=nope").ok(), json!({}));
}

#[test]
fn a_transaction_is_seen_only_by_itself_until_it_is_committed() {
    let host = Host::new();
    let server = host.serve();
    server.patch("/settings?tx=a", r#"{"motd":"one","ntp":{"mode":"pool"}}"#).done();
    server.patch("/settings?tx=a", r#"{"motd":"two"}"#).done();
    server.patch("/settings", r#"{"motd":"other"}"#).done();
    assert_eq!(server.get("/tx/list").ok(), json!(["a", "default"]));
    assert_eq!(server.get("/tx?tx=a").ok(), json!({"motd": "two", "ntp": {"mode": "pool"}}));
    assert_eq!(server.get("/tx").ok(), json!({"motd": "other"}));
    assert_eq!(server.get("/settings?keys=settings.motd").ok(), json!({"motd": "Welcome"}));
    assert_eq!(server.ask("DELETE", "/tx", b"").ok(), json!(["settings.motd"]));
    assert_eq!(server.ask("DELETE", "/tx", b"").ok(), json!([]), "what is gone can be dropped again");
    assert_eq!(server.post("/tx/commit?tx=a").ok(), json!(["settings.motd", "settings.ntp.mode"]));
    assert_eq!(server.get("/settings?prefix=motd").ok(), json!({"motd": "two"}));
    assert_eq!(server.get("/tx/list").ok(), json!([]));
}

#[test]
fn a_commit_reaches_the_configuration_when_it_is_applied() {
    let host = Host::new();
    let server = host.serve();
    server
        .patch(
            "/settings",
            r#"{"updates":{"version-lock":"v1.2.0","ignore-waves":true},"network":{"https-proxy":"p:1","no-proxy":["a","b"]}}"#,
        )
        .done();
    server.post("/tx/commit").ok();
    assert_eq!(host.updog_toml()["version_lock"].as_str(), Some("latest"));
    server.post("/tx/apply?keys=settings.updates.version-lock").done();
    let config = host.updog_toml();
    assert_eq!(config["version_lock"].as_str(), Some("v1.2.0"));
    assert_eq!(config["ignore_waves"].as_bool(), Some(true));
    assert_eq!(config["https_proxy"].as_str(), Some("p:1"));
    assert_eq!(config["no_proxy"].as_array().map(Vec::len), Some(2));
    set(&server, "t", "updates.version-lock=latest");
    assert_eq!(host.updog_toml()["version_lock"].as_str(), Some("latest"));
}

#[test]
fn pairs_take_the_type_of_their_setting() {
    let host = Host::new();
    let server = host.serve();
    for pair in ["motd=42", "updates.seed=42", "updates.ignore-waves=true", r#"network.no-proxy=["x"]"#] {
        set(&server, "t", pair);
    }
    let settings = server.get("/settings").ok();
    assert_eq!(settings["motd"], "42");
    assert_eq!(settings["updates"]["seed"], 42);
    assert_eq!(settings["updates"]["ignore-waves"], true);
    assert_eq!(settings["network"]["no-proxy"], json!(["x"]));
}

#[test]
fn callers_at_the_same_time_lose_nothing() {
    let host = Host::new();
    let server = host.serve();
    let names = ["metadata-base-url", "targets-base-url"];
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for round in 0..5 {
                    // Half of them share a transaction and write different settings, half have their own.
                    if caller % 2 == 0 {
                        let name = names[caller / 2 % 2];
                        let body = json!({"updates": {name: format!("https://{caller}.example/{round}/")}});
                        server.patch("/settings?tx=shared", &body.to_string()).done();
                    } else {
                        set(server, &format!("own-{caller}-{round}"), &format!("motd={caller}-{round}"));
                    }
                    server.get("/settings").ok();
                }
            });
        }
    });
    let pending = server.get("/tx?tx=shared").ok();
    assert!(names.iter().all(|name| pending["updates"][name].is_string()), "{pending}");
    assert_eq!(server.get("/tx/list").ok(), json!(["shared"]));
    let motd = server.get("/settings").ok()["motd"].as_str().unwrap().to_owned();
    assert!(motd.ends_with("-4"), "the last commit of some caller is in force: {motd}");
}

#[test]
fn a_reboot_is_asked_of_the_host() {
    let host = Host::new();
    let server = host.serve();
    server.post("/actions/reboot").done();
    assert!(host.paths().reboot_request().exists());
}

#[test]
fn what_becomes_of_settings_is_told() {
    let host = Host::new();
    let server = host.serve();
    let services = server.get("/services?names=motd").ok();
    assert_eq!(services["motd"]["configuration-files"], json!(["motd"]));
    assert_eq!(server.get("/").ok()["services"]["motd"], services["motd"]);
    assert_eq!(server.get("/?prefix=services.mot").ok(), json!({"services": services}));
    let file = &server.get("/configuration-files").ok()["motd"];
    assert_eq!(file["path"], "/etc/motd");
    assert!(file["template-path"].as_str().unwrap().ends_with("/usr/share/bottlerocket/templates/motd"));
    let affected = server.get("/metadata/affected-services?keys=settings.motd,settings.ntp.mode").ok();
    assert_eq!(affected, json!({"settings.motd": ["motd"]}));
    assert!(
        server.get("/services?names=motd,nobody").refused(404).contains("\"nobody\" is none of the services")
    );
    server.get("/metadata/affected-services").refused(400);
}
