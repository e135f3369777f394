//! One host of a group after another: a lock server, hooks that drain and bring back, and what lies between.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use host_io::{Clock as _, SystemClock};
use serde_json::Value;
use testdata::fleet_lock::{FleetLock, Gate, LockFault};
use testdata::{BootFault, Host, Ran, Release, World};

use crate::support::{failure, reconfigure};

const PRE: &str = "pre-reboot";
const STEADY: &str = "steady-state";

/// A host whose hooks write down when they run, and that asks `lock`; 1.1.0 is applied and boots next.
struct Story {
    world: World,
    host: Host,
    lock: FleetLock,
}

impl Story {
    fn new() -> Self {
        Self::with(Release::new("1.1.0"))
    }

    fn with(release: Release) -> Self {
        let world = World::new();
        world.publish(release);
        let lock = FleetLock::new();
        let mut host = world.host("1.0.0");
        host.boot();
        host.set("updates.reboot-lock", &lock.url());
        let _ = host.run("updog", &["update"]).expect_ok();
        let story = Self { world, host, lock };
        story.hooks();
        story
    }

    /// `/etc` is the boot's.
    fn hooks(&self) {
        self.hook("pre-reboot.d", "10-drain", "echo drain >> \"$log\"");
        self.hook("post-boot.d", "10-undrain", "echo undrain >> \"$log\"");
    }

    fn hook(&self, dir: &str, name: &str, script: &str) {
        let path = self.host.paths().root().join("etc/updog").join(dir).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\nlog='{}'\n{script}\n", self.log().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.host.paths().root().join("hooks.log")
    }

    /// What hooks wrote down since the last look.
    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let _none_yet = fs::remove_file(self.log());
        text.lines().map(str::to_owned).collect()
    }

    fn reboot_in_turn(&self) -> Ran {
        self.host.run("updog", &["reboot-in-turn", "--json"])
    }

    fn end_turn(&self) -> Value {
        let ran = self.host.run("updog", &["end-turn", "--json"]).expect_ok();
        serde_json::from_str::<Value>(ran.stdout.lines().last().unwrap()).unwrap()["turn"].clone()
    }

    /// Boots without confirming, with the hooks in place.
    fn boot(&mut self) -> Option<String> {
        let version = self.host.reboot_unproven().version_at_once().map(str::to_owned);
        self.hooks();
        version
    }

    fn confirm(&self) {
        let _ = self.host.run("updog", &["confirm-boot"]).expect_ok();
    }

    fn holds(&self) -> bool {
        self.lock.holder("default").is_some()
    }

    fn turn(&self) -> Value {
        self.host.run("updog", &["status", "--json"]).expect_ok().json()["turn"].clone()
    }
}

#[test]
fn a_host_asks_drains_reboots_and_gives_its_slot_back_once_it_is_healthy() {
    let mut story = Story::new();
    let _ = story.reboot_in_turn().expect_ok();
    assert!(story.host.reboot_requested() && story.holds());
    assert_eq!(story.ran(), ["drain"]);
    let [asked] = &story.lock.taken()[..] else { panic!("asked once") };
    assert!(asked.has_header && asked.group == "default" && asked.door == PRE, "{asked:?}");
    let machine = fs::read_to_string(story.host.paths().machine_id()).unwrap();
    assert!(asked.id.len() == 32 && asked.id != machine.trim(), "{asked:?}");
    assert_eq!(story.turn()["stage"], "reboots");
    // The timer does nothing to a host whose reboot is on its way.
    assert_eq!(story.end_turn(), "reboots");
    assert_eq!((story.ran().len(), story.lock.doors().len()), (0, 0));

    assert_eq!(story.boot().as_deref(), Some("1.1.0"));
    // Nothing is given back before this boot is confirmed, however often somebody asks.
    for _ in 0..2 {
        assert_eq!(story.end_turn(), "waits");
    }
    assert_eq!((story.ran().len(), story.lock.doors().len(), story.holds()), (0, 0, true));
    story.confirm();
    assert_eq!(story.end_turn(), "ended");
    assert_eq!(story.ran(), ["undrain"]);
    let [given] = &story.lock.taken()[..] else { panic!("given back once") };
    assert_eq!((given.door.as_str(), &given.id), (STEADY, &asked.id), "both sets have one name");
    assert!(!story.holds());
    assert_eq!((story.end_turn(), story.turn()), ("nothing".into(), Value::Null));
    let history = story.host.run("updog", &["history", "--json"]).expect_ok().json();
    let of = |command: &str| {
        let found = history.as_array().unwrap().iter().find(|record| record["command"] == command);
        found.unwrap_or_else(|| panic!("{command}: {history}")).clone()
    };
    assert_eq!(
        (&of("reboot-in-turn")["outcome"], &of("end-turn")["outcome"]),
        (&"rebooting".into(), &"turn-ended".into())
    );
    assert!(of("reboot-in-turn")["notes"].to_string().contains("10-drain"));
}

