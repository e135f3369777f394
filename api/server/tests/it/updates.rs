//! Update commands: their states, and how they end.

use std::fs;

use host_io::OperationLock;
use serde_json::{Value, json};

use crate::host::until;
use crate::updog::{
    DONE, GATE, STARTED, act, becomes, empty, error, facts, host, inactive, last, script, told,
};

#[test]
fn before_the_first_command_there_is_no_status() {
    let host = host();
    let server = host.serve();
    assert!(server.get("/updates/status").refused(404).contains("help: refresh first"));
    assert!(
        server.post("/actions/prepare-update").refused(409).contains("while the state of updates is Idle")
    );
    server.post("/actions/activate-update").refused(409);
    server.post("/actions/deactivate-update").refused(409);
    assert!(host.calls().is_empty());
    server.get("/updates/status").refused(404);
}

#[test]
fn an_update_goes_from_idle_to_ready_and_back_to_staged() {
    let host = host();
    let server = host.serve();
    let image = json!({"arch": "x86_64", "version": "1.1.0", "variant": "metal"});

    let status = act(&server, "refresh-updates");
    assert_eq!(last(&status), ["refresh", "Success"]);
    assert_eq!(status["update_state"], "Available");
    assert_eq!(status["available_updates"], json!(["1.1.0"]));
    assert_eq!(status["chosen_update"], image);
    assert_eq!(status["active_partition"]["image"]["version"], "1.0.0");
    assert_eq!(status["staging_partition"], Value::Null);

    let status = act(&server, "prepare-update");
    assert_eq!(told(&status), ["Staged", "prepare", "Success"]);
    assert_eq!(status["staging_partition"], json!({"image": image, "next_to_boot": false}));

    let status = act(&server, "activate-update");
    assert_eq!(told(&status), ["Ready", "activate", "Success"]);
    assert_eq!(status["staging_partition"]["next_to_boot"], true);
    assert_eq!(status["active_partition"]["next_to_boot"], false);
    server.post("/actions/prepare-update").refused(409);
    server.post("/actions/activate-update").refused(409);

    let status = act(&server, "refresh-updates");
    assert_eq!(status["update_state"], "Ready", "looking for updates changes nothing on the disk");

    let status = act(&server, "deactivate-update");
    assert_eq!(told(&status), ["Staged", "deactivate", "Success"]);
    let kept: Value = serde_json::from_slice(&fs::read(host.paths().update_status()).unwrap()).unwrap();
    assert_eq!(kept, status, "the known place shows the same");

    let root = format!(" --json --root {}", host.root().display());
    let calls = host.calls();
    assert_eq!(calls[0], format!("check-update --all{root}"));
    assert_eq!(calls[1], format!("check-update --review{root}"));
    assert_eq!(calls[2], format!("update-image --image 1.1.0 --offered{root}"), "the chosen version, pinned");
    assert_eq!(calls[3], format!("update-apply{root}"));
    assert_eq!(calls[6], format!("update-revert{root}"));
}

#[test]
fn while_a_command_runs_everybody_is_told_to_ask_again() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    host.on("update-image", &script(&[STARTED, GATE, &becomes("after-update-image.json")]));
    server.post("/actions/prepare-update").done();
    assert!(server.get("/updates/status").refused(423).contains("an update command is running"));
    for action in ["refresh-updates", "prepare-update", "activate-update", "deactivate-update"] {
        server.post(&format!("/actions/{action}")).refused(423);
    }
    server.get("/settings").ok();
    host.open_gate();
    let status = server.settled();
    assert_eq!(last(&status), ["prepare", "Success"]);
    assert_eq!(host.calls().iter().filter(|call| call.starts_with("update-image")).count(), 1);
}

#[test]
fn a_refresh_is_answered_before_the_repository_is() {
    let host = host();
    host.on("all", "cat \"$dir/gate\"; echo '[]'");
    host.on("check-update", &error("no_update", "failed to find an update: none is available"));
    let server = host.serve();
    server.post("/actions/refresh-updates").done();
    server.get("/updates/status").refused(423);
    host.open_gate();
    let status = server.settled();
    assert_eq!(told(&status), ["Idle", "refresh", "Success"]);
    assert_eq!(status["chosen_update"], Value::Null);
    assert_eq!(status["available_updates"], json!([]));
}

#[test]
fn an_update_on_a_command_line_is_busy_too() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let lock = OperationLock::acquire(&host.paths()).unwrap();
    server.get("/updates/status").refused(423);
    server.post("/actions/prepare-update").refused(423);
    drop(lock);
    assert_eq!(act(&server, "prepare-update")["update_state"], "Staged");
}

