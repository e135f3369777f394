//! What `updata` does not do, and that the file is then as it was.

use crate::Desk;

/// One sentence and, on its own line, the next step.
fn is_a_sentence_with_a_next_step(stderr: &str) -> bool {
    let lines: Vec<_> = stderr.lines().collect();
    matches!(lines[..], [what, help] if what.starts_with("updata: failed to ") && help.starts_with("help: "))
}

#[test]
fn an_existing_file_is_replaced_by_force_only() {
    let desk = Desk::with_two_updates();
    let ran = desk.refuses("init manifest.json");
    assert!(is_a_sentence_with_a_next_step(&ran.stderr), "{}", ran.stderr);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    desk.succeeds("init manifest.json --force");
    assert_eq!(desk.json()["updates"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_change_that_concerns_no_update_is_an_error() {
    let desk = Desk::with_two_updates();
    desk.write("waves.toml", "waves = []");
    for words in [
        "remove-update manifest.json -l demo -a x86_64 -v 9.9.9",
        "remove-update manifest.json -l demo -a aarch64 -v 1.0.0",
        "set-waves manifest.json -l other -a x86_64 -v 1.0.0 -w waves.toml",
    ] {
        let ran = desk.refuses(words);
        assert!(is_a_sentence_with_a_next_step(&ran.stderr), "{}", ran.stderr);
    }
    desk.succeeds("init manifest.json --force");
    desk.refuses("set-max-version manifest.json -v 1.0.0");
}

#[test]
fn waves_that_do_not_start_one_after_another_change_nothing() {
    let desk = Desk::with_two_updates();
    desk.write(
        "waves.toml",
        "waves = [{start_after='1 hour', fleet_percentage=50}, {start_after='2 hours', fleet_percentage=10}, \
         {start_after='3 hours', fleet_percentage=100}]",
    );
    let ran = desk.refuses("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml");
    assert!(
        ran.stderr.contains("demo x86_64 1.1.0") && is_a_sentence_with_a_next_step(&ran.stderr),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_update_that_no_host_could_take_is_not_added() {
    let desk = Desk::with_two_updates();
    for words in [
        "add-update manifest.json -f demo -a x86_64 -v 1.1.0 -b b -r r -h h",
        "add-update manifest.json -f demo -a x86_64 -v 1.2.0 -m 1.1.0 -b b -r r -h h",
        "add-update manifest.json -f demo -a x86_64 -v 1.2.0 -b ../b -r r -h h",
    ] {
        let ran = desk.refuses(words);
        assert!(is_a_sentence_with_a_next_step(&ran.stderr), "{}", ran.stderr);
    }
}

#[test]
fn steps_that_no_host_would_follow_are_not_set() {
    let desk = Desk::with_two_updates();
    desk.write("Release.toml", "version = '1.1.0'\n[migrations]\n'(1.1.0, 1.0.0)' = []\n");
    let ran = desk.refuses("set-migrations -f Release.toml -t manifest.json");
    assert!(ran.stderr.contains("(1.1.0, 1.0.0)"), "{}", ran.stderr);
}

#[test]
fn everything_that_is_wrong_is_listed_with_its_place() {
    let desk = Desk::new();
    desk.write(
        "manifest.json",
        r#"{"updates": [{"variant": "demo", "arch": "x86_64", "version": "1.2.0", "max_version": "1.1.0",
            "waves": {"100": "2020-01-02T00:00:00Z", "4096": "2020-01-01T00:00:00Z"},
            "images": {"boot": "b", "root": "a/r", "hash": "h"}}],
            "migrations": {"(1.1.0, 1.1.0)": ["/m"]}}"#,
    );
    let ran = desk.refuses("validate manifest.json");
    assert_eq!(
        ran.stdout,
        "$.updates[0].waves[\"4096\"] is above the last seed, 2048\n\
         $.updates[0].waves[\"4096\"] does not start after the wave before it\n\
         $.updates[0].waves begins at 100, so that seeds up to there wait for nothing\n\
         $.updates[0].images.root is \"a/r\", which is not a safe target name\n\
         $.migrations[\"(1.1.0, 1.1.0)\"] does not lead to a newer version: no host follows it\n\
         $.migrations[\"(1.1.0, 1.1.0)\"][0] is \"/m\", which is not a safe target name\n\
         $.updates[0].version is above its max_version, 1.1.0: no host is offered it\n"
    );
    assert!(is_a_sentence_with_a_next_step(&ran.stderr), "{}", ran.stderr);
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let desk = Desk::with_two_updates();
    desk.write("bad.json", "{}");
    desk.write("bad.toml", "waves = [{start_after = 'soon', fleet_percentage = 5}]");
    std::fs::write(desk.path("not.text"), b"\xff\xfe").expect("written");
    std::fs::create_dir(desk.path("directory")).expect("made");
    std::fs::File::create(desk.path("huge.json")).and_then(|file| file.set_len(20 << 20)).expect("made");
    for (words, file) in [
        ("validate nowhere.json", "nowhere.json"),
        ("set-max-version nowhere.json -v 1.0.0", "nowhere.json"),
        ("set-max-version bad.json -v 1.0.0", "bad.json"),
        ("set-max-version directory -v 1.0.0", "directory"),
        ("set-max-version huge.json -v 1.0.0", "huge.json"),
        ("init directory", "directory"),
        ("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w bad.toml", "bad.toml"),
        ("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w not.text", "not.text"),
        ("set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w nowhere.toml", "nowhere.toml"),
        ("set-migrations -f bad.toml -t manifest.json", "bad.toml"),
    ] {
        let ran = desk.refuses(words);
        assert!(ran.stderr.starts_with("updata: failed to "), "{}", ran.stderr);
        assert!(ran.stderr.lines().next().is_some_and(|line| line.contains(file)), "{}", ran.stderr);
    }
}

#[test]
fn what_was_not_understood_is_a_usage_error() {
    let desk = Desk::with_two_updates();
    desk.write("waves.toml", "waves = []");
    for words in [
        "",
        "frobnicate manifest.json",
        "init",
        "init manifest.json surplus",
        "set-max-version manifest.json -v v1.0.0",
        "set-max-version manifest.json",
        "add-update manifest.json -f demo -a x86_64 -v 1.2.0 -b b -r r",
        "add-update manifest.json -f demo -a x86_64 -v 1.2 -b b -r r -h h",
        "set-waves manifest.json -l demo -a x86_64 -v 1.1.0",
        "set-waves manifest.json -l demo -a x86_64 -v 1.1.0 -w waves.toml --start-at tomorrow",
        "--log-level loud validate manifest.json",
    ] {
        let ran = desk.refuses(words);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error:"), "{words}: {}", ran.stderr);
    }
}
