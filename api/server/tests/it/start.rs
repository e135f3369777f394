//! The first boot, later boots, what stops a start.

use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use crate::host::{Host, MODEL};

#[test]
fn a_first_boot_makes_the_store_with_defaults_a_seed_and_the_configuration() {
    let host = Host::new();
    let server = host.serve();
    let settings = server.get("/settings").ok();
    assert_eq!(settings["motd"], "Welcome");
    assert_eq!(settings["ntp"], json!({"mode": "burst"}));
    assert_eq!(settings["updates"]["ignore-waves"], false);
    assert!(settings.get("network").is_none(), "nobody set it, and it has no default");
    let seed = settings["updates"]["seed"].as_i64().unwrap();
    assert!((1..=2048).contains(&seed), "{seed}");
    let config = host.updog_toml();
    assert_eq!(config["seed"].as_integer(), Some(seed));
    assert_eq!(config["metadata_base_url"].as_str(), Some("https://updates.example/metal/x86_64/"));
    assert_eq!(config["version_lock"].as_str(), Some("latest"));
    let current = host.paths().datastore().join("current");
    assert_eq!(std::fs::read_link(current).unwrap().to_str(), Some("v1"));
    let socket = std::fs::symlink_metadata(host.paths().api_socket()).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o660);
}

#[test]
fn settings_and_seed_outlive_restarts_and_boots() {
    let host = Host::new();
    let server = host.serve();
    let seed = server.get("/settings").ok()["updates"]["seed"].clone();
    server.patch("/settings", r#"{"motd":"mine"}"#).done();
    assert_eq!(server.post("/tx/commit").ok(), json!(["settings.motd"]));
    assert_eq!(server.stop(), Some(0));
    assert!(!host.paths().api_socket().exists(), "a stopped server leaves no socket");
    host.reboot();
    let server = host.serve();
    let settings = server.get("/settings").ok();
    assert_eq!(settings["motd"], "mine");
    assert_eq!(settings["updates"]["seed"], seed);
    server.kill();
    let server = host.serve();
    assert_eq!(server.get("/settings").ok()["motd"], "mine", "a killed server's socket is replaced");
}

#[test]
fn a_change_that_is_not_committed_outlives_a_restart_but_no_boot() {
    let host = Host::new();
    let server = host.serve();
    server.patch("/settings?tx=mine", r#"{"motd":"later"}"#).done();
    server.kill();
    let server = host.serve();
    assert_eq!(server.get("/tx?tx=mine").ok(), json!({"motd": "later"}));
    assert_eq!(server.stop(), Some(0));
    host.reboot();
    let server = host.serve();
    assert_eq!(server.get("/tx/list").ok(), json!([]));
    assert_eq!(server.get("/settings").ok()["motd"], "Welcome");
}

#[test]
fn a_setting_that_a_newer_image_brings_gets_its_default_and_others_keep_theirs() {
    let host = Host::new();
    let server = host.serve();
    server.patch("/settings", r#"{"ntp":{"mode":"pool"}}"#).done();
    server.post("/tx/commit_and_apply").ok();
    drop(server);
    let newer = format!(
        "{MODEL}\n[[setting]]\nkey = \"settings.metrics.send-metrics\"\ntype = \"boolean\"\ndefault = true\n\
         [[default]]\nkey = \"settings.motd\"\nvalue = \"Hello\"\n"
    );
    host.release("1.0.0", &newer);
    let settings = host.serve().get("/settings").ok();
    assert_eq!(settings["metrics"]["send-metrics"], true);
    assert_eq!(settings["ntp"]["mode"], "pool");
    assert_eq!(settings["motd"], "Welcome", "a default that was taken over is a setting as any other");
}

#[test]
fn a_store_of_another_release_is_refused_and_left_alone() {
    let host = Host::new();
    drop(host.serve());
    host.release("1.1.0", MODEL);
    let (code, words) = host.refuse();
    assert_eq!(code, 1);
    assert!(words.contains("it is that of version 1.0.0, and 1.1.0 runs"), "{words}");
    assert!(words.contains("help: migrator"), "{words}");
    host.release("1.0.0", MODEL);
    assert_eq!(host.serve().get("/settings").ok()["motd"], "Welcome");
}

#[test]
fn a_second_server_is_refused_and_the_first_goes_on() {
    let host = Host::new();
    let server = host.serve();
    let (code, words) = host.refuse();
    assert_eq!(code, 1);
    assert!(words.contains("another apiserver serves it already"), "{words}");
    server.get("/settings").ok();
}

#[test]
fn a_broken_part_of_the_model_is_told_and_an_image_without_any_is_refused_before_anything_is_made() {
    let host = Host::new();
    let settings = host.image_model().parent().unwrap().to_owned();
    let others = host.root().join("aside");
    host.release("1.0.0", "[[setting]]\nkey = \"settings.motd\"\ntype = \"text\"\n");
    std::fs::rename(&settings, &others).unwrap();
    std::fs::create_dir(&settings).unwrap();
    std::fs::copy(others.join("90-image.toml"), settings.join("90-image.toml")).unwrap();
    let (code, words) = host.refuse();
    assert_eq!(code, 1);
    assert!(words.contains("failed to understand the settings model"), "{words}");
    assert!(!host.paths().datastore().exists());
    std::fs::remove_dir_all(&settings).unwrap();
    assert!(host.refuse().1.contains("failed to read the settings model"));

    std::fs::rename(&others, &settings).unwrap();
    let server = host.serve();
    assert_eq!(server.get("/settings").ok()["motd"], "Welcome", "the other services go on");
    let told = server.get("/health").refused(503);
    assert!(
        told.contains("settings-model: failed to understand") && told.contains("90-image.toml"),
        "{told}"
    );
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let run = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_apiserver")).args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["--colour"]).0, 2);
    assert_eq!(run(&["--socket-gid", "api"]).0, 2);
    assert_eq!(run(&["--log-level", "loud"]).0, 2);
    let (code, help) = run(&["--help"]);
    assert_eq!(code, 0);
    assert!(help.contains("Examples:") && !help.contains("--root"), "{help}");
}

#[test]
fn the_link_in_the_datastore_may_be_named_instead_of_its_directory() {
    let host = Host::new();
    let elsewhere = host.root().join("elsewhere");
    let server = host.serve_with(&["--datastore-path", elsewhere.join("current").to_str().unwrap()]);
    server.get("/settings").ok();
    assert!(elsewhere.join("current").exists());
    assert!(!host.paths().datastore().exists());
}
