//! `get` and `set`.

use serde_json::json;

use crate::host::Host;
use crate::scripted::Scripted;

#[test]
fn get_shows_everything_a_part_or_a_uri() {
    let host = Host::new();
    let all = host.run(&["get"]).json();
    assert_eq!(all["settings"]["motd"], "Welcome");
    assert_eq!(all["os"]["variant_id"], "metal");
    let part = host.run(&["get", "settings.motd", "os.version"]);
    assert_eq!(part.json(), json!({"settings": {"motd": "Welcome"}, "os": {"version_id": "1.0.0"}}));
    assert!(part.stdout.contains("\n  \"os\""), "it is pretty: {}", part.stdout);
    assert_eq!(host.run(&["get", "/settings?keys=settings.motd"]).json(), json!({"motd": "Welcome"}));
    assert_eq!(host.run(&["get", "nope.&x=1"]).json(), json!({}));
    let stderr = host.run(&["get", "settings.motd", "settings.modt"]).stderr;
    assert_eq!(
        stderr,
        "apiclient: nothing begins with \"settings.modt\"; \"apiclient get\" shows all there is\n"
    );
}

#[test]
fn set_changes_settings_by_pairs_or_by_an_object_and_says_nothing() {
    let host = Host::new();
    host.run(&["set", "motd=hello = there", "settings.updates.seed=7", "updates.ignore-waves=true"]).silent();
    host.run(&["set", "-j", r#"{"settings":{"network":{"no-proxy":["a","b"]}}}"#]).silent();
    let settings = host.run(&["-u", "/settings"]).json();
    assert_eq!(settings["motd"], "hello = there");
    assert_eq!(settings["updates"]["seed"], 7);
    assert_eq!(settings["network"]["no-proxy"], json!(["a", "b"]));
    let config = std::fs::read_to_string(host.paths().updog_config()).unwrap();
    assert!(config.contains("seed = 7") && config.contains("ignore_waves = true"), "{config}");
    assert_eq!(host.run(&["-u", "/tx/list"]).json(), json!([]));
}

#[test]
fn unset_and_null_take_settings_away_and_only_a_new_place_in_the_fleet_is_said() {
    let host = Host::new();
    host.run(&["set", "motd=mine", "network.https-proxy=p:1", r#"network.no-proxy=["a"]"#, "updates.seed=0"])
        .silent();
    host.run(&["unset", "network.https-proxy", "settings.motd"]).silent();
    let settings = host.run(&["-u", "/settings"]).json();
    assert_eq!((&settings["motd"], &settings["network"]), (&json!("Welcome"), &json!({"no-proxy": ["a"]})));
    host.run(&["set", "-j", r#"{"network":{"no-proxy":null},"motd":"new"}"#]).silent();
    assert!(host.run(&["-u", "/settings"]).json().get("network").is_none());
    let said = host.run(&["unset", "updates.seed"]).stdout;
    let seed = host.run(&["-u", "/settings"]).json()["updates"]["seed"].as_i64().unwrap();
    assert!((1..=2048).contains(&seed));
    assert_eq!(said, format!("settings.updates.seed is {seed} now\n"));
    for keys in [&["unset", "motd", "mot"][..], &["unset", r#""a.b".c"#], &["unset", "updates.seed", "motd"]]
    {
        let stderr = host.run(keys).failed(1);
        assert!(stderr.starts_with("apiclient: failed to change the settings: Status 40"), "{stderr}");
        assert!(stderr.contains("unset settings."), "{stderr}");
    }
    assert_eq!(host.run(&["-u", "/settings"]).json()["motd"], "new");
    assert_eq!(host.run(&["-u", "/tx/list"]).json(), json!([]));
}

#[test]
fn a_setting_that_is_unknown_or_of_another_type_is_told_in_the_servers_words() {
    let host = Host::new();
    let cases: [(&[&str], &str); 5] = [
        (
            &["set", "motd=x", "updates.sed=7"],
            "failed to set settings.updates.sed: there is no such setting; there are settings.updates.",
        ),
        (
            &["set", "motd=x", "updates.seed=many"],
            "failed to set settings.updates.seed to \"many\": it takes a whole number",
        ),
        (&["set", "motd=x", "updates.seed=4096"], "it takes a whole number from 0 to 2048"),
        (&["set", "--json", r#"{"motd":7}"#], "failed to set settings.motd to 7: it takes a text"),
        (&["set", "--json", r#"{"motd":{"a":"x"}}"#], "it takes a text"),
    ];
    for (args, reason) in cases {
        let stderr = host.run(args).failed(1);
        assert!(
            stderr.starts_with("apiclient: failed to change the settings: Status 400 when PATCHing"),
            "{stderr}"
        );
        assert!(stderr.contains(reason), "{stderr}");
    }
    assert_eq!(host.run(&["get", "settings.motd"]).json(), json!({"settings": {"motd": "Welcome"}}));
    assert_eq!(host.run(&["-u", "/tx/list"]).json(), json!([]));
}

#[test]
fn a_change_that_cannot_be_committed_leaves_nothing_pending() {
    let server = Scripted::new(|request, _| match request.line.split(' ').next() {
        Some("POST") => (500, b"failed to write: no space\nhelp: make room".to_vec()),
        Some("DELETE") => (200, b"[]".to_vec()),
        _ => (204, Vec::new()),
    });
    let stderr = server.run(&["set", "motd=x"]).failed(1);
    assert!(stderr.contains("Status 500 when POSTing /tx/commit_and_apply?tx=apiclient-set-"), "{stderr}");
    assert!(stderr.ends_with("help: make room\n"), "{stderr}");
    let seen = server.seen();
    let transaction = seen[0].line.rsplit('=').next().unwrap().to_owned();
    assert_eq!(seen[2].line, format!("DELETE /tx?tx={transaction}"));
}

#[test]
fn many_clients_at_once_all_get_their_settings_through() {
    let host = Host::new();
    std::thread::scope(|scope| {
        for number in 0..6 {
            let host = &host;
            scope.spawn(move || {
                let name = ["motd", "updates.metadata-base-url", "updates.targets-base-url"][number % 3];
                host.run(&["set", &format!("{name}=https://{number}.example/")]).silent();
            });
        }
    });
    let settings = host.run(&["-u", "/settings"]).json();
    for value in [
        &settings["motd"],
        &settings["updates"]["metadata-base-url"],
        &settings["updates"]["targets-base-url"],
    ] {
        assert!(value.as_str().unwrap().contains(".example/"), "{settings}");
    }
    assert_ne!(settings["motd"], "Welcome");
    assert_eq!(host.run(&["-u", "/tx/list"]).json(), json!([]));
}
