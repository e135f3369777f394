//! A manifest from nothing to paced, and back.

use serde_json::json;

use crate::Desk;

#[test]
fn a_manifest_is_made_filled_paced_and_accepted() {
    let desk = Desk::with_two_updates();
    desk.write(
        "Release.toml",
        "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = ['migrate_v1.1.0_a.lz4']\n",
    );
    desk.write(
        "waves.toml",
        "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 5\n\
         [[waves]]\nstart_after = '90 minutes'\nfleet_percentage = 50\n\
         [[waves]]\nstart_after = '2020-02-01T00:00:00Z'\nfleet_percentage = 100\n",
    );
    desk.succeeds("set-migrations --from Release.toml --to manifest.json");
    let words = "set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml --start-at 2020-01-01T01:00:00+01:00 \
                 --no-dense";
    let ran = desk.succeeds(words);
    assert_eq!(ran.stdout, "");
    let accepted = desk.succeeds("validate manifest.json");
    assert_eq!(accepted.stdout, "");
    let update = |version: &str, waves| {
        json!({
            "variant": "demo", "arch": "x86_64", "version": version, "max_version": "1.1.0", "waves": waves,
            "images": {"boot": format!("b-{version}"), "root": format!("r-{version}"), "hash": format!("h-{version}")}
        })
    };
    let waves =
        json!({"0": "2020-01-01T01:00:00Z", "102": "2020-01-01T01:30:00Z", "1024": "2020-02-01T00:00:00Z"});
    assert_eq!(
        desk.json(),
        json!({
            "updates": [update("1.0.0", json!({})), update("1.1.0", waves)],
            "migrations": {"(1.0.0, 1.1.0)": ["migrate_v1.1.0_a.lz4"]}
        })
    );
    assert!(!desk.read("manifest.json").ends_with('\n'));
}

#[test]
fn long_and_short_flags_mean_the_same_everywhere() {
    let (short, long) = (Desk::new(), Desk::new());
    short.succeeds("init manifest.json");
    long.succeeds("init manifest.json");
    short.succeeds("add-update manifest.json -f demo -v 1.0.0 -a x86_64 -m 2.0.0 -r r -b b -h h");
    long.succeeds(
        "add-update manifest.json --variant demo --version 1.0.0 --arch x86_64 --max-version 2.0.0 --root r --boot b \
         --hash h",
    );
    assert_eq!(short.json(), long.json());
    for desk in [&short, &long] {
        desk.write("waves.toml", "waves = [{start_after = '0 hours', fleet_percentage = 100}]");
    }
    short.succeeds(
        "set-waves manifest.json -f demo -v 1.0.0 -a x86_64 -w waves.toml --start-at 2020-01-01T00:00:00Z",
    );
    long.succeeds(
        "set-waves manifest.json --variant demo --version 1.0.0 --arch x86_64 --wave-file waves.toml --start-at \
         2020-01-01T00:00:00Z",
    );
    short.succeeds("set-max-version manifest.json -v 3.0.0");
    long.succeeds("set-max-version manifest.json --max-version 3.0.0");
    assert_eq!(short.json(), long.json());
    assert_eq!(short.json()["updates"][0]["max_version"], "3.0.0");
    short.succeeds("remove-update manifest.json -l demo -v 1.0.0 -a x86_64");
    long.succeeds("remove-update manifest.json --variant demo --version 1.0.0 --arch x86_64");
    assert_eq!(short.json(), json!({"updates": [], "migrations": {}}));
    assert_eq!(short.json(), long.json());
}

#[test]
fn the_highest_maximum_of_its_own_kind_is_the_default() {
    let desk = Desk::with_two_updates();
    desk.succeeds("add-update manifest.json -f other -a x86_64 -v 9.0.0 -b b -r r -h h");
    desk.succeeds("add-update manifest.json -f demo -a x86_64 -v 1.0.5 -b b -r r -h h");
    let max: Vec<_> = (0..4).map(|at| desk.json()["updates"][at]["max_version"].clone()).collect();
    assert_eq!(max, ["1.1.0", "1.1.0", "9.0.0", "1.1.0"]);
}

#[test]
fn a_policy_without_waves_clears_the_schedule_and_without_a_start_it_is_now() {
    let desk = Desk::with_two_updates();
    desk.write("waves.toml", "waves = [{start_after = '0 hours', fleet_percentage = 100}]");
    desk.write("none.toml", "waves = []");
    desk.succeeds("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml");
    let date = desk.json()["updates"][1]["waves"]["0"].as_str().map(str::to_owned);
    assert!(date.is_some_and(|date| date.as_str() > "2024"), "a recent date");
    desk.succeeds("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w none.toml");
    assert_eq!(desk.json()["updates"][1]["waves"], json!({}));
}

