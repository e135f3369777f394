//! A host whose `updog` does what a test tells it.

use serde_json::{Value, json};

use crate::host::{Host, Server};

/// The first words of an action that works.
pub(crate) const STARTED: &str = "echo '{\"event\":\"started\"}'";
/// Its last ones.
pub(crate) const DONE: &str = "echo '{\"event\":\"done\"}'";
/// Work that goes on when the test says so.
pub(crate) const GATE: &str = "cat \"$dir/gate\"";

/// What the disk shows from here on: a file beside the program.
pub(crate) fn becomes(facts: &str) -> String {
    format!("cp \"$dir/{facts}\" \"$dir/facts.json\"")
}

/// One command after the other.
pub(crate) fn script(commands: &[&str]) -> String {
    commands.join("\n")
}

pub(crate) fn facts(running: &str, inactive: Value) -> Value {
    let next = !inactive["next_to_boot"].as_bool().unwrap_or_default();
    json!({
        "active": {"set": "A", "variant": "metal", "arch": "x86_64", "version": running, "proven": true, "next_to_boot": next},
        "inactive": inactive,
    })
}

pub(crate) fn inactive(version: Option<&str>, valid: bool, next: bool, failed: bool) -> Value {
    json!({"set": "B", "version": version, "valid": valid, "next_to_boot": next, "failed_boot": failed, "proven": false})
}

pub(crate) fn empty() -> Value {
    facts("1.0.0", inactive(None, false, false, false))
}

fn staged() -> Value {
    facts("1.0.0", inactive(Some("1.1.0"), true, false, false))
}

fn ready() -> Value {
    facts("1.0.0", inactive(Some("1.1.0"), true, true, false))
}

pub(crate) fn error(code: &str, message: &str) -> String {
    let event = json!({"event": "error", "error": {"code": code, "message": message, "help": "look again"}});
    format!("echo '{event}'; exit 1")
}

/// A host whose `updog` offers 1.1.0 and does each action as the real one would.
pub(crate) fn host() -> Host {
    let host = Host::new();
    host.install_updog();
    host.write(&host.fake("facts.json"), &empty().to_string());
    host.on("all", "echo '[{\"variant\":\"metal\",\"arch\":\"x86_64\",\"version\":\"1.1.0\",\"max_version\":\"1.1.0\"}]'");
    host.on("check-update", "echo '{\"variant\":\"metal\",\"arch\":\"x86_64\",\"version\":\"1.1.0\"}'");
    for (command, after) in
        [("update-image", staged()), ("update-apply", ready()), ("update-revert", staged())]
    {
        host.write(&host.fake(&format!("after-{command}.json")), &after.to_string());
        host.on(command, &script(&[STARTED, &becomes(&format!("after-{command}.json")), DONE]));
    }
    host
}

/// Runs an action to its end and returns the status after it.
pub(crate) fn act(server: &Server, action: &str) -> Value {
    server.post(&format!("/actions/{action}")).done();
    server.settled()
}

/// What the last command was, and how it ended.
pub(crate) fn last(status: &Value) -> [&str; 2] {
    let command = &status["most_recent_command"];
    assert!(
        command["exit_status"].is_u64() && command["timestamp"].is_string() && command["stderr"].is_string()
    );
    ["cmd_type", "cmd_status"].map(|field| command[field].as_str().unwrap())
}

/// The state of updates, and how it came about.
pub(crate) fn told(status: &Value) -> [&str; 3] {
    let [command, outcome] = last(status);
    [status["update_state"].as_str().unwrap(), command, outcome]
}
