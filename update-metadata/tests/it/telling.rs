//! What `updata` says of a manifest, for people and for programs.

use serde_json::{Value, json};

use crate::Desk;

/// A manifest with something of everything in it.
fn desk() -> Desk {
    let update = |version: &str, rest: Value| {
        let mut update = json!({
            "variant": "demo", "arch": "x86_64", "version": version, "max_version": "1.9.0", "waves": {},
            "images": {"boot": "b", "root": "r", "hash": "h"}
        });
        for (name, value) in rest.as_object().expect("an object") {
            update[name] = value.clone();
        }
        update
    };
    let waves =
        json!({"0": "2026-02-01T00:00:00Z", "1024": "2026-02-03T00:00:00Z", "2048": "2026-02-05T00:00:00Z"});
    let desk = Desk::new();
    let manifest = json!({
        "updates": [
            update("1.1.0", json!({})),
            update("1.5.0", json!({"extensions": {"barrier": true}, "waves": waves})),
            update("1.9.0", json!({"extensions": {"min_updater": "0.1.0"}})),
            update("2.0.0", json!({})),
            update("1.3.0", json!({"arch": "aarch64"})),
        ],
        "migrations": {"(1.0.0, 1.5.0)": ["migrate_v1.5.0_a.lz4", "migrate_v1.5.0_b.lz4"], "(1.5.0, 1.9.0)": []},
        "extensions": {"paused": [{"since": "2026-01-20T00:00:00Z", "update": update("1.4.0", json!({}))}]}
    });
    desk.write("manifest.json", &manifest.to_string());
    desk
}

const EXPLAIN: &str = "explain manifest.json --variant demo --arch x86_64 --seed 512";

fn answer(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).expect("one JSON object")
}

#[test]
fn a_manifest_is_shown_as_a_table() {
    let shown = desk().succeeds("show manifest.json");
    assert_eq!(
        shown.stdout,
        "\
VARIANT  ARCH     VERSION  MAX    DATES  FIRST                 HALF                  ALL                   NOTES
demo     x86_64   1.1.0    1.9.0  0      at once
demo     x86_64   1.5.0    1.9.0  3      2026-02-01T00:02:49Z  2026-02-03T00:00:00Z  2026-02-05T00:00:00Z  barrier
demo     x86_64   1.9.0    1.9.0  0      at once                                                           updog 0.1.0 or newer
demo     x86_64   2.0.0    1.9.0  0      at once                                                           taken back
demo     aarch64  1.3.0    1.9.0  0      at once
demo     x86_64   1.4.0    1.9.0  0      at once                                                           paused since 2026-01-20T00:00:00Z

FROM   TO     MIGRATIONS
1.0.0  1.5.0  migrate_v1.5.0_a.lz4, migrate_v1.5.0_b.lz4
1.5.0  1.9.0  nothing to run
"
    );
    let json = answer(&desk().succeeds("show manifest.json --json").stdout);
    assert_eq!(json["updates"].as_array().map(Vec::len), Some(6));
    assert_eq!(json["updates"][1]["opens"]["half"], "2026-02-03T00:00:00Z");
    assert_eq!(json["updates"][1]["barrier"], true);
    assert_eq!(json["updates"][5]["paused_since"], "2026-01-20T00:00:00Z");
    assert_eq!(json["migrations"][1], json!({"from": "1.5.0", "to": "1.9.0", "names": []}));
}

#[test]
fn every_update_is_explained_for_a_host() {
    let explained = desk().succeeds(&format!("{EXPLAIN} --version 1.1.0 --at 2026-01-31T00:00:00Z"));
    assert_eq!(
        explained.stdout,
        "\
VARIANT  ARCH     VERSION  VERDICT     WHY
demo     x86_64   1.1.0    running     it runs here
demo     x86_64   1.5.0    held        its turn comes at 2026-02-02T00:00:00Z
demo     x86_64   1.9.0    barrier     1.5.0 has to run first
demo     x86_64   2.0.0    taken_back  it was taken back: nothing above 1.9.0 may run
demo     aarch64  1.3.0    other_kind  it is for another variant or architecture
demo     x86_64   1.4.0    paused      paused since 2026-01-20T00:00:00Z

This host takes nothing yet, and 1.5.0 from 2026-02-02T00:00:00Z on.
"
    );
    let at = |words: &str| desk().succeeds(&format!("{EXPLAIN} {words}")).stdout;
    assert!(at("-v 1.1.0 --at 2026-02-02T00:00:00Z").ends_with("\nThis host takes 1.5.0.\n"));
    assert!(at("-v 1.5.0").ends_with("\nThis host takes 1.9.0.\n"));
    assert!(at("-v 1.9.0").ends_with("\nThis host takes nothing.\n"));
    assert!(at("-v 2.0.0").ends_with("\nThis host takes 1.9.0.\n"), "it goes back");
    assert!(at("-v 1.5.0 --updater 0.0.9").ends_with("\nThis host takes nothing.\n"));
    assert!(at("-v 1.1.0 --older --at 2026-01-31T00:00:00Z").ends_with("\nThis host takes 1.9.0.\n"));
}