#[test]
fn what_a_change_takes_away_is_said() {
    let desk = Desk::with_two_updates();
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = []\n");
    desk.succeeds("set-migrations -f Release.toml -t manifest.json");
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n");
    let ran = desk.succeeds("set-migrations -f Release.toml -t manifest.json");
    assert!(ran.stderr.contains("the step (1.0.0, 1.1.0) goes away"), "{}", ran.stderr);
    let ran = desk.succeeds("set-max-version manifest.json -v 1.0.0");
    assert!(ran.stderr.contains("demo x86_64 1.1.0 is above that"), "{}", ran.stderr);
    desk.write(
        "waves.toml",
        "waves = [{start_after='1 hour', fleet_percentage=5}, {start_after='2 hours', fleet_percentage=5}, \
         {start_after='3 hours', fleet_percentage=100}]",
    );
    let ran = desk.succeeds("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml");
    assert!(ran.stderr.contains("takes its place"), "{}", ran.stderr);
    let quiet = desk.succeeds("--log-level off set-max-version manifest.json -v 1.0.0");
    assert_eq!(quiet.stderr, "");
}

#[test]
fn help_and_version_are_answers() {
    let desk = Desk::new();
    for words in ["--help", "-h", "--version", "add-update --help", "set-waves --help", "set-waves -h"] {
        let ran = desk.succeeds(words);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{words}");
    }
    assert!(desk.succeeds("--help").stdout.contains("Examples:"));
}

#[test]
fn waves_are_written_in_small_steps_unless_told_otherwise() {
    let desk = Desk::with_two_updates();
    desk.write(
        "waves.toml",
        "waves = [{start_after = '1 hour', fleet_percentage = 50}, {start_after = '9 hours', fleet_percentage = 100}]",
    );
    let dates = |flags: &str| {
        let words = "set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml --start-at 2020-01-01T00:00:00Z";
        desk.succeeds(&format!("{words} {flags}"));
        desk.succeeds("set-migrations -f Release.toml -t manifest.json");
        desk.succeeds("validate manifest.json");
        desk.json()["updates"][1]["waves"].as_object().cloned().unwrap_or_default()
    };
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = []\n");
    let dense = dates("");
    assert_eq!(dense.len(), 1024 / 8 + 1);
    assert_eq!(dense["8"], "2020-01-01T01:03:45Z");
    assert_eq!(dates("--dense-step 64").len(), 1024 / 64 + 1);
    assert_eq!(dates("--no-dense").len(), 2);
    let tail = dates("--tail 24h");
    assert_eq!(tail.len(), 2048 / 8 + 1);
    assert_eq!(tail["2048"], "2020-01-02T09:00:00Z");
    assert_eq!(dates("--no-dense --tail 1d").len(), 3);
}

#[test]
fn what_our_hosts_alone_know_is_written_and_survives_every_change() {
    let desk = Desk::with_two_updates();
    desk.succeeds(
        "add-update manifest.json -f demo -a x86_64 -v 1.2.0 -b b -r r -h h --barrier --min-updater 0.3.0",
    );
    let mut json = desk.json();
    assert_eq!(json["updates"][2]["extensions"], json!({"barrier": true, "min_updater": "0.3.0"}));
    json["updates"][0]["extensions"] = json!({"frames": {"root": "r.zst"}});
    let paused = json!({"since": "2026-02-01T00:00:00Z", "update": json["updates"][1]});
    json["extensions"] = json!({"paused": [paused], "channel": "beta"});
    desk.write("manifest.json", &json.to_string());
    desk.write("waves.toml", "waves = [{start_after = '0 hours', fleet_percentage = 100}]");
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = []\n");
    desk.succeeds("set-waves manifest.json -l demo -a x86_64 -v 1.0.0 -w waves.toml");
    desk.succeeds("set-max-version manifest.json -v 1.3.0");
    desk.succeeds("set-migrations -f Release.toml -t manifest.json");
    desk.succeeds("add-update manifest.json -f demo -a x86_64 -v 1.3.0 -b b -r r -h h");
    desk.succeeds("remove-update manifest.json -l demo -a x86_64 -v 1.3.0");
    let after = desk.json();
    assert_eq!(after["extensions"], json["extensions"]);
    for update in [0, 2] {
        assert_eq!(after["updates"][update]["extensions"], json["updates"][update]["extensions"]);
    }
}
