//! Whatever was set, damaged or put in the way: the server comes up, says what it owes, and can be told better.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::host::{Host, until};

const JSON: &str = "application/json";

fn host() -> Host {
    let host = Host::new();
    host.install_program("systemctl", "[ \"$1\" = show ] || echo \"$*\" >> asked\n");
    host
}

/// Puts a value into the store of a host that does not run, past all checks.
fn store(host: &Host, key: &str, value: &str) {
    host.write(&host.stored(key), value);
}

#[test]
fn what_would_newly_be_impossible_is_refused_with_its_key_before_the_commit() {
    let host = host();
    let server = host.serve();
    let told =
        server.change(JSON, r#"{"motd":"x","host-containers":{"adimn":{"enabled":true}}}"#).refused(400);
    assert!(
        told.starts_with("failed to put settings.host-containers.adimn.enabled in force: it would not be possible to start host-containers@adimn: settings.host-containers.adimn.source is not set\nhelp: nothing has changed"),
        "{told}"
    );
    // The word of a command passes no rule with a bell in it; a template says the same of what a rule lets through.
    server.change(JSON, r#"{"host-containers":{"a":{"source":"x","command":["\u0007"]}}}"#).refused(400);
    server.change(JSON, r#"{"network":{"https-proxy":"p:1","no-proxy":["a\u0001"]}}"#).refused(400);
    server.change(JSON, r#"{"network":{"no-proxy":["a\u0085b"]}}"#).refused(400);
    let settings = server.get("/settings").ok();
    assert!(settings.get("host-containers").is_none() && settings.get("network").is_none(), "{settings}");
    assert_eq!(settings["motd"], "Welcome");
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn what_is_impossible_already_is_owed_and_counts_against_nobody_else() {
    let host = host();
    host.serve().stop();
    store(&host, "host-containers.adimn.enabled", "true");
    store(&host, "network.https-proxy", "\"p:1\"");
    store(&host, "network.no-proxy", "[\"a\u{85}\"]");
    let server = host.serve();
    let told = server.get("/health").refused(503);
    assert!(
        told.contains("host-containers@adimn: failed to start host-containers@adimn: settings."),
        "{told}"
    );
    assert!(told.contains("settings.network.no-proxy: settings.network.no-proxy is"), "{told}");
    server.change(JSON, r#"{"motd":"x"}"#).ok();
    server.change(JSON, r#"{"host-containers":{"other":{"source":"y","enabled":true}}}"#).ok();
    let told = server.change(JSON, r#"{"host-containers":{"adimn":{"superpowered":true}}}"#).refused(500);
    assert!(told.contains("adimn.source is not set"), "its own trouble is told: {told}");
    server.change(JSON, r#"{"host-containers":{"adimn":{"source":"z"}}}"#).ok();
    server.change(JSON, r#"{"network":{"no-proxy":["a"]}}"#).ok();
    assert_eq!(server.get("/health").body, "nothing is owed\n");
}

#[test]
fn values_that_are_lost_or_of_another_type_give_way_to_defaults_and_can_be_set_again() {
    let host = host();
    let server = host.serve();
    server.change(JSON, r#"{"motd":"mine","ntp":{"mode":"pool"},"network":{"https-proxy":"p:1"}}"#).ok();
    server.stop();
    host.reboot();
    store(&host, "motd", "");
    store(&host, "ntp.mode", "[\"pool\"]");
    fs::remove_file(host.stored("network.https-proxy")).unwrap();
    symlink("/dev/zero", host.stored("network.https-proxy")).unwrap();
    fs::create_dir_all(host.stored("updates.version-lock.x")).unwrap_err();
    store(&host, "updates.ignore-waves", &"\0".repeat(4096));
    let server = host.serve();
    let settings = server.get("/settings").ok();
    assert_eq!((&settings["motd"], &settings["ntp"]["mode"]), (&json!("Welcome"), &json!("burst")));
    assert_eq!(settings["updates"]["ignore-waves"], false);
    assert!(settings.get("network").is_none());
    let told = server.get("/health").refused(503);
    for key in ["motd", "ntp.mode", "network.https-proxy", "updates.ignore-waves"] {
        assert!(told.contains(&format!("settings.{key}: ")), "{key}: {told}");
        assert!(server.log().contains(&format!("settings.{key}")), "{key}: {}", server.log());
    }
    server.change(JSON, r#"{"motd":"again","ntp":{"mode":"pool"},"network":{"https-proxy":"q:1"},"updates":{"ignore-waves":true}}"#).ok();
    assert_eq!(server.get("/health").status, 200);
    server.kill();
    let server = host.serve();
    assert_eq!(server.get("/settings").ok()["motd"], "again");
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn what_stands_where_a_setting_is_gives_way_to_it_and_keeps_no_other_default_out() {
    let host = host();
    let server = host.serve();
    server.change(JSON, r#"{"motd":"mine"}"#).ok();
    server.stop();
    host.reboot();
    fs::remove_file(host.stored("motd")).unwrap();
    store(&host, "motd.x.y", "1");
    fs::remove_dir_all(host.stored("ntp")).unwrap();
    store(&host, "ntp", "\"pool\"");
    let huge = fs::File::create(host.stored("updates.ignore-waves")).unwrap();
    huge.set_len(1 << 40).unwrap();
    fs::remove_file(host.stored("updates.version-lock")).unwrap();
    let server = host.serve();
    let settings = server.get("/settings").ok();
    assert_eq!((&settings["motd"], &settings["ntp"]["mode"]), (&json!("Welcome"), &json!("burst")));
    assert!(host.stored("updates.version-lock").is_file(), "the other defaults are stored: {}", server.log());
    let told = server.get("/health").refused(503);
    for what in ["settings.motd.x.y: ", "settings.ntp: ", "settings.updates.ignore-waves: "] {
        assert!(told.contains(what), "{what}: {told}");
    }
    server.change(JSON, r#"{"motd":"again","ntp":{"mode":"pool"},"updates":{"ignore-waves":true}}"#).ok();
    server.kill();
    let server = host.serve();
    let settings = server.get("/settings").ok();
    assert_eq!((&settings["motd"], &settings["ntp"]["mode"]), (&json!("again"), &json!("pool")));
    assert_eq!(settings["updates"]["ignore-waves"], true);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_broken_transaction_and_names_that_are_none_stop_nothing() {
    let host = host();
    host.serve().stop();
    let pending = host.paths().datastore().join("current/pending");
    host.write(&pending.join("x/settings/motd"), "");
    symlink("/", pending.join("astray")).unwrap();
    host.write(&host.stored("%zz"), "?");
    fs::write(host.stored("").join(std::ffi::OsStr::new("b\u{fc}")), "?").unwrap();
    let server = host.serve();
    assert_eq!(server.get("/tx/list").ok(), json!([]));
    server.change(JSON, r#"{"motd":"x"}"#).ok();
    server.stop();
    host.reboot();
    assert_eq!(host.serve().get("/settings").ok()["motd"], "x");
}

#[test]
fn a_lost_link_is_no_first_boot() {
    let host = host();
    let server = host.serve();
    server.change(JSON, r#"{"motd":"mine"}"#).ok();
    server.stop();
    host.reboot();
    fs::remove_file(host.paths().datastore().join("current")).unwrap();
    let server = host.serve();
    assert_eq!(server.get("/settings").ok()["motd"], "mine");
    assert!(server.log().contains("is lost: setting it again"), "{}", server.log());
    server.stop();
    // With two stores nobody guesses.
    fs::remove_file(host.paths().datastore().join("current")).unwrap();
    let copy = host.paths().datastore().join("v2.0.0_0123456789abcdef");
    host.write(&copy.join("live/settings/motd"), "\"other\"");
    let (code, words) = host.refuse();
    assert_eq!(code, 1);
    assert!(words.contains("v2.0.0_0123456789abcdef") && words.contains("v1.0.0_"), "{words}");
    assert!(words.contains("help: nothing was changed"), "{words}");
    assert!(copy.exists());
}

#[test]
fn files_that_cannot_be_written_are_owed() {
    let host = host();
    let server = host.serve();
    server.change(JSON, r#"{"host-containers":{"a":{"source":"x","user-data":"aGk=","enabled":true}},"network":{"https-proxy":"p:1"}}"#).ok();
    server.stop();
    host.reboot();
    for place in ["local", "etc/network"] {
        fs::remove_dir_all(host.root().join(place)).unwrap();
        fs::write(host.root().join(place), "").unwrap();
    }
    // Nor can be noted what was done.
    host.write(&host.paths().applied(), "");
    let server = host.serve();
    let told = server.get("/health").refused(503);
    assert!(
        told.contains("host-containers@a: failed to write") && told.contains("network: failed to write"),
        "{told}"
    );
    assert_eq!(server.get("/settings").ok()["host-containers"]["a"]["source"], "x");
    server.change(JSON, r#"{"motd":"x"}"#);
    assert_eq!(fs::read_to_string(host.root().join("etc/motd")).unwrap(), "x\n");
    for place in ["local", "etc/network"] {
        fs::remove_file(host.root().join(place)).unwrap();
    }
    fs::remove_file(host.paths().applied()).unwrap();
    server.post("/tx/apply").done();
    assert_eq!(server.get("/health").status, 200);
    assert!(host.root().join("local/host-containers/a/user-data").exists());
}

#[test]
fn an_image_without_templates_or_engine_serves_its_settings() {
    let host = host();
    fs::remove_dir_all(host.paths().templates()).unwrap();
    host.install_program("systemctl", "exit 1\n");
    let server = host.serve();
    let told = server.get("/health").refused(503);
    assert!(told.contains("motd: failed to make /etc/motd for motd: read the template"), "{told}");
    assert_eq!(server.get("/settings").ok()["motd"], "Welcome");
    // It was not possible before, so the commit is not to blame, and says what is its own.
    server.change(JSON, r#"{"motd":"x"}"#).refused(500);
    assert_eq!(server.get("/settings").ok()["motd"], "x");
    server.change(JSON, r#"{"ntp":{"mode":"pool"}}"#).ok();
}

#[test]
fn what_a_container_leaves_in_the_place_of_its_user_data_harms_nobody() {
    let host = host();
    let server = host.serve();
    server.change(JSON, r#"{"host-containers":{"a":{"source":"x","user-data":"aGk=","enabled":true}}}"#).ok();
    let dir = host.root().join("local/host-containers/a");
    let data = dir.join("user-data");
    let secret = host.root().join("etc/secret");
    fs::write(&secret, "secret").unwrap();
    type Trap<'a> = (&'a str, &'a dyn Fn(&Path));
    let traps: [Trap<'_>; 5] = [
        ("a pipe", &|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a link to an endless device", &|path| symlink("/dev/zero", path).unwrap()),
        ("a link to a file of the host", &|path| symlink(&secret, path).unwrap()),
        ("a file of a terabyte", &|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
        ("a socket", &|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (what, trap) in traps {
        fs::remove_file(&data).unwrap();
        trap(&data);
        // Nor does it matter what it puts where files are usually made.
        let _old = fs::remove_file(dir.join(".user-data.new"));
        trap(&dir.join(".user-data.new"));
        server.post("/tx/apply").done();
        assert!(fs::symlink_metadata(&data).unwrap().is_file(), "{what}");
        assert_eq!(fs::read_to_string(&data).unwrap(), "hi", "{what}");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret", "{what}");
        server.get("/settings").ok();
    }
    fs::remove_file(&data).unwrap();
    fs::create_dir_all(data.join("deep")).unwrap();
    assert!(server.post("/tx/apply").refused(500).contains("user-data"));
    server.change(JSON, r#"{"motd":"x"}"#).ok();
    server.kill();
    let server = host.serve();
    assert!(server.get("/health").refused(503).contains("host-containers@a: "));
}

#[test]
fn what_is_too_much_is_refused_and_changes_nothing() {
    let host = host();
    let server = host.serve();
    for n in 0..64 {
        server.patch(&format!("/settings?tx=t{n}"), r#"{"motd":"x"}"#).done();
    }
    let told = server.patch("/settings?tx=t64", r#"{"motd":"x"}"#).refused(400);
    assert!(told.contains("64 are open") && told.contains("help: commit or drop"), "{told}");
    server.patch("/settings?tx=t63", r#"{"motd":"y"}"#).done();
    server.post("/tx/commit?tx=t63").ok();
    let box_of = |from: usize, to: usize| {
        let boxes: serde_json::Map<_, _> =
            (from..to).map(|n| (format!("b{n}"), json!({"superpowered": false}))).collect();
        json!({"host-containers": boxes}).to_string()
    };
    let told = server.patch("/settings?tx=t0", &box_of(0, 2_049)).refused(400);
    assert!(told.contains("2049 entries of settings.host-containers, and 2048 are possible"), "{told}");
    assert_eq!(server.get("/tx?tx=t0").ok(), json!({"motd": "x"}));
}

#[test]
fn a_container_whose_image_takes_long_is_watched_and_not_waited_for() {
    let host = Host::new();
    // Its start would never end.
    host.install_program(
        "systemctl",
        "echo \"$*\" >> asked\ncase \"$1\" in --no-block) exit 0 ;; show) printf 'ActiveState=failed\\nSubState=failed\\nResult=timeout\\n' ;; restart) exec sleep 600 ;; esac\n",
    );
    let server = host.serve();
    server.change(JSON, r#"{"host-containers":{"a":{"source":"x","enabled":true}}}"#).ok();
    let told = until("the unit is looked after", || {
        let answer = server.get("/health");
        (answer.status == 503).then_some(answer.body)
    });
    assert!(told.contains("host-containers@a: failed to keep host-containers@a.service running"), "{told}");
    assert!(told.contains("timeout"), "{told}");
}
