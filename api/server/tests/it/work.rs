//! What stands beside the commands: progress, cancelling, going back, clearing, history, explanations.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

use host_io::OperationLock;
use serde_json::{Value, json};

use crate::host::{Host, Server, until};
use crate::updog::{
    DONE, GATE, STARTED, act, becomes, empty, error, facts, host, inactive, last, script, told,
};

/// Work that tells how far it is, waits at the gate, and then does what the host's `update-image` does.
fn slow_prepare(host: &Host) {
    let progress = r#"{"event":"progress","phase":"write","image":"root","bytes":5,"total":10}"#;
    let progress = format!("echo '{progress}'");
    let after = becomes("after-update-image.json");
    host.on("update-image", &script(&[STARTED, &progress, GATE, &after, DONE]));
}

fn event(progress: &Value) -> &str {
    progress["event"]["event"].as_str().unwrap()
}

#[test]
fn progress_is_told_while_the_status_is_busy_and_stays_when_it_is_over() {
    let host = host();
    slow_prepare(&host);
    let server = host.serve();
    assert!(server.get("/updates/progress").refused(404).contains("no work on an update"));
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    let told = until("it writes", || {
        Some(server.get("/updates/progress").ok()).filter(|told| event(told) == "progress")
    });
    assert_eq!((&told["command"], &told["event"]["bytes"]), (&json!("update-image"), &json!(5)));
    assert!(told["pid"].is_u64() && told["at"].is_string());
    server.get("/updates/status").refused(423);
    host.open_gate();
    assert_eq!(server.settled()["update_state"], "Staged");
    assert_eq!(event(&server.get("/updates/progress").ok()), "done");
}

