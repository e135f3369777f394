//! What `update` shows of the state, the reasons and the past, and the way back; each screen is kept in `golden/`.

use serde_json::{Value, json};

use crate::golden;
use crate::scripted::Scripted;

/// A server that gives one body for everything.
fn always(code: u16, body: &Value) -> Scripted {
    let body = body.to_string().into_bytes();
    Scripted::new(move |_, _| (code, body.clone()))
}

fn image(version: &str) -> Value {
    json!({"arch": "x86_64", "version": version, "variant": "metal"})
}

fn full_status() -> Value {
    json!({
        "update_state": "Ready", "available_updates": ["1.2.0", "1.1.0"], "chosen_update": image("1.2.0"),
        "active_partition": {"image": image("1.0.0"), "next_to_boot": false},
        "staging_partition": {"image": image("1.2.0"), "next_to_boot": true},
        "most_recent_command": {"cmd_type": "activate", "cmd_status": "Success", "timestamp": "2024-10-24T12:00:00.5Z", "exit_status": 0, "stderr": ""},
        "failed_update": {"image": image("1.1.0"), "stage": "migration", "reason": "the migration move-ntp ended with exit code 1", "attempts": 1, "held": true, "retry_after": null},
    })
}

fn progress(bytes: u64, second: u32) -> Value {
    json!({
        "command": "update-image", "pid": 7, "at": format!("2024-10-24T12:00:{second:02}Z"),
        "event": {"event": "progress", "phase": "write", "image": "root", "bytes": bytes, "total": 200 << 20, "rate": 10 << 20, "eta": 12},
    })
}

