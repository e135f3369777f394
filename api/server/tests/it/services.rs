//! From settings to files and services: what is written, what is restarted, what is owed.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::host::{Host, until};

/// Notes what it is asked, and fails while a file says so.
const SYSTEMCTL: &str = "[ \"$1\" = show ] || echo \"$*\" >> asked\nif [ -e broken ]; then echo 'the unit is broken' >&2; exit 1; fi\n";

/// A service with a file, as its package would bring it.
const LOGGER: &str = r#"
[[setting]]
key = "settings.logger.level"
type = "string"
values = ["quiet", "loud"]
default = "quiet"

[[setting]]
key = "settings.logger.keep"
type = "string"
format = "duration"
default = "1h"

[[service]]
name = "logger"
settings = ["settings.logger"]
restart = [["systemctl", "try-restart", "logger.service"]]

[[service.file]]
path = "/etc/logger/logger.conf"
template = "logger.conf"
mode = "0600"
"#;

fn host() -> Host {
    let host = Host::new();
    host.install_program("systemctl", SYSTEMCTL);
    let image = host.root().join("usr/share/bottlerocket");
    host.write(&image.join("settings.d/logger.toml"), LOGGER);
    host.write(
        &image.join("templates/logger.conf"),
        "level={{ settings.logger.level }}\nkeep={{ settings.logger.keep | seconds }}\n",
    );
    host
}