/// The events of a stream, as they come.
fn events(server: &Server) -> impl Iterator<Item = Value> + use<> {
    let mut stream = server.connect();
    stream
        .write_all(b"GET /updates/progress HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200"), "{head:?}");
    assert!(head.iter().any(|line| line.to_lowercase() == "content-type: text/event-stream"), "{head:?}");
    lines.filter_map(|line| Some(serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
}

#[test]
fn a_stream_tells_each_event_until_the_work_ends() {
    let host = host();
    slow_prepare(&host);
    let server = host.serve();
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    let mut stream = events(&server);
    let told: Vec<Value> = stream.by_ref().take_while(|told| event(told) != "progress").collect();
    assert!(told.iter().all(|told| event(told) == "started"), "{told:?}");
    host.open_gate();
    assert_eq!(event(&stream.last().unwrap()), "done", "and then the stream is over");
    let after: Vec<Value> = events(&server).collect();
    assert_eq!((after.len(), event(&after[0])), (1, "done"), "nothing runs: the last one, and no waiting");
}

#[test]
fn work_that_somebody_else_started_is_followed_by_the_file_it_leaves() {
    let host = host();
    let server = host.serve();
    let lock = OperationLock::acquire(&host.paths()).unwrap();
    let left = |what: Value| {
        let at = format!("20{}-01-01T00:00:00Z", if what == "done" { 41 } else { 40 });
        let told = json!({"command": "update", "pid": 7, "at": at, "event": {"event": what}});
        let new = host.paths().progress().with_extension("new");
        host.write(&new, &told.to_string());
        fs::rename(new, host.paths().progress()).unwrap();
    };
    left(json!("progress"));
    let mut stream = events(&server);
    assert_eq!(event(&stream.next().unwrap()), "progress");
    left(json!("done"));
    assert_eq!(event(&stream.next().unwrap()), "done");
    drop(lock);
    assert_eq!(stream.next(), None);
}

#[test]
fn a_command_that_runs_is_cancelled_and_recorded_so() {
    let host = host();
    host.on("update-image", &format!("{STARTED}\nexec sleep 1000"));
    let server = host.serve();
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    server.post("/actions/cancel").done();
    let status = server.settled();
    assert_eq!(last(&status), ["prepare", "Failed"]);
    assert_eq!(status["most_recent_command"]["exit_status"], 15);
    assert_eq!(status["most_recent_command"]["stderr"], "cancelled on request");
    assert_eq!(status["update_state"], "Available");
    server.post("/actions/activate-update").refused(409);

    host.on("all", "exec sleep 1000");
    server.post("/actions/refresh-updates").done();
    server.post("/actions/cancel").done();
    let status = server.settled();
    assert_eq!(last(&status), ["refresh", "Failed"]);
    assert_eq!(status["most_recent_command"]["exit_status"], 15);
}

#[test]
fn when_nothing_runs_cancelling_takes_back_what_is_activated_and_nothing_else() {
    let host = host();
    let server = host.serve();
    assert!(server.post("/actions/cancel").refused(409).contains("no update command runs"));
    for action in ["refresh-updates", "prepare-update"] {
        act(&server, action);
        server.post("/actions/cancel").refused(409);
    }
    act(&server, "activate-update");
    let status = act(&server, "cancel");
    assert_eq!(told(&status), ["Staged", "deactivate", "Success"]);
}

#[test]
fn an_update_of_an_earlier_server_can_be_cancelled_too() {
    let host = host();
    // It holds the lock as the real one does, with its word in it, and ends when it is asked to.
    let lock = host.paths().operation_lock();
    host.write(&lock, "");
    let word = r#"read -r stat </proc/$$/stat; set -- $stat; echo "$1 ${22}" >"$0""#;
    let work = STARTED.replace('\'', "'\\''");
    let script = format!("{word}; {work}; exec sleep 1000");
    host.on("update-image", &format!("exec flock -F {0} sh -c '{script}' {0}", lock.display()));
    let server = host.serve();
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    server.kill();
    let server = host.serve();
    server.get("/updates/status").refused(423);
    server.post("/actions/cancel").done();
    let status = server.settled();
    assert_eq!(last(&status), ["prepare", "Failed"]);
    assert_eq!(status["most_recent_command"]["exit_status"], 15);
}

#[test]
fn going_back_is_done_before_it_is_answered_and_is_no_command_of_the_states() {
    let host = host();
    let server = host.serve();
    let before = act(&server, "refresh-updates");
    host.on(
        "rollback",
        &format!(
            "case \"$*\" in *--dry-run*) echo '{{\"event\":\"done\",\"to\":\"0.9.0\"}}';; *) {STARTED}; touch \"$dir/back\"; {DONE};; esac"
        ),
    );
    let answer = server.post("/actions/rollback?dry-run=true");
    assert_eq!(answer.ok()["to"], "0.9.0");
    server.post("/actions/rollback?dry-run=true&restore-snapshot=true").ok();
    assert!(host.calls().iter().any(|call| call.starts_with("rollback --restore-snapshot --dry-run")));
    assert!(!host.fake("back").exists());
    server.post("/actions/rollback").done();
    assert!(host.fake("back").exists());
    server.post("/actions/rollback?restore-snapshot=true").done();
    assert!(host.calls().iter().any(|call| call.starts_with("rollback --restore-snapshot --json")));
    assert_eq!(server.get("/updates/status").ok(), before);
    for (code, status) in [("locked", 423), ("disallowed", 409), ("unproven", 409), ("disk", 500)] {
        host.on("rollback", &error(code, "failed to roll back"));
        server.post("/actions/rollback").refused(status);
    }
    server.post("/actions/rollback?dry-run=maybe").refused(400);
    let lock = OperationLock::acquire(&host.paths()).unwrap();
    server.post("/actions/rollback").refused(423);
    server.post("/actions/clear-failed").refused(423);
    drop(lock);
}

#[test]
fn a_release_that_failed_is_told_until_it_is_cleared() {
    let host = host();
    let server = host.serve();
    let failed = json!({"variant": "metal", "arch": "x86_64", "version": "1.1.0", "root_hash": "ab", "stage": "health",
        "reason": "dns: no answer", "attempts": 1, "held": true, "retry_after": null, "recorded": "2024-10-24T12:00:00Z"});
    let mut held = facts("1.0.0", inactive(Some("1.1.0"), false, false, true));
    held["failed"] = failed;
    host.write(&host.fake("facts.json"), &held.to_string());
    // An updog that offers it all the same changes nothing.
    let status = act(&server, "refresh-updates");
    assert_eq!(told(&status), ["Idle", "refresh", "Success"]);
    assert_eq!(status["chosen_update"], Value::Null);
    assert_eq!(status["failed_update"]["image"]["version"], "1.1.0");
    assert_eq!(status["failed_update"]["reason"], "dns: no answer");
    host.on("clear-failed", &script(&[STARTED, &becomes("cleared.json"), DONE]));
    host.write(&host.fake("cleared.json"), &empty().to_string());
    server.post("/actions/clear-failed").done();
    let status = act(&server, "refresh-updates");
    assert_eq!(status["update_state"], "Available");
    assert!(status.get("failed_update").is_none(), "{status}");
}

#[test]
fn history_and_explanations_are_answered_also_while_work_goes_on() {
    let host = host();
    slow_prepare(&host);
    host.on("history", "echo '[{\"id\":\"1\",\"outcome\":\"staged\"}]'");
    host.on("explain", "echo '{\"running\":{},\"seed\":7,\"updates\":[]}'");
    let server = host.serve();
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    assert_eq!(server.get("/updates/history").ok()[0]["outcome"], "staged");
    assert_eq!(server.get("/updates/explain").ok()["seed"], 7);
    host.open_gate();
    server.settled();
    host.on("explain", &error("unreachable", "failed to reach it"));
    assert!(server.get("/updates/explain").refused(500).contains("failed to reach it"));
}

#[test]
fn a_refresh_within_a_minute_asks_nobody_but_has_a_time_of_its_own() {
    let host = host();
    let server = host.serve_with(&["--refresh-age", "60"]);
    let first = act(&server, "refresh-updates");
    let asked = host.calls().len();
    let second = act(&server, "refresh-updates");
    assert_eq!(host.calls().len(), asked);
    assert_ne!(first["most_recent_command"]["timestamp"], second["most_recent_command"]["timestamp"]);
    assert_eq!(first["chosen_update"], second["chosen_update"]);
    server.patch("/settings", r#"{"updates":{"ignore-waves":true}}"#).done();
    server.post("/tx/commit_and_apply").ok();
    act(&server, "refresh-updates");
    assert_eq!(host.calls().len(), asked + 2, "other settings may have another answer");
    act(&server, "prepare-update");
    act(&server, "refresh-updates");
    assert_eq!(host.calls().len(), asked + 5, "so may another state of the disk");
}

#[test]
fn a_server_that_is_asked_to_end_leaves_the_work_to_its_child() {
    let host = host();
    slow_prepare(&host);
    let server = host.serve();
    act(&server, "refresh-updates");
    server.post("/actions/prepare-update").done();
    let lock = OperationLock::acquire(&host.paths()).unwrap();
    // Its last words before the gate: what it said later would find no reader, and that ends a shell.
    let mut stream = events(&server);
    stream.find(|told| event(told) == "progress").unwrap();
    assert_eq!(server.stop(), Some(0), "a stream does not hold it up");
    let server = host.serve();
    server.get("/updates/status").refused(423);
    host.open_gate();
    until("the child ends", || {
        fs::read_to_string(host.fake("facts.json")).unwrap().contains("1.1.0").then_some(())
    });
    drop(lock);
    let status = server.get("/updates/status").ok();
    assert_eq!(told(&status), ["Staged", "prepare", "Success"]);
}

#[test]
fn a_failure_that_no_server_saw_is_told_in_its_own_words() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let event = json!({"event": "error", "error": {"code": "tampered", "message": "failed to write root image", "help": "another mirror"}});
    let left = json!({"command": "update-image", "pid": 7, "at": "2040-01-01T00:00:00Z", "event": event});
    host.write(&host.fake("left.json"), &left.to_string());
    let progress = host.paths().progress();
    fs::create_dir_all(progress.parent().unwrap()).unwrap();
    let leave = format!("cp \"$dir/left.json\" {}", progress.display());
    host.on("update-image", &script(&[STARTED, GATE, &leave, ": > \"$dir/ended\""]));
    server.post("/actions/prepare-update").done();
    server.kill();
    host.open_gate();
    until("the child ends", || host.fake("ended").exists().then_some(()));
    let status = host.serve().get("/updates/status").ok();
    assert_eq!(last(&status), ["prepare", "Failed"]);
    assert_eq!(status["most_recent_command"]["stderr"], "failed to write root image\nhelp: another mirror");
}

#[test]
fn a_way_back_that_waits_is_told_kept_from_updates_and_can_be_cancelled() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let mut old = inactive(Some("0.9.0"), true, true, false);
    old["proven"] = json!(true);
    let mut back = facts("1.0.0", old);
    back["next_boot"] = json!({"set": "B", "version": "0.9.0", "why": "rollback"});
    back["proven"] = json!(true);
    host.write(&host.fake("facts.json"), &back.to_string());
    let status = server.settled();
    assert_eq!(status["next_boot"], back["next_boot"]);
    assert_eq!((&status["update_state"], &status["proven"]), (&json!("Available"), &json!(true)));
    let calls = host.calls();
    for action in ["prepare-update", "activate-update", "deactivate-update"] {
        let said = server.post(&format!("/actions/{action}")).refused(409);
        assert!(said.contains("goes back to version 0.9.0") && said.contains("/actions/cancel"), "{said}");
    }
    assert_eq!(host.calls(), calls, "nothing was begun");
    // Looking for updates changes nothing of it.
    assert_eq!(act(&server, "refresh-updates")["next_boot"], back["next_boot"]);
    host.write(&host.fake("after-update-revert.json"), &empty().to_string());
    server.post("/actions/cancel").done();
    let status = server.settled();
    assert_eq!(status["next_boot"], serde_json::Value::Null);
    assert_eq!(last(&status), ["refresh", "Success"], "no word that readers of the status do not know");
    assert!(server.post("/actions/cancel").refused(409).contains("no update command runs"));
}