#[test]
fn the_state_is_told_in_full() {
    let ran = always(200, &full_status()).run(&["update", "status"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    golden::assert("update-status.txt", &ran.stdout);
    let told = always(200, &full_status()).run(&["update", "status", "--json"]).json();
    assert_eq!(told["running"], false);
    assert_eq!(told["status"]["failed_update"]["held"], true);
}

#[test]
fn a_running_command_and_a_host_without_any_are_answers_too() {
    let busy = || {
        Scripted::new(|request, _| match request.line.as_str() {
            "GET /updates/progress" => (200, progress(90 << 20, 1).to_string().into_bytes()),
            _ => (423, b"busy".to_vec()),
        })
    };
    let ran = busy().run(&["update", "status"]);
    assert_eq!(ran.code, 0);
    golden::assert("update-status-running.txt", &ran.stdout);
    let told = busy().run(&["update", "status", "--json"]).json();
    assert_eq!((&told["running"], &told["status"]), (&json!(true), &Value::Null));
    assert_eq!(told["progress"]["event"]["bytes"], 90 << 20);

    let ran = always(404, &json!("none")).run(&["update", "status"]);
    assert!(ran.code == 0 && ran.stdout.contains("No update command has ended"), "{ran:?}");
    let stderr = always(500, &json!("broken")).run(&["update", "status"]).failed(1);
    assert!(stderr.contains("Status 500 when GETing /updates/status"), "{stderr}");
}

#[test]
fn every_version_is_told_with_its_reason() {
    let explanation = json!({
        "running": {"variant": "metal", "arch": "x86_64", "version": "1.0.0"}, "seed": 1030, "now": "2024-10-24T12:00:00Z",
        "updates": [
            {"version": "1.10.0", "max_version": "1.10.0", "verdict": "waiting", "reason": "its wave has not come to this host", "wave_opens": "2024-10-26T08:30:00Z"},
            {"version": "1.2.0", "max_version": "1.10.0", "verdict": "chosen", "reason": "the newest that this host may take", "wave_opens": null},
        ],
    });
    let ran = always(200, &explanation).run(&["update", "explain"]);
    golden::assert("update-explain.txt", &ran.stdout);
    assert_eq!(always(200, &explanation).run(&["update", "explain", "--json"]).json(), explanation);
    let stderr = always(200, &json!([])).run(&["update", "explain"]).failed(1);
    assert!(stderr.contains("the answer makes no sense"), "{stderr}");
}

#[test]
fn the_past_is_told_newest_first() {
    let past = json!([
        {"id": "2", "started": "2024-10-24T12:00:00Z", "ended": "2024-10-24T12:01:05Z", "command": "update-image", "from": "1.0.0", "to": "1.2.0",
         "bytes": {"fetched": 43_935_334, "copied": 0, "skipped": 0, "written": 898_000_000}, "outcome": "staged", "error": null, "repeats": 0},
        {"id": "1", "started": "2024-10-23T12:00:00Z", "ended": null, "command": "check-update", "from": "1.0.0", "to": null,
         "bytes": {}, "outcome": "failed", "error": {"code": "unreachable", "message": "failed to reach https://updates.example/", "help": null}, "repeats": 3},
    ]);
    golden::assert("update-history.txt", &always(200, &past).run(&["update", "history"]).stdout);
    assert_eq!(always(200, &past).run(&["update", "history", "--json"]).json(), past);
    let none = always(200, &json!([])).run(&["update", "history"]);
    assert_eq!(none.stdout, "No update was tried on this host yet.\n");
}

#[test]
fn what_happens_meanwhile_is_told_to_programs_and_the_end_as_well() {
    // Before: nothing. Then two steps of progress, then it has ended.
    let server = Scripted::new(|request, count| match (request.line.as_str(), count) {
        ("GET /updates/status", ..2) => {
            let mut status = full_status();
            status["update_state"] = json!("Available");
            (200, status.to_string().into_bytes())
        }
        ("GET /updates/status", count) if count < 10 => (423, b"busy".to_vec()),
        ("GET /updates/status", _) => {
            let mut status = full_status();
            let command = if count < 13 { "prepare" } else { "activate" };
            status["most_recent_command"]["cmd_type"] = json!(command);
            status["most_recent_command"]["timestamp"] = json!(format!("2024-10-24T12:01:{count:02}Z"));
            (200, status.to_string().into_bytes())
        }
        ("GET /updates/progress", count) => {
            let second = u32::try_from(count).unwrap();
            (200, progress(u64::from(second) << 20, second).to_string().into_bytes())
        }
        _ => (204, Vec::new()),
    });
    let ran = server.run(&["update", "apply", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 2 && lines[0]["event"] == "progress", "{ran:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&json!("done"), &json!("applied")));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_way_back_that_waits_is_told_and_taken_back_and_a_timer_leaves_it_alone() {
    let goes_back = || {
        let mut status = full_status();
        status["update_state"] = json!("Available");
        status["staging_partition"] = Value::Null;
        status["next_boot"] = json!({"set": "B", "version": "0.9.0", "why": "rollback"});
        status
    };
    let server = move || {
        Scripted::new(move |request, count| {
            let mut status = goes_back();
            if count > 0 {
                status["most_recent_command"]["cmd_type"] = json!("refresh");
                status["most_recent_command"]["timestamp"] = json!(format!("2024-10-24T12:01:{count:02}Z"));
            }
            match request.line.as_str() {
                "GET /updates/status" => (200, status.to_string().into_bytes()),
                _ => (204, Vec::new()),
            }
        })
    };
    golden::assert("update-status-rollback.txt", &server().run(&["update", "status"]).stdout);

    let timer = server();
    let ran = timer.run(&["update", "apply", "--check", "--reboot"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("goes back to 0.9.0 with the next boot"), "{ran:?}");
    let asked = asked(&timer);
    assert!(asked.iter().all(|line| !line.contains("prepare") && !line.contains("reboot")), "{asked:?}");

    let server = server();
    let told: Value = serde_json::from_str(&server.run(&["update", "cancel", "--json"]).stdout).unwrap();
    assert_eq!(told["outcome"], "rollback-taken-back");
    let posted = server.seen().into_iter().filter(|request| request.line.starts_with("POST"));
    assert_eq!(posted.map(|request| request.line).collect::<Vec<_>>(), ["POST /actions/cancel"]);
}

#[test]
fn a_failure_is_told_to_programs_and_to_people() {
    let server = always(409, &json!("no"));
    let ran = server.run(&["update", "rollback", "--json"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["event"], &told["error"]["code"]), (&json!("error"), &json!("disallowed")));
    assert!(ran.code == 1 && ran.stderr.contains("Status 409 when POSTing /actions/rollback?dry-run=true"));
}

/// A server with a way back.
fn way_back() -> Scripted {
    Scripted::new(|request, _| match request.line.as_str() {
        line if line.contains("dry-run") => {
            let settings = json!({"way": "migrate", "migrations": ["move-ntp", "add-metrics"]});
            let plan = json!({"event": "plan", "from": {"version": "1.1.0"}, "to": {"version": "1.0.0"}, "set": "A", "settings": settings, "warnings": []});
            (200, plan.to_string().into_bytes())
        }
        "GET /updates/status" => (404, b"none".to_vec()),
        _ => (204, Vec::new()),
    })
}

fn asked(server: &Scripted) -> Vec<String> {
    server.seen().into_iter().map(|request| request.line).filter(|line| line.starts_with("POST")).collect()
}

#[test]
fn the_way_back_is_shown_agreed_to_and_then_taken() {
    let server = way_back();
    let ran = server.run(&["update", "rollback", "--dry-run"]);
    golden::assert("update-rollback.txt", &ran.stdout);
    assert_eq!(asked(&server), ["POST /actions/rollback?dry-run=true"]);

    let server = way_back();
    let stderr = server.run(&["update", "rollback"]).failed(1);
    assert!(stderr.contains("The next boot starts 1.0.0 from set A"), "{stderr}");
    assert!(stderr.ends_with("help: nothing was changed; to agree beforehand, add --yes\n"), "{stderr}");
    assert_eq!(asked(&server), ["POST /actions/rollback?dry-run=true"]);

    let server = way_back();
    let ran = server.run(&["update", "rollback", "--yes", "--restore-snapshot", "--reboot"]);
    assert!(ran.code == 0 && ran.stderr.ends_with("Done; rebooting\n"), "{ran:?}");
    assert_eq!(
        asked(&server),
        [
            "POST /actions/rollback?dry-run=true&restore-snapshot=true",
            "POST /actions/rollback?restore-snapshot=true",
            "POST /actions/reboot",
        ]
    );
    let done = way_back().run(&["update", "rollback", "--yes", "--json"]).json();
    assert_eq!((&done["outcome"], &done["plan"]["set"]), (&json!("rolled-back"), &json!("A")));
}

#[test]
fn a_running_update_is_stopped_and_failures_are_forgotten() {
    let server = Scripted::new(|request, count| match (request.line.as_str(), count) {
        ("GET /updates/status", 0 | 2) => (423, b"busy".to_vec()),
        ("GET /updates/status", _) => (200, full_status().to_string().into_bytes()),
        _ => (204, Vec::new()),
    });
    let ran = server.run(&["update", "cancel"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stderr.starts_with("The running update was stopped"), "{}", ran.stderr);
    assert_eq!(asked(&server), ["POST /actions/cancel"]);

    let server = way_back();
    assert_eq!(server.run(&["update", "clear-failed", "--json"]).json()["command"], "clear-failed");
    assert_eq!(asked(&server), ["POST /actions/clear-failed"]);
}

#[test]
fn a_timer_waits_for_its_window_and_for_the_end_of_a_hold() {
    let windowed = |settings: Value| {
        Scripted::new(move |request, _| match request.line.as_str() {
            line if line.starts_with("GET /settings?keys=") => (200, settings.to_string().into_bytes()),
            "GET /updates/status" => (200, full_status().to_string().into_bytes()),
            _ => (204, Vec::new()),
        })
    };
    let apply = &["update", "apply", "--reboot", "--if-in-window"];
    let held = windowed(json!({"updates": {"hold-until": "2999-01-01T00:00:00Z"}}));
    let ran = held.run(apply);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, "Updates are held until 2999-01-01 00:00:00 UTC: settings.updates.hold-until\n")
    );
    assert_eq!(asked(&held), Vec::<String>::new());
    let done = held.run(&[apply, &["--json"][..]].concat()).json();
    assert_eq!((&done["outcome"], &done["not_before"]), (&json!("later"), &json!("2999-01-01T00:00:00Z")));
    let wrong = windowed(json!({"updates": {"window": "whenever"}})).run(apply).failed(1);
    assert!(wrong.contains("failed to understand \"whenever\" as a time for updates"), "{wrong}");
}

#[test]
fn a_timer_reboots_into_what_is_ready_when_it_may() {
    let server = Scripted::new(|request, count| match request.line.as_str() {
        line if line.starts_with("GET /settings?keys=") => (200, b"{}".to_vec()),
        "GET /updates/status" => {
            let mut status = full_status();
            status["most_recent_command"]["cmd_type"] = json!("refresh");
            status["most_recent_command"]["timestamp"] = json!(format!("2024-10-24T12:00:{count:02}Z"));
            (200, status.to_string().into_bytes())
        }
        _ => (204, Vec::new()),
    });
    assert_eq!(server.run(&["update", "apply", "--check", "--reboot", "--if-in-window"]).code, 0);
    assert_eq!(
        asked(&server),
        ["POST /actions/refresh-updates", "POST /actions/reboot-in-turn?patient=true"]
    );
}