#[test]
fn a_host_that_is_refused_or_not_answered_stays_as_it_is_and_asks_again_later() {
    let story = Story::new();
    story.lock.give("default", Some("somebody else"));
    let said = failure(&story.reboot_in_turn());
    assert_eq!(said.code, "not_in_turn");
    assert!(said.message.contains("the slot of default is taken (all_slots_taken)"), "{}", said.message);
    assert_eq!((story.turn()["stage"].clone(), story.end_turn()), ("refused".into(), "rests".into()));
    assert_eq!(story.lock.doors(), [PRE], "who holds nothing gives nothing back");
    story.lock.give("default", None);

    // None of these is an answer; what is behind a redirect is never asked.
    let other = FleetLock::new();
    for fault in [
        LockFault::NoAnswer,
        LockFault::Page(404),
        LockFault::Page(200 + 4),
        LockFault::Page(502),
        LockFault::Redirect(format!("{}v1/pre-reboot", other.url())),
    ] {
        story.lock.fault(PRE, fault);
        let said = failure(&story.reboot_in_turn());
        assert!(said.message.contains("gives no answer that counts"), "{}", said.message);
        assert!(said.help.contains("without an answer there is no reboot"), "{}", said.help);
    }
    assert!(!story.host.reboot_requested() && story.ran().is_empty() && other.taken().is_empty());
    let _asked = story.lock.taken();
    // A timer leaves it alone for a while, each time longer; a person does not.
    assert!(story.turn()["not_before"].is_string());
    let said = failure(&story.host.run("updog", &["reboot-in-turn", "--patient", "--json"]));
    assert!(said.message.contains("is not asked again before"), "{}", said.message);
    assert!(story.lock.taken().is_empty());
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!((story.ran(), story.holds()), (vec!["drain".to_owned()], true));
}

#[test]
fn a_slot_that_was_given_without_the_host_hearing_of_it_is_not_left_for_ever() {
    let story = Story::new();
    story.lock.fault(PRE, LockFault::NoAnswerAfter);
    let _said = failure(&story.reboot_in_turn());
    assert!(story.holds() && story.ran().is_empty());
    assert_eq!((story.end_turn(), story.holds()), ("ended".into(), false));
    assert!(story.ran().is_empty(), "nothing was drained");
}

#[test]
fn a_hook_that_fails_or_hangs_means_no_reboot_and_the_host_is_brought_back() {
    let story = Story::new();
    for (script, why) in [
        (
            "echo no way >&2; exit 3",
            "the pre-reboot hook 20-last ended with exit status: 3, saying \"no way\"",
        ),
        ("sleep 600 & sleep 600", "the pre-reboot hook 20-last did not end within 1 s"),
    ] {
        story.hook("pre-reboot.d", "20-last", script);
        let said = failure(&story.host.run("updog", &["reboot-in-turn", "--hook-within", "1", "--json"]));
        assert!(said.message.contains(why), "{}", said.message);
        assert_eq!(story.ran(), ["drain", "undrain"]);
        assert_eq!(story.lock.doors(), [PRE, STEADY]);
        assert!(!story.host.reboot_requested() && !story.holds() && story.turn().is_null());
    }
    // One that cannot run is found before any of them runs.
    story.hook("pre-reboot.d", "20-last", "");
    let path = story.host.paths().pre_reboot_hooks()[1].join("20-last");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let said = failure(&story.reboot_in_turn());
    assert!(said.message.contains("the pre-reboot hook 20-last cannot run: "), "{}", said.message);
    assert_eq!(story.ran(), ["undrain"]);
}