#[test]
fn whoever_locks_by_hand_is_waited_for_and_never_signalled() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    drop(OperationLock::acquire(&host.paths()).unwrap());
    // A server that is asked about its state all the time, and somebody who holds the lock and has written nothing there.
    let mut stranger = std::process::Command::new("flock")
        .arg("-x")
        .arg(host.paths().operation_lock())
        .args(["sh", "-c", "echo; exec sleep 600"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(stranger.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..40).for_each(|_| drop(server.get("/updates/status").refused(423))));
        }
        for _ in 0..20 {
            server.post("/actions/cancel").refused(423);
        }
    });
    assert!(stranger.try_wait().unwrap().is_none(), "it was signalled");
    // `flock` has a child that holds the lock as well.
    let child = format!("/proc/{0}/task/{0}/children", stranger.id());
    let child = std::fs::read_to_string(child).unwrap_or_default();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    if let Some(pid) = child.trim().parse().ok().and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    until("the lock is free", || (!OperationLock::is_held(&host.paths()).unwrap()).then_some(()));
    assert_eq!(act(&server, "prepare-update")["update_state"], "Staged");
}

#[test]
fn a_failed_refresh_says_why_and_claims_no_update() {
    let host = host();
    let server = host.serve();
    let before = act(&server, "refresh-updates");
    host.on("all", &error("unreachable", "failed to reach https://updates.example/: connection refused"));
    let status = act(&server, "refresh-updates");
    assert_eq!(last(&status), ["refresh", "Failed"]);
    let told = status["most_recent_command"]["stderr"].as_str().unwrap();
    assert_eq!(told, "failed to reach https://updates.example/: connection refused\nhelp: look again");
    assert_eq!(status["most_recent_command"]["exit_status"], 1);
    assert_ne!(status["most_recent_command"]["timestamp"], before["most_recent_command"]["timestamp"]);
    assert_eq!(status["update_state"], "Idle");
    assert_eq!(status["chosen_update"], Value::Null);
    server.post("/actions/prepare-update").refused(409);
    host.on("all", "echo '[]'");
    assert_eq!(act(&server, "refresh-updates")["update_state"], "Available");
}

#[test]
fn what_updog_refuses_before_it_starts_is_the_answer_and_no_command() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let before = act(&server, "prepare-update");
    let cases = [
        ("locked", 423),
        ("disallowed", 409),
        ("unproven", 409),
        ("no_update", 404),
        ("not_staged", 404),
        ("disk", 500),
    ];
    for (code, status) in cases {
        host.on("update-apply", &error(code, "failed to do that"));
        server.post("/actions/activate-update").refused(status);
    }
    host.on("update-apply", "echo boom >&2; exit 7");
    assert!(server.post("/actions/activate-update").refused(500).contains("boom"));
    assert_eq!(server.get("/updates/status").ok(), before, "the last command is still the prepare");
    fs::remove_file(host.fake("updog")).unwrap();
    assert!(server.post("/actions/activate-update").refused(500).contains("fake/updog"));
    server.get("/updates/status").refused(500);
    server.get("/settings").ok();
}

#[test]
fn a_failed_prepare_leaves_nothing_staged() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    act(&server, "prepare-update");
    host.write(&host.fake("cleared.json"), &empty().to_string());
    let fails = error("tampered", "failed to write root image: its digest differs");
    host.on("update-image", &script(&[STARTED, &becomes("cleared.json"), &fails]));
    let status = act(&server, "prepare-update");
    assert_eq!(told(&status), ["Available", "prepare", "Failed"]);
    assert_eq!(status["staging_partition"], Value::Null);
    assert!(status["most_recent_command"]["stderr"].as_str().unwrap().contains("its digest differs"));
    server.post("/actions/activate-update").refused(409);
}

#[test]
fn an_update_that_was_taken_back_in_between_is_no_success() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    host.on("update-image", &format!("{STARTED}\necho '{{\"event\":\"done\",\"update\":null}}'"));
    let status = act(&server, "prepare-update");
    assert_eq!(last(&status), ["prepare", "Failed"]);
    assert!(status["most_recent_command"]["stderr"].as_str().unwrap().contains("no longer offered"));
}

#[test]
fn an_update_that_is_withheld_by_its_root_says_so_as_it_is_offered_after_every_refresh() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let why = "1.1.0 is not offered: guard withholds it since 2026-06-01T00:00:00Z: it hangs";
    let done = format!("{{\"event\":\"done\",\"update\":null,\"why\":\"{why}\"}}");
    host.on("update-image", &format!("{STARTED}\necho '{done}'"));
    let status = act(&server, "prepare-update");
    assert_eq!(last(&status), ["prepare", "Failed"]);
    let said = status["most_recent_command"]["stderr"].as_str().unwrap().to_owned();
    assert!(said.contains(why) && said.contains("updog explain"), "{said}");
    assert!(!said.contains("no longer offered"), "{said}");
}