#[test]
fn an_explanation_has_fields_for_programs() {
    let json =
        answer(&desk().succeeds(&format!("{EXPLAIN} -v 1.1.0 --at 2026-01-31T00:00:00Z --json")).stdout);
    assert_eq!(json["takes"], Value::Null);
    assert_eq!(json["next"], json!({"version": "1.5.0", "at": "2026-02-02T00:00:00Z"}));
    let held = &json["updates"][1];
    assert_eq!((&held["verdict"], &held["until"]), (&json!("held"), &json!("2026-02-02T00:00:00Z")));
    assert_eq!(json["updates"][2]["first"], "1.5.0");
    assert_eq!(json["updates"][3]["verdict"], "taken_back");
    assert_eq!(json["host"]["rules"], "ours");
}

#[test]
fn every_change_says_what_it_did() {
    let desk = Desk::new();
    desk.write("waves.toml", "waves = [{start_after = '0 hours', fleet_percentage = 100}]");
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n'(1.0.0, 1.1.0)' = []\n");
    let update = json!({"variant": "demo", "arch": "x86_64", "version": "1.0.0"});
    let start = "2020-01-01T00:00:00Z";
    for (words, expected) in [
        ("init manifest.json", json!({"made": "manifest.json"})),
        (
            "add-update manifest.json -f demo -a x86_64 -v 1.0.0 -b b -r r -h h",
            json!({"added": update, "max_version": "1.0.0"}),
        ),
        ("set-migrations -f Release.toml -t manifest.json", json!({"steps": 1, "dropped": []})),
        (
            "set-waves manifest.json -l demo -a x86_64 -v 1.0.0 -w waves.toml --start-at 2020-01-01T00:00:00Z",
            json!({"paced": update, "updates": 1, "waves": 1, "dates": 1, "start": start}),
        ),
        ("validate manifest.json", json!({"problems": []})),
        ("set-max-version manifest.json -v 0.9.0", json!({"max_version": "0.9.0", "taken_back": [update]})),
        ("remove-update manifest.json -l demo -a x86_64 -v 1.0.0", json!({"removed": update})),
    ] {
        assert_eq!(answer(&desk.succeeds(&format!("--json {words}")).stdout), expected, "{words}");
    }
}

#[test]
fn a_failure_is_an_object_with_a_code_as_well() {
    let desk = desk();
    for (words, code) in [
        ("init manifest.json", "exists"),
        ("show nowhere.json", "file"),
        ("remove-update manifest.json -l demo -a x86_64 -v 9.9.9", "no_match"),
        ("add-update manifest.json -f demo -a x86_64 -v 1.1.0 -b b -r r -h h", "refused"),
        ("add-update manifest.json -f demo -a x86_64 -v 1.4.0 -b b -r r -h h", "refused"),
        ("validate manifest.json", "invalid"),
    ] {
        let ran = desk.refuses(&format!("--json {words}"));
        let json = answer(&ran.stdout);
        assert_eq!(json["error"]["code"], code, "{words}");
        assert!(json["error"]["help"].is_string() && ran.stderr.starts_with("updata: failed to "), "{words}");
        assert_eq!(json["problems"].is_array(), code == "invalid", "{words}");
    }
    let said = desk.refuses("validate manifest.json").stderr;
    assert!(said.starts_with("updata: failed to accept ") && said.contains(" found\n"), "{said}");
    let none = format!("{EXPLAIN} -v 1.1.0").replace("512", "2049");
    assert!(desk.refuses(&none).stderr.contains("between 0 and 2048"));
    assert!(desk.refuses(&format!("{EXPLAIN} -v 1.1.0 --older --updater 1.0.0")).stdout.is_empty());
}