#[test]
fn an_update_that_is_taken_back_meanwhile_is_not_rebooted_into() {
    let story = Story::new();
    let (gate, keeper) = Gate::new();
    story.lock.fault(PRE, LockFault::Waits(gate));
    let reboot = story.host.spawn("updog", &["reboot-in-turn", "--json"]);
    keeper.come();
    // Nobody is kept from taking it back, and another end-turn or confirmation does nothing to a turn that is being taken.
    let _ = story.host.run("updog", &["update-revert"]).expect_ok();
    let _ = story.host.run("updog", &["confirm-boot"]).expect_ok();
    assert_eq!((story.end_turn(), story.ran().len()), ("waits".into(), 0));
    keeper.open();
    let said = failure(&reboot.wait());
    assert!(said.message.contains("no update waits for its reboot"), "{}", said.message);
    assert_eq!(story.ran(), ["drain", "undrain"]);
    assert!(!story.host.reboot_requested() && !story.holds() && story.turn().is_null());
    // And without an update nobody is asked.
    let _doors = story.lock.taken();
    let _said = failure(&story.reboot_in_turn());
    assert!(story.lock.taken().is_empty());
}

#[test]
fn a_process_that_is_killed_between_the_drain_and_the_reboot_leaves_nothing_for_ever() {
    let story = Story::new();
    let pipe = story.host.paths().root().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    story.hook("pre-reboot.d", "20-last", &format!("echo last > '{}'; exec sleep 20", pipe.display()));
    let reboot = story.host.spawn("updog", &["reboot-in-turn", "--json"]);
    assert_eq!(fs::read_to_string(&pipe).unwrap(), "last\n");
    let _killed = reboot.kill();
    assert!(story.holds() && story.turn()["drained"] == true);
    assert_eq!(story.end_turn(), "ended");
    assert_eq!((story.ran(), story.holds()), (vec!["drain".to_owned(), "undrain".to_owned()], false));
}

#[test]
fn a_reboot_that_never_came_is_undone_by_the_next_run_or_gone_on_with() {
    let story = Story::new();
    let _ = story.reboot_in_turn().expect_ok();
    fs::remove_file(story.host.paths().reboot_request()).unwrap();
    let later = (SystemClock.now() + chrono::TimeDelta::minutes(11)).to_rfc3339();
    let ended = story.host.run("updog", &["end-turn", "--json", "--at", &later]).expect_ok();
    assert!(ended.stdout.contains("\"turn\":\"ended\""), "{ended}");
    assert_eq!((story.ran(), story.holds()), (vec!["drain".to_owned(), "undrain".to_owned()], false));

    let _ = story.reboot_in_turn().expect_ok();
    let said = failure(&story.reboot_in_turn());
    assert!(said.message.contains("its reboot is on its way"), "{}", said.message);
    let _ = story.host.run("updog", &["reboot-in-turn", "--json", "--at", &later]).expect_ok();
    assert_eq!((story.ran(), story.holds()), (vec!["drain".to_owned(), "drain".to_owned()], true));
}

#[test]
fn after_a_fallback_the_host_is_brought_back_and_its_group_stops() {
    let mut story = Story::with(Release::new("1.1.0").boot_fault(BootFault::Panic));
    let _ = story.reboot_in_turn().expect_ok();
    let _ = story.ran();
    assert_eq!(story.host.reboot_unproven().booted().unwrap().version.as_deref(), Some("1.0.0"));
    story.hooks();
    assert_eq!(story.end_turn(), "waits");
    story.confirm();
    assert_eq!(story.end_turn(), "kept");
    assert_eq!((story.ran(), story.holds()), (vec!["undrain".to_owned()], true));
    // An ordinary reboot does not lift it, nor does one after the other.
    for _ in 0..2 {
        assert_eq!(story.boot().as_deref(), Some("1.0.0"));
        story.confirm();
        assert_eq!(story.end_turn(), "kept");
        assert_eq!((story.ran().len(), story.holds()), (0, true));
    }
    let told = story.host.run("updog", &["status"]).expect_ok().stdout;
    assert!(told.contains("Turn:     the slot is kept since "), "{told}");
    // A day later it goes, and it goes at once when a person clears what failed.
    let at = |hours: i64| (SystemClock.now() + chrono::TimeDelta::hours(hours)).to_rfc3339();
    let kept = story.host.run("updog", &["end-turn", "--json", "--at", &at(23)]).expect_ok();
    assert!(kept.stdout.contains("\"turn\":\"kept\""), "{kept}");
    let note = story.host.paths().reboot_turn().join("note.json");
    let before = fs::read(&note).unwrap();
    let ended = story.host.run("updog", &["end-turn", "--json", "--at", &at(25)]).expect_ok();
    assert!(ended.stdout.contains("\"turn\":\"ended\"") && !story.holds(), "{ended}");
    fs::write(&note, before).unwrap();
    let _ = story.host.run("updog", &["clear-failed"]).expect_ok();
    assert_eq!(story.end_turn(), "ended");
}