#[test]
fn a_reboot_into_what_may_not_run_any_more_is_refused_with_the_reason() {
    let host = host();
    let server = host.serve();
    for action in ["refresh-updates", "prepare-update", "activate-update"] {
        act(&server, action);
    }
    let mut set = inactive(Some("1.1.0"), true, true, false);
    set["against"] = json!("the version lock of this host is 1.0.0");
    host.write(&host.fake("facts.json"), &facts("1.0.0", set.clone()).to_string());
    let said = server.post("/actions/reboot").refused(409);
    assert!(said.contains("version 1.1.0 boots next") && said.contains("version lock"), "{said}");
    assert!(!host.paths().reboot_request().exists());
    // A check takes it back; that stays a check.
    set["next_to_boot"] = json!(false);
    host.write(&host.fake("facts.json"), &facts("1.0.0", set).to_string());
    let status = act(&server, "refresh-updates");
    assert_eq!(told(&status), ["Staged", "refresh", "Success"]);
    server.post("/actions/reboot").done();
    // Whatever updog cannot tell keeps nobody from rebooting.
    host.on("status", "exit 1");
    server.post("/actions/reboot").done();
}

#[test]
fn a_reboot_in_turn_that_takes_its_time_is_followed_by_its_number() {
    let host = host();
    host.on("reboot-in-turn", &script(&[STARTED, GATE, DONE]));
    let server = host.serve();
    // Whoever asks as well joins it.
    for uri in ["/actions/reboot-in-turn?patient=true", "/actions/reboot-in-turn"] {
        let underway = server.post(uri);
        assert_eq!((underway.status, underway.body.as_str()), (202, "{\"follow\":1}"));
    }
    host.open_gate();
    server.post("/actions/reboot-in-turn?follow=1").done();
    // And how it went is told for as long as it is the last one.
    server.post("/actions/reboot-in-turn?follow=1").done();
    assert_eq!(host.calls().iter().filter(|call| call.starts_with("reboot-in-turn")).count(), 1);
    host.on("reboot-in-turn", &error("not_in_turn", "failed to reboot in turn: the slot is taken"));
    assert!(server.post("/actions/reboot-in-turn").refused(409).contains("the slot is taken"));
    assert!(server.post("/actions/reboot-in-turn?follow=1").refused(409).contains("is not known any more"));
    assert!(server.post("/actions/reboot-in-turn?follow=2").refused(409).contains("the slot is taken"));
}
