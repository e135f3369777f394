//! `update` and `reboot`.

use crate::host::{Host, status};
use crate::scripted::Scripted;

/// The whole error event of an `updog` that fails.
fn fails(message: &str) -> String {
    let event = serde_json::json!({"event": "error", "error": {"code": "unreachable", "message": message, "help": "look at the network"}});
    format!("echo '{event}'; exit 1")
}

#[test]
fn check_prints_the_state_and_one_line_for_a_person() {
    let host = Host::new();
    let ran = host.run(&["update", "check"]);
    let status = ran.json();
    assert_eq!(status["update_state"], "Available");
    assert_eq!(status["chosen_update"]["version"], "1.1.0");
    assert_eq!(status["most_recent_command"]["cmd_type"], "refresh");
    assert!(ran.stderr.starts_with("Update 1.1.0 is available"), "{}", ran.stderr);
}

#[test]
fn apply_installs_and_activates_and_reboots_when_asked_to() {
    let host = Host::new();
    let ran = host.run(&["update", "apply", "--check", "--reboot"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // What the check found, as "update check" prints it.
    assert_eq!(
        (&ran.json()["update_state"], &ran.json()["chosen_update"]["version"]),
        (&"Available".into(), &"1.1.0".into())
    );
    assert!(ran.stdout.lines().count() > 5, "pretty: {ran:?}");
    assert!(ran.stderr.ends_with("Update applied; rebooting into it\n"), "{}", ran.stderr);
    assert!(host.paths().reboot_request().exists());
    assert_eq!(
        host.calls(),
        ["check-update", "check-update", "update-image", "update-apply", "reboot-in-turn"]
    );
    assert_eq!(host.run(&["-u", "/updates/status"]).json()["update_state"], "Ready");

    // Again, it is an answer that there is nothing to do.
    let ran = host.run(&["update", "apply", "-c"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("1.1.0 is applied already"), "{}", ran.stderr);
    // Without looking, that is an error with a next step.
    let stderr = host.run(&["update", "apply"]).failed(1);
    assert!(stderr.contains("Ready") && stderr.contains("help: one is applied already"), "{stderr}");
}

#[test]
fn cancel_takes_an_update_back_and_apply_does_not_fetch_it_again() {
    let host = Host::new();
    assert_eq!(host.run(&["update", "apply", "-c"]).code, 0);
    let ran = host.run(&["update", "cancel"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert_eq!(host.run(&["-u", "/updates/status"]).json()["update_state"], "Staged");
    let stderr = host.run(&["update", "cancel"]).failed(1);
    assert!(
        stderr.contains("the state of updates is Staged\nhelp: what is staged starts only once"),
        "{stderr}"
    );
    assert!(host.run(&["update", "check"]).stderr.contains("1.1.0 is installed"));
    assert_eq!(host.run(&["update", "apply"]).code, 0);
    assert_eq!(host.calls().iter().filter(|call| *call == "update-image").count(), 1);
    assert_eq!(host.run(&["-u", "/updates/status"]).json()["update_state"], "Ready");
    assert!(!host.paths().reboot_request().exists());
}

#[test]
fn a_running_installation_is_stopped_and_its_waiter_learns_of_it() {
    let host = Host::new();
    assert_eq!(host.run(&["update", "check"]).code, 0);
    host.on("update-image", r#"echo '{"event":"started"}'; exec sleep 60"#);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| host.run(&["update", "apply"]));
        while !host.run(&["update", "status", "--json"]).json()["running"].as_bool().unwrap() {
            assert!(!waiter.is_finished(), "{:?}", waiter.join());
        }
        let ran = host.run(&["update", "cancel", "--json"]);
        assert_eq!(ran.json()["outcome"], "stopped");
        assert!(waiter.join().unwrap().failed(1).contains("failed to prepare: "));
    });
    let last = &host.run(&["-u", "/updates/status"]).json()["most_recent_command"];
    assert_eq!((&last["cmd_type"], &last["cmd_status"]), (&"prepare".into(), &"Failed".into()));
    assert_eq!(last["exit_status"], 15);
}

#[test]
fn nothing_to_do_is_success_after_a_check_and_an_error_with_a_next_step_otherwise() {
    let host = Host::new();
    let stderr = host.run(&["update", "apply"]).failed(1);
    assert!(stderr.contains("the state of updates is Idle") && stderr.contains("apply --check"), "{stderr}");
    let stderr = host.run(&["update", "cancel"]).failed(1);
    assert_eq!(
        stderr,
        "apiclient: failed to cancel an update: Status 409 when POSTing /actions/cancel: failed to cancel: no update command runs, and no update is to start with the next boot: the state of updates is Idle\nhelp: the next boot starts what runs now\n"
    );
    let none = r#"echo '{"event":"error","error":{"code":"no_update","message":"failed to find one","help":null}}'; exit 1"#;
    host.on("check-update", &format!("if [ \"$2\" = --all ]; then echo '[]'; exit; fi; {none}"));
    for args in [&["update", "check"][..], &["update", "apply", "-c"]] {
        let ran = host.run(args);
        assert_eq!(ran.code, 0);
        assert_eq!(ran.stderr, "No updates available.\n");
    }
}

#[test]
fn what_is_wrong_with_the_disk_is_told_and_nothing_where_all_is_well() {
    let facts = r#"{"active":{"set":"A","variant":"metal","arch":"x86_64","version":"1.0.0","proven":true,"next_to_boot":true},"inactive":null,"proven":true,"disk":DISK}"#;
    for (disk, told) in [("[]", false), (r#"["the backup table is not valid"]"#, true)] {
        let host = Host::new();
        host.on("status", &format!("echo '{}'; exit", facts.replace("DISK", disk)));
        assert_eq!(host.run(&["update", "check"]).code, 0);
        let screen = host.run(&["update", "status"]).stdout;
        assert_eq!(screen.contains("Disk          the backup table is not valid"), told, "{screen}");
        let raw = host.run(&["raw", "-u", "/updates/status"]).stdout;
        assert_eq!(raw.contains(r#""disk":["the backup table is not valid"]"#), told, "{raw}");
        assert_eq!(raw.contains("\"disk\""), told, "{raw}");
    }
}

#[test]
fn an_unproven_boot_is_told_with_who_marks_it_good() {
    let facts = r#"{"active":{"set":"A","variant":"metal","arch":"x86_64","version":"1.0.0","proven":PROVEN,"next_to_boot":true},"inactive":null,"proven":PROVEN}"#;
    for (proven, told) in [("true", false), ("false", true)] {
        let host = Host::new();
        host.on("status", &format!("echo '{}'; exit", facts.replace("PROVEN", proven)));
        assert_eq!(host.run(&["update", "check"]).code, 0);
        let screen = host.run(&["update", "status"]);
        assert_eq!(screen.code, 0);
        let lines =
            ["Proven        no: this boot is not marked good yet", "Next          updog confirm-boot marks"];
        assert!(lines.iter().all(|line| screen.stdout.contains(line) == told), "{}", screen.stdout);
        // Where nothing is offered as well: it is not an update that is missing.
        let host = Host::new();
        host.on("status", &format!("echo '{}'; exit", facts.replace("PROVEN", proven)));
        let none = r#"echo '{"event":"error","error":{"code":"no_update","message":"failed to find one","help":null}}'; exit 1"#;
        host.on("check-update", &format!("if [ \"$2\" = --all ]; then echo '[]'; exit; fi; {none}"));
        assert_eq!(host.run(&["update", "check"]).code, 0);
        let screen = host.run(&["update", "status"]).stdout;
        assert!(screen.contains("State         Idle"), "{screen}");
        assert!(lines.iter().all(|line| screen.contains(line) == told), "{screen}");
    }
}

#[test]
fn a_failure_of_the_work_is_told_with_its_next_step() {
    let host = Host::new();
    host.on("check-update", &fails("failed to reach https://updates.example/: connection refused"));
    assert_eq!(
        host.run(&["update", "check"]).failed(1),
        "apiclient: failed to refresh: failed to reach https://updates.example/: connection refused\nhelp: look at the network\n"
    );
    host.on("check-update", "");
    host.on(
        "update-image",
        &format!("echo '{{\"event\":\"started\"}}'; {}", fails("failed to write root image")),
    );
    let ran = host.run(&["update", "apply", "-c"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("failed to prepare: failed to write root image"), "{ran:?}");
    assert_eq!(host.run(&["-u", "/updates/status"]).json()["update_state"], "Available");
    assert!(!host.calls().contains(&"update-apply".to_owned()));
}

#[test]
fn reboot_is_asked_of_the_host() {
    let host = Host::new();
    host.run(&["reboot"]).silent();
    assert!(host.paths().reboot_request().exists());
}

#[test]
fn a_running_command_is_waited_for_and_another_one_is_busy() {
    // Before: refresh at 1. Then four times busy, then ours has ended.
    let server = Scripted::new(|request, count| match (request.line.starts_with("POST"), count) {
        (true, _) => (204, Vec::new()),
        (_, 0) => (200, status("refresh", "Success", 1, "").into_bytes()),
        (_, ..6) => (423, b"busy".to_vec()),
        _ => (200, status("refresh", "Success", 2, "").into_bytes()),
    });
    assert_eq!(
        server.run(&["update", "check"]).json()["most_recent_command"]["timestamp"],
        "2024-10-24T12:00:02Z"
    );
    assert_eq!(server.seen().len(), 7);
    let busy = Scripted::new(|_, _| (423, b"busy".to_vec()));
    let stderr = busy.run(&["update", "check"]).failed(1);
    assert!(stderr.contains("Status 423 when GETing /updates/status"), "{stderr}");
    assert_eq!(busy.seen().len(), 1, "nothing was started");
}

#[test]
fn some_bad_answers_are_borne_and_too_many_leave_it_open() {
    let flaky = |flaws: usize| {
        Scripted::new(move |request, count| match (request.line.starts_with("POST"), count) {
            (true, _) => (204, Vec::new()),
            (_, 0) => (404, b"none yet".to_vec()),
            (_, count) if count < 2 + flaws => (if count % 2 == 0 { 500 } else { 0 }, b"broken".to_vec()),
            _ => (200, status("refresh", "Success", 2, "").into_bytes()),
        })
    };
    assert_eq!(flaky(5).run(&["update", "check"]).code, 0);
    let stderr = flaky(6).run(&["update", "check"]).failed(1);
    assert!(stderr.contains("failed to see refresh through: the server stopped answering"), "{stderr}");
    assert!(stderr.contains("help: it may still go on"), "{stderr}");
}

#[test]
fn another_callers_command_and_a_senseless_status_are_not_taken_for_success() {
    let other = Scripted::new(|request, count| match (request.line.starts_with("POST"), count) {
        (true, _) => (204, Vec::new()),
        (_, 0) => (200, status("prepare", "Success", 2, "").into_bytes()),
        (_, _) => (200, status("prepare", "Success", 3, "").into_bytes()),
    });
    let stderr = other.run(&["update", "check"]).failed(1);
    assert!(stderr.contains("another update command ended after it"), "{stderr}");
    let senseless = Scripted::new(|_, _| (200, b"{\"update_state\":\"Dizzy\"}".to_vec()));
    let stderr = senseless.run(&["update", "check"]).failed(1);
    assert!(stderr.contains("the answer makes no sense"), "{stderr}");
}