#[test]
fn a_next_release_that_stays_frees_the_group_and_a_refusal_on_the_way_does_not() {
    let mut story = Story::with(Release::new("1.1.0").boot_fault(BootFault::Panic));
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!(story.host.reboot().booted().unwrap().version.as_deref(), Some("1.0.0"));
    story.hooks();
    assert_eq!(story.end_turn(), "kept");
    story.world.publish(Release::new("1.2.0"));
    let _ = story.host.run("updog", &["update"]).expect_ok();
    for fault in [LockFault::NoAnswer, LockFault::Page(404)] {
        story.lock.fault(PRE, fault);
        let _said = failure(&story.reboot_in_turn());
        assert_eq!((story.end_turn(), story.holds()), ("kept".into(), true));
    }
    story.hook("pre-reboot.d", "20-last", "exit 1");
    let _said = failure(&story.reboot_in_turn());
    assert_eq!((story.end_turn(), story.holds()), ("kept".into(), true), "a hook that fails lifts nothing");
    story.hook("pre-reboot.d", "20-last", "exit 0");
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!(story.boot().as_deref(), Some("1.2.0"));
    story.confirm();
    assert_eq!((story.end_turn(), story.holds()), ("ended".into(), false));
}

#[test]
fn a_hook_that_does_not_bring_the_host_back_keeps_the_slot_until_it_does() {
    let mut story = Story::new();
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!(story.boot().as_deref(), Some("1.1.0"));
    story.confirm();
    story.hook("post-boot.d", "20-last", "exit 1");
    let said = failure(&story.host.run("updog", &["end-turn", "--json"]));
    assert!(
        said.message.contains("the post-boot hook 20-last ended with exit status: 1"),
        "{}",
        said.message
    );
    assert!(said.help.contains("the slot stays with this host") && story.holds());
    assert!(story.turn()["problem"].as_str().unwrap().contains("20-last"));
    // A server that does not take it back is told again.
    story.hook("post-boot.d", "20-last", "exit 0");
    story.lock.fault(STEADY, LockFault::Page(503));
    let said = failure(&story.host.run("updog", &["end-turn", "--json"]));
    assert!(
        said.message.contains("failed to give the slot back to the lock server http://127.0.0.1:"),
        "{}",
        said.message
    );
    assert!(story.holds() && story.turn()["drained"] == false);
    let _ = story.ran();
    assert_eq!((story.end_turn(), story.holds(), story.ran().len()), ("ended".into(), false, 0));
}