#[test]
fn success_is_not_believed_without_the_disk_and_a_killed_child_is_told_by_its_signal() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    host.on("update-image", &script(&[STARTED, DONE]));
    let status = act(&server, "prepare-update");
    assert_eq!(told(&status), ["Available", "prepare", "Failed"]);
    assert!(status["most_recent_command"]["stderr"].as_str().unwrap().contains("the disk does not show it"));
    host.on("update-image", &format!("{STARTED}\necho last words >&2\nkill -9 $$"));
    let status = act(&server, "prepare-update");
    assert_eq!(status["most_recent_command"]["exit_status"], 9);
    assert!(status["most_recent_command"]["stderr"].as_str().unwrap().contains("last words"));
}

#[test]
fn a_staged_image_is_still_staged_after_a_restart_and_a_reboot() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    let before = act(&server, "prepare-update");
    server.kill();
    let server = host.serve();
    assert_eq!(server.get("/updates/status").ok(), before);
    assert_eq!(server.stop(), Some(0));
    host.reboot();
    let server = host.serve();
    let kept: Value = serde_json::from_slice(&fs::read(host.paths().update_status()).unwrap()).unwrap();
    assert_eq!(kept, before, "it is put right before anybody asks");
    assert_eq!(server.get("/updates/status").ok(), before);
    assert_eq!(act(&server, "activate-update")["update_state"], "Ready");
}

#[test]
fn after_a_boot_into_the_update_nothing_is_left_to_do() {
    let host = host();
    let server = host.serve();
    for action in ["refresh-updates", "prepare-update", "activate-update"] {
        act(&server, action);
    }
    assert_eq!(server.stop(), Some(0));
    host.reboot();
    // The earlier system is kept, and boots: that does not make it an update.
    let kept =
        json!({"set": "A", "version": "1.0.0", "valid": true, "next_to_boot": false, "failed_boot": false});
    host.write(&host.fake("facts.json"), &facts("1.1.0", kept).to_string());
    let status = host.serve().get("/updates/status").ok();
    assert_eq!(status["update_state"], "Idle");
    assert_eq!(status["chosen_update"], Value::Null);
    assert_eq!(status["staging_partition"], Value::Null);
    assert_eq!(status["active_partition"]["image"]["version"], "1.1.0");
    assert_eq!(last(&status), ["activate", "Success"]);
}

#[test]
fn after_a_boot_that_fell_back_nothing_is_chosen() {
    let host = host();
    let server = host.serve();
    for action in ["refresh-updates", "prepare-update", "activate-update"] {
        act(&server, action);
    }
    drop(server);
    host.reboot();
    let failed = facts("1.0.0", inactive(Some("1.1.0"), false, false, true));
    host.write(&host.fake("facts.json"), &failed.to_string());
    let server = host.serve();
    let status = server.get("/updates/status").ok();
    assert_eq!(status["update_state"], "Idle");
    assert_eq!(status["chosen_update"], Value::Null);
    server.post("/actions/prepare-update").refused(409);
    assert_eq!(act(&server, "refresh-updates")["update_state"], "Available", "a person may look again");
}

#[test]
fn an_update_outlives_its_server_and_the_next_one_tells_its_end() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    host.on(
        "update-image",
        &script(&[STARTED, GATE, &becomes("after-update-image.json"), ": > \"$dir/ended\""]),
    );
    server.post("/actions/prepare-update").done();
    // The test holds the lock that the real program would hold while it works.
    let lock = OperationLock::acquire(&host.paths()).unwrap();
    server.kill();
    let server = host.serve();
    server.get("/updates/status").refused(423);
    host.open_gate();
    until("the update ends", || host.fake("ended").exists().then_some(()));
    drop(lock);
    let status = server.get("/updates/status").ok();
    assert_eq!(told(&status), ["Staged", "prepare", "Success"]);
}

#[test]
fn a_broken_memory_is_forgotten_and_heals() {
    let host = host();
    let server = host.serve();
    act(&server, "refresh-updates");
    server.kill();
    fs::write(host.paths().record().join("status.json"), b"{\"chosen_up").unwrap();
    let server = host.serve();
    assert!(server.log().contains("forgot the state of updates"));
    server.get("/updates/status").refused(404);
    assert_eq!(act(&server, "refresh-updates")["update_state"], "Available");
}
