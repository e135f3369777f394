//! What a boot would do, told and tried: nothing changes.

use host_io::explore::CutFs;
use migrator::Error;
use serde_json::{Value, json};

use super::host::{ADD, Host, MISBEHAVE, RENAME, Ran};

/// A host that may boot 1.1.0, asked about it while a server has the datastore.
fn ask(host: &Host, more: &[&str]) -> Ran {
    host.model(&[("settings.kept", "string"), ("settings.renamed", "string")]);
    let before = host.everything();
    let server = host_io::lock::DirLock::acquire(&host.base()).unwrap();
    let arguments = host.arguments();
    let flags = arguments.iter().take(arguments.len() - 1).map(String::as_str);
    host.run_version("1.0.0");
    let ran = Ran::of(
        std::process::Command::new(env!("CARGO_BIN_EXE_migrator"))
            .args(flags)
            .args(["--migrate-to-version", "1.1.0"])
            .args(more)
            .output()
            .unwrap(),
    );
    drop(server);
    assert_eq!(host.everything(), before);
    assert_eq!(std::fs::read_dir(host.paths.run()).unwrap().count(), 0, "no copies are left");
    ran
}

fn host(migrations: &[&str]) -> Host {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", migrations)]);
    host.set("settings.added", json!("by hand"));
    host
}

fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err))
}

#[test]
fn a_dry_run_names_the_migrations_and_the_room() {
    let host = host(&[RENAME, ADD]);
    let ran = ask(&host, &["--dry-run"]);
    ran.expect_ok();
    for part in ["Settings of 1.0.0 are carried to 1.1.0 by", RENAME, ADD, "Room: ", "copies lie in memory"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.err.contains("running migration"), "{}", ran.err);
    let told = answer(&ask(&host, &["--dry-run", "--json"]));
    assert_eq!(told["migrations"], json!([RENAME, ADD]));
    assert!(told["room"]["bytes"].as_u64().unwrap() > 4096 && told.get("rehearsal").is_none(), "{told}");
}

#[test]
fn old_stores_that_make_room_at_the_boot_count_as_room() {
    let host = host(&[RENAME]);
    let need = host.look(&CutFs::counting(), "1.1.0").unwrap().room.unwrap();
    let tight = CutFs::counting().with_free_bytes(need.bytes / 2);
    // A server's head start makes room as well.
    host.look(&tight, "1.1.0").unwrap();
    std::fs::remove_dir_all(host.base().join(".spare")).unwrap();
    let error = host.look(&tight, "1.1.0").unwrap_err();
    assert!(matches!(error, Error::NoRoom { .. }), "{error}");
    // The store of 1.0.0, which the next update does not keep, makes room for it.
    host.boot("1.1.0").expect_ok();
    host.stage(&[("1.1.0", "1.2.0", &[RENAME])]);
    assert_eq!(host.stores(), 2);
    let room = host.look(&tight, "1.2.0").unwrap().room.unwrap();
    assert!(room.surplus + room.free >= room.bytes && room.free < room.bytes, "{room:?}");
}

#[test]
fn a_rehearsal_tells_what_is_different_there_and_back() {
    let host = host(&[RENAME, ADD]);
    let ran = ask(&host, &["--rehearse"]);
    ran.expect_ok();
    assert!(ran.out.contains("~ settings.renamed = \"one\" becomes \"two\""), "{}", ran.out);
    // The way back takes settings.added, and the store that is kept gives it back.
    assert!(ran.out.contains("There and back: every setting is as it is now"), "{}", ran.out);
    let told = answer(&ask(&host, &["--rehearse", "--json"]));
    assert_eq!(told["rehearsal"]["changes"][0]["key"], json!("settings.renamed"));
    assert_eq!((&told["rehearsal"]["back"], &told["rehearsal"]["no_way_back"]), (&json!([]), &Value::Null));
    // What the newer release calls so already has another name after going back.
    host.set("settings.renamed", json!("two"));
    let ran = ask(&host, &["--rehearse"]);
    assert!(ran.out.contains("There and back: one setting is different"), "{}", ran.out);
    assert!(ran.out.contains("~ settings.renamed = \"two\" becomes \"one\""), "{}", ran.out);
}

#[test]
fn what_kept_settings_would_take_away_is_told() {
    let host = Host::new();
    host.stage(&[("1.0.0", "1.1.0", &[RENAME, ADD])]);
    host.boot("1.1.0").expect_ok();
    host.set("settings.kept", json!("changed on 1.1.0"));
    let before = host.everything();
    // Nothing that a way back needs is asked for.
    host.lose_cache();
    let ask = |version: &str, more: &[&str]| {
        let arguments = host.arguments();
        let flags = arguments.iter().take(arguments.len() - 1).map(String::as_str);
        let mut migrator = std::process::Command::new(env!("CARGO_BIN_EXE_migrator"));
        migrator.args(flags).args(["--migrate-to-version", version, "--compare-kept"]).args(more);
        Ran::of(migrator.output().unwrap())
    };
    let ran = ask("1.0.0", &[]);
    ran.expect_ok();
    assert_eq!(
        ran.out,
        "The settings that 1.0.0 had when it was left: 2 settings are different\n\
         \u{20} ~ settings.kept = \"changed on 1.1.0\" becomes \"mine\"\n\
         \u{20} ~ settings.renamed = \"two\" becomes \"one\"\n"
    );
    let told = answer(&ask("1.0.0", &["--json"]));
    assert_eq!(told["kept"][0]["key"], json!("settings.kept"));
    assert_eq!(ask("0.9.0", &[]).out, "No settings of 0.9.0 are kept\n");
    assert_eq!(answer(&ask("0.9.0", &["--json"]))["kept"], Value::Null);
    assert_eq!(host.everything(), before);
}

#[test]
fn a_way_that_fails_here_is_told_before_anything_depends_on_it() {
    let host = host(&[RENAME, MISBEHAVE]);
    host.set("settings.misbehave", json!("fail"));
    let ran = ask(&host, &["--rehearse", "--json"]);
    ran.expect_failure(&[MISBEHAVE, "it is asked to fail"]);
    assert_eq!(answer(&ran)["error"]["code"], json!("migration_failed"));
}

#[test]
fn a_way_back_that_fails_is_told_and_refuses_nothing() {
    let host = host(&[MISBEHAVE]);
    host.set("settings.misbehave", json!("fail back"));
    let told = answer(&ask(&host, &["--rehearse", "--json"]));
    assert!(told["rehearsal"]["no_way_back"].as_str().unwrap().contains("asked to fail"), "{told}");
    // What comes back has to fit the image that runs now.
    let host = self::host(&[RENAME]);
    host.set("settings.kept", json!(7));
    let told = answer(&ask(&host, &["--rehearse", "--json"]));
    assert!(told["rehearsal"]["no_way_back"].as_str().unwrap().contains("settings.kept is 7"), "{told}");
}