#[test]
fn an_unhealthy_boot_keeps_the_slot_also_on_a_set_that_was_proven_before() {
    let mut story = Story::with(Release::new("1.1.0").boot_fault(BootFault::Panic));
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!(story.host.reboot_unproven().booted().unwrap().version.as_deref(), Some("1.0.0"));
    story.hooks();
    let check = story.host.paths().health_checks()[1].join("10-no");
    fs::create_dir_all(check.parent().unwrap()).unwrap();
    fs::write(&check, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&check, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = story.ran();
    let _ = story.host.run("updog", &["confirm-boot"]).expect_code(1);
    assert_eq!((story.end_turn(), story.ran().len(), story.holds()), ("waits".into(), 0, true));
}

#[test]
fn hooks_run_without_a_lock_server_as_well_and_a_host_without_either_just_reboots() {
    let mut story = Story::new();
    story.host.set("updates.reboot-lock", "");
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!((story.ran(), story.lock.taken().len()), (vec!["drain".to_owned()], 0));
    assert_eq!(story.boot().as_deref(), Some("1.1.0"));
    story.confirm();
    assert_eq!((story.end_turn(), story.ran()), ("ended".into(), vec!["undrain".to_owned()]));

    story.world.publish(Release::new("1.2.0"));
    let _ = story.host.run("updog", &["update"]).expect_ok();
    fs::remove_dir_all(story.host.paths().root().join("etc/updog")).unwrap();
    let _ = story.reboot_in_turn().expect_ok();
    assert!(story.host.reboot_requested() && story.turn().is_null());
}

#[test]
fn a_server_that_the_settings_do_not_name_any_more_holds_nobody_up() {
    let mut story = Story::new();
    let _ = story.reboot_in_turn().expect_ok();
    assert_eq!(story.boot().as_deref(), Some("1.1.0"));
    story.confirm();
    let gone = testdata::ClosedPort::new();
    let note = story.host.paths().reboot_turn().join("note.json");
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace(&story.lock.url(), &format!("http://{}/", gone.address()))).unwrap();
    let ran = story.host.run("updog", &["end-turn", "--json"]).expect_ok();
    assert!(ran.stderr.contains("a slot may be left at the lock server"), "{ran}");
    assert!(story.turn().is_null());
    // A note that nobody understands is one of a host that may be drained and hold a slot.
    fs::write(&note, "{").unwrap();
    let _ = (story.ran(), story.lock.taken());
    assert_eq!((story.end_turn(), story.ran()), ("ended".into(), vec!["undrain".to_owned()]));
    assert_eq!(story.lock.doors(), [STEADY]);
}

#[test]
fn a_login_in_the_address_is_nowhere_to_be_read() {
    let story = Story::new();
    let with_login = story.lock.url().replace("http://", "http://me:secret@");
    reconfigure(&story.host, |text| text.replace(&story.lock.url(), &with_login));
    story.lock.fault(PRE, LockFault::NoAnswer);
    let ran = story.reboot_in_turn();
    let note = fs::read_to_string(story.host.paths().reboot_turn().join("note.json")).unwrap();
    let history = story.host.run("updog", &["history", "--json"]).expect_ok().stdout;
    for text in [&ran.stdout, &ran.stderr, &note, &history] {
        assert!(!text.contains("secret"), "{text}");
    }
    assert_eq!(failure(&ran).code, "not_in_turn");
}

#[test]
fn the_client_asks_in_turn_and_a_person_who_reboots_asks_nobody() {
    let story = Story::new();
    let _ = story.host.run("updog", &["update-revert"]).expect_ok();
    story.lock.give("default", Some("somebody else"));
    let apply = ["update", "apply", "--check", "--reboot"];
    let ran = story.host.run("apiclient", &apply).expect_code(1);
    assert!(ran.stderr.contains("Status 409") && ran.stderr.contains("is taken (all_slots_taken)"), "{ran}");
    assert!(!story.host.reboot_requested() && story.ran().is_empty());
    // It is applied, and a timer that comes again asks again.
    let timer = [&apply[..], &["--if-in-window"]].concat();
    let _ = story.host.run("apiclient", &timer).expect_code(1);
    assert_eq!(story.lock.doors(), [PRE, PRE]);
    let told = story.host.run("apiclient", &["update", "status"]).expect_ok().stdout;
    assert!(told.contains("the lock server did not let this host go at"), "{told}");

    let _ = story.host.run("apiclient", &["reboot"]).expect_ok();
    assert!(story.host.reboot_requested());
    fs::remove_file(story.host.paths().reboot_request()).unwrap();
    let _ = story.host.run("updog", &["update-apply", "--reboot"]);
    assert!(story.lock.taken().is_empty() && story.ran().is_empty());

    story.lock.give("default", None);
    let _ = fs::remove_file(story.host.paths().reboot_request());
    let _ = story.host.run("apiclient", &timer).expect_ok();
    assert!(story.host.reboot_requested() && story.holds());
}

#[test]
fn what_is_no_web_server_is_refused_at_the_setting_and_updates_go_on() {
    let story = Story::new();
    let ran = story.host.run("apiclient", &["set", "updates.reboot-lock=file:///srv/lock/"]).expect_code(1);
    assert!(ran.stderr.contains("updates.reboot-lock"), "{ran}");
    let _ = story.reboot_in_turn().expect_ok();
}