fn asked(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.root().join("asked")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn conf(host: &Host) -> String {
    std::fs::read_to_string(host.root().join("etc/logger/logger.conf")).unwrap()
}

/// Waits until what the start left to do is done: services first hear of us after the server listens.
fn at_rest(host: &Host, name: &str) {
    let note = host.paths().applied().join(name);
    until("the service is in line", || {
        std::fs::read_to_string(&note).ok().filter(|note| note != "owed").map(drop)
    });
}

#[test]
fn only_the_service_whose_file_changes_is_restarted() {
    let host = host();
    let server = host.serve();
    at_rest(&host, "logger");
    assert_eq!(asked(&host), ["try-restart logger.service"], "its file is new");
    assert_eq!(conf(&host), "level=quiet\nkeep=3600\n");
    let mode = host.root().join("etc/logger/logger.conf").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.patch("/settings", r#"{"motd":"hi"}"#).done();
    server.post("/tx/commit_and_apply").ok();
    assert_eq!(std::fs::read_to_string(host.root().join("etc/motd")).unwrap(), "hi\n");
    assert_eq!(asked(&host).len(), 1);
    server.patch("/settings", r#"{"logger":{"level":"loud"}}"#).done();
    server.post("/tx/commit").ok();
    assert_eq!(conf(&host), "level=quiet\nkeep=3600\n", "a commit alone applies nothing");
    server.post("/tx/apply").done();
    assert_eq!(conf(&host), "level=loud\nkeep=3600\n");
    assert_eq!(asked(&host).len(), 2);
    server.post("/tx/apply").done();
    assert_eq!(asked(&host).len(), 2, "what is in line is left alone");
}

#[test]
fn a_restart_that_fails_is_told_and_owed_also_over_a_restart_of_the_server() {
    let host = host();
    let server = host.serve();
    at_rest(&host, "logger");
    host.write(&host.root().join("broken"), "");
    server.patch("/settings", r#"{"logger":{"level":"loud"}}"#).done();
    let told = server.post("/tx/commit_and_apply").refused(500);
    assert!(
        told.starts_with("failed to apply the settings that are now in force: bring logger in line: run \"systemctl try-restart logger.service\": exit status: 1: the unit is broken\nhelp: the settings and files are kept"),
        "{told}"
    );
    assert_eq!(server.get("/settings?keys=logger.level").ok(), json!({"logger": {"level": "loud"}}));
    assert_eq!(conf(&host), "level=loud\nkeep=3600\n");
    // Other services are not kept waiting by it.
    server.patch("/settings", r#"{"motd":"still"}"#).done();
    server.post("/tx/commit_and_apply").ok();
    assert_eq!(std::fs::read_to_string(host.root().join("etc/motd")).unwrap(), "still\n");
    server.kill();
    std::fs::remove_file(host.root().join("broken")).unwrap();
    let before = asked(&host).len();
    let server = host.serve();
    at_rest(&host, "logger");
    assert_eq!(asked(&host).len(), before + 1, "what was owed is done once the server listens");
    server.post("/tx/apply").done();
    assert_eq!(asked(&host).len(), before + 1);
}

#[test]
fn a_restart_is_told_which_settings_of_its_service_changed_where_that_is_known() {
    let host = host();
    host.install_program(
        "systemctl",
        "echo \"${CHANGED_SETTINGS-anything}\" >> asked\nif [ -e broken ]; then exit 1; fi\n",
    );
    let server = host.serve();
    at_rest(&host, "logger");
    let told = || asked(&host).pop().unwrap();
    assert_eq!(told(), "anything", "this server does not know what was before it");
    server.patch("/settings", r#"{"motd":"hi","logger":{"level":"loud"}}"#).done();
    server.post("/tx/commit_and_apply").ok();
    assert_eq!(told(), "settings.logger.level");
    // Two callers commit, and one apply serves both.
    for (transaction, body) in
        [("one", r#"{"logger":{"level":"quiet"}}"#), ("two", r#"{"logger":{"keep":"2h"}}"#)]
    {
        server.patch(&format!("/settings?tx={transaction}"), body).done();
        server.post(&format!("/tx/commit?tx={transaction}")).ok();
    }
    server.post("/tx/apply").done();
    assert_eq!(told(), "settings.logger.keep settings.logger.level");
    // A try that failed may have done anything.
    host.write(&host.root().join("broken"), "");
    server.patch("/settings", r#"{"logger":{"keep":"3h"}}"#).done();
    server.post("/tx/commit_and_apply").refused(500);
    assert_eq!(told(), "settings.logger.keep");
    std::fs::remove_file(host.root().join("broken")).unwrap();
    server.patch("/settings", r#"{"logger":{"level":"loud"}}"#).done();
    server.post("/tx/commit_and_apply").ok();
    assert_eq!(told(), "anything");
}

#[test]
fn after_a_boot_a_service_that_started_with_the_right_file_is_left_alone() {
    let host = host();
    let server = host.serve();
    at_rest(&host, "logger");
    assert_eq!(server.stop(), Some(0));
    host.reboot();
    let _server = host.serve();
    at_rest(&host, "logger");
    assert_eq!(asked(&host).len(), 1);
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_its_path_before_anything_is_written() {
    let host = host();
    let server = host.serve();
    let cases = [
        (
            r#"{"logger":{"keep":"long"}}"#,
            "failed to set settings.logger.keep to \"long\": it takes a length of time such as",
        ),
        (
            r#"{"updates":{"window":"Caturday"}}"#,
            "failed to set settings.updates.window to \"Caturday\": it takes a window such as",
        ),
        (r#"{"updates":{"hold-until":"soon"}}"#, "it takes a time such as"),
        (
            r#"{"updates":{"bandwidth-limit":"fast"}}"#,
            "it takes a number of bytes such as 512KiB or 10MB, or an empty text for none",
        ),
        (r#"{"updates":{"minimum-version":"1"}}"#, "it takes a version such as"),
        (
            r#"{"updates":{"mirrors":{"near":{"targets-base-url":"x"}}}}"#,
            "failed to set settings.updates.mirrors.near.targets-base-url to",
        ),
        (r#"{"host-containers":{"admin":{"source":"-v /:/"}}}"#, "a text that matches"),
        (r#"{"host-containers":{"admin":{"user-data":"ü"}}}"#, "a text in base64"),
        (
            r#"{"host-containers":{"a/b":{"enabled":true}}}"#,
            "there is no such setting; there are settings.host-containers.<id>.",
        ),
        (r#"{"network":{"no-proxy":["a","b c"]}}"#, "a list of texts such as"),
    ];
    for (body, told) in cases {
        let answer = server.patch("/settings", body).refused(400);
        assert!(answer.contains(told), "{body}: {answer}");
    }
    assert_eq!(server.get("/tx/list").ok(), json!([]));
}

#[test]
fn everything_that_updog_may_be_told_reaches_its_configuration() {
    let host = host();
    let server = host.serve();
    let body = json!({"updates": {
        "bandwidth-limit": "2MiB", "data-budget": "100MB", "minimum-version": "1.0.0",
        "hold-until": "2026-12-24T08:00:00Z", "window": "Sat 02:00-05:00 Europe/Berlin",
        "mirrors": {
            "b": {"metadata-base-url": "https://b.example/m/", "targets-base-url": "https://b.example/t/"},
            "a": {"metadata-base-url": "https://a.example/\"m/", "targets-base-url": "https://a.example/t/"},
            "half": {"metadata-base-url": "https://half.example/m/"},
        },
    }});
    server.patch("/settings", &body.to_string()).done();
    server.post("/tx/commit_and_apply").ok();
    let config = host.updog_toml();
    assert_eq!(config["bandwidth_limit"].as_integer(), Some(2_097_152));
    assert_eq!(config["data_budget"].as_integer(), Some(100_000_000));
    assert_eq!(config["minimum_version"].as_str(), Some("1.0.0"));
    assert_eq!(config["hold_until"].as_str(), Some("2026-12-24T08:00:00Z"));
    assert_eq!(config["window"].as_str(), Some("Sat 02:00-05:00 Europe/Berlin"));
    let mirrors: Vec<_> = config["mirrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mirror| mirror["metadata_base_url"].as_str().unwrap())
        .collect();
    assert_eq!(mirrors, ["https://a.example/\"m/", "https://b.example/m/"]);
    server.patch("/settings", r#"{"updates":{"window":"","bandwidth-limit":""}}"#).done();
    server.post("/tx/commit_and_apply").ok();
    assert!(!host.updog_toml().contains_key("window") && !host.updog_toml().contains_key("bandwidth_limit"));
}

#[test]
fn host_containers_start_follow_their_settings_and_stop() {
    let host = host();
    let server = host.serve();
    at_rest(&host, "logger");
    let asked_now = || asked(&host).into_iter().skip(1).collect::<Vec<_>>();
    let change = |body: &str| {
        server.patch("/settings", body).done();
        server.post("/tx/commit_and_apply")
    };
    change(r#"{"host-containers":{"admin":{"source":"example/admin:1","superpowered":true,"user-data":"aGVsbG8="}}}"#).ok();
    assert_eq!(asked_now(), ["stop host-containers@admin.service"], "it is not enabled");
    let env = std::fs::read_to_string(host.root().join("etc/host-containers/admin.env")).unwrap();
    assert!(env.contains("CTR_SOURCE=\"example/admin:1\"\nCTR_SUPERPOWERED=true\n"), "{env}");
    let data = host.root().join("local/host-containers/admin/user-data");
    assert_eq!(std::fs::read_to_string(&data).unwrap(), "hello");
    let mode = data.parent().unwrap().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    change(r#"{"host-containers":{"admin":{"enabled":true}}}"#).ok();
    change(r#"{"host-containers":{"admin":{"source":"example/admin:2"}}}"#).ok();
    change(r#"{"motd":"nothing to it"}"#).ok();
    change(r#"{"host-containers":{"admin":{"enabled":false}}}"#).ok();
    let unit = |verb: &str| format!("{verb} host-containers@admin.service");
    let restart = unit("--no-block restart");
    assert_eq!(asked_now(), [unit("stop"), restart.clone(), restart, unit("stop")]);
    let told = change(r#"{"host-containers":{"other":{"enabled":true}}}"#).refused(400);
    assert!(
        told.contains("start host-containers@other: settings.host-containers.other.source is not set"),
        "{told}"
    );
}

#[test]
fn an_enabled_container_is_started_after_each_boot() {
    let host = host();
    let server = host.serve();
    server
        .patch("/settings", r#"{"host-containers":{"admin":{"source":"example/admin:1","enabled":true}}}"#)
        .done();
    server.post("/tx/commit_and_apply").ok();
    assert_eq!(server.stop(), Some(0));
    let server = host.serve();
    at_rest(&host, "host-containers@admin");
    let starts = || asked(&host).iter().filter(|line| line.contains(" restart ")).count();
    assert_eq!(starts(), 1, "it runs already");
    assert_eq!(server.stop(), Some(0));
    host.reboot();
    let _server = host.serve();
    at_rest(&host, "host-containers@admin");
    assert_eq!(starts(), 2);
}

#[test]
fn a_template_that_does_not_work_is_told_and_keeps_the_server_from_nothing() {
    let host = host();
    let template = host.root().join("usr/share/bottlerocket/templates/logger.conf");
    host.write(&template, "level={{ settings.logger.volume }}\n");
    let server = host.serve();
    let told = server.get("/health").refused(503);
    assert!(
        told.starts_with("logger: failed to make /etc/logger/logger.conf") && told.contains("line 1"),
        "{told}"
    );
    assert!(server.log().contains("logger.conf"), "{}", server.log());
    assert_eq!(std::fs::read_to_string(host.root().join("etc/motd")).unwrap(), "Welcome\n");
}

#[test]
fn a_program_that_is_not_there_below_a_root_is_asked_for_in_a_file() {
    let host = host();
    std::fs::remove_file(host.root().join("usr/bin/systemctl")).unwrap();
    let _server = host.serve();
    at_rest(&host, "logger");
    let requests = std::fs::read_to_string(host.paths().service_requests()).unwrap();
    assert_eq!(requests, "systemctl try-restart logger.service\n");
}
