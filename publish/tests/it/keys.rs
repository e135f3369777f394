//! Keys that are encrypted, that other programs hold, and that their holders keep.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use publish::{InitOptions, Keys, Passphrase};
use trusted_repo::author::{KeyPair, KeySources};

use crate::fixture::{Fixture, done, pubrepo, refused, today};

const REPO: [&str; 8] = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];

/// One holder after another: a key, its public half, and nothing else that leaves the machine.
fn new_key(fixture: &Fixture, name: &str, passphrase: &[&str]) {
    let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
    done(pubrepo(
        fixture,
        &[&["root", "new-key", "--out", &private, "--public", &public], passphrase].concat(),
    ));
}

#[tokio::test]
async fn holders_who_never_meet_found_a_repository() {
    let fixture = Fixture::empty();
    std::fs::create_dir(fixture.path("keys")).expect("made");
    let run = |args: &[&str]| pubrepo(&fixture, args);
    for name in ["ann", "ben", "eve", "keys/targets", "keys/snapshot", "keys/timestamp"] {
        new_key(&fixture, name, &[]);
    }
    let holders = ["--root-key", "ann.pub", "--root-key", "ben.pub", "--root-key", "eve.pub"];
    let below = ["--targets-key", "keys/targets.pub", "--snapshot-key", "keys/snapshot.pub"];
    let new = [&["root", "new", "--out", "first.json"][..], &holders, &below].concat();
    done(run(&[&new[..], &["--timestamp-key", "keys/timestamp.pub"]].concat()));
    let init = [&["init", "--root", "first.json"][..], &REPO].concat();
    refused(&run(&init), "0 of 2 of its holders have signed it");
    done(run(&["root", "sign", "first.json", "--key", "eve.pem"]));
    refused(&run(&["root", "sign", "first.json", "--key", "keys/targets.pem"]), "none of its root keys");
    let said = done(run(&["root", "sign", "first.json", "--key", "ann.pem"]));
    assert!(said.ends_with("signed by its own holders: 2 of 2\n"), "{said}");

    // With another key than the one that it names nothing comes into being.
    std::fs::rename(fixture.path("keys/snapshot.pem"), fixture.path("snapshot.pem")).expect("away");
    refused(&run(&init), "snapshot.pem is missing");
    std::fs::copy(fixture.path("ben.pem"), fixture.path("keys/snapshot.pem")).expect("mixed up");
    refused(&run(&init), "sign the snapshot role");
    assert!(!fixture.path("keys/root.json").exists() && !fixture.path("repo/metal/x86_64").exists());
    std::fs::rename(fixture.path("snapshot.pem"), fixture.path("keys/snapshot.pem")).expect("back");
    done(run(&init));
    assert_eq!(fixture.open_now().await.roles().root.version, 1);

    // A second variant begins with the same root role, and with no other.
    let cloud = [&init[..init.len() - 4], &["--variant", "cloud", "--arch", "x86_64"]].concat();
    done(run(&cloud));
    done(run(&[
        &["root", "new", "--out", "other.json"],
        &holders[..],
        &below,
        &["--timestamp-key", "ben.pub"],
    ]
    .concat()));
    for key in ["ann.pem", "ben.pem"] {
        done(run(&["root", "sign", "other.json", "--key", key]));
    }
    let edge =
        [&["init", "--root", "other.json"], &REPO[..4], &["--variant", "edge", "--arch", "x86_64"]].concat();
    refused(&run(&edge), "another root role lies beside the keys");
    // What follows another is not signed as if it were the first.
    done(run(&["root", "rotate", "--from", "first.json", "--out", "next.json"]));
    refused(&run(&["root", "sign", "next.json", "--key", "ann.pem"]), "the version before was not given");
}

#[tokio::test]
async fn keys_of_the_roles_below_root_may_be_encrypted() {
    let fixture = Fixture::empty();
    fixture.write("secret", b"open sesame\n");
    fixture.write("wrong", b"open\n");
    let init =
        [&["init"][..], &REPO, &["--passphrase-file", "secret", "--root-keys", "1", "--root-threshold", "1"]];
    done(pubrepo(&fixture, &init.concat()));
    for name in ["root-1", "targets", "snapshot", "timestamp"] {
        let text = std::fs::read_to_string(fixture.path(&format!("keys/{name}.pem"))).expect("made");
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{name}");
    }
    let refresh = [&["refresh"][..], &REPO].concat();
    refused(&pubrepo(&fixture, &refresh), "it is encrypted, and no passphrase was given");
    let with = |file| [&refresh[..], &["--passphrase-file", file]].concat();
    refused(&pubrepo(&fixture, &with("wrong")), "the passphrase is another one");
    done(pubrepo(&fixture, &with("secret")));
    assert_eq!(fixture.open_now().await.roles().timestamp.version, 2);
}

/// What a key management service looks like from here; it refuses once it is switched off.
const SERVICE: &str = r#"#!/bin/sh
cd "$(dirname "$0")/.."
test ! -e off || { echo "the service is off" >&2; exit 3; }
case "$1" in
  public) openssl pkey -in service.pem -pubout ;;
  sign) openssl dgst -sha256 -sign service.pem ;;
esac
"#;

#[tokio::test]
async fn a_program_that_holds_a_key_signs_like_a_file() {
    let fixture = Fixture::empty();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        "service.pem",
    ]);
    if !openssl.current_dir(fixture.path("")).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no openssl here to play a key management service");
        return;
    }
    let program = fixture.write("keys/targets.sign", SERVICE.as_bytes());
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("made executable");
    let public = done(Command::new(&program).arg("public").output().expect("it runs"));
    fixture.write("targets.pub", public.as_bytes());
    for name in ["ann", "keys/snapshot", "keys/timestamp"] {
        new_key(&fixture, name, &[]);
    }
    let run = |args: &[&str]| pubrepo(&fixture, args);
    let new = ["root", "new", "--out", "first.json", "--root-key", "ann.pub", "--root-threshold", "1"];
    let below = ["--targets-key", "targets.pub", "--snapshot-key", "keys/snapshot.pub"];
    done(run(&[&new[..], &below, &["--timestamp-key", "keys/timestamp.pub"]].concat()));
    done(run(&["root", "sign", "first.json", "--key", "ann.pem"]));
    let said = done(run(&[&["init", "--root", "first.json", "--json"][..], &REPO].concat()));
    assert!(said.contains("keys/targets.sign"), "{said}");
    assert_eq!(fixture.open_now().await.roles().targets.version, 1);

    let refresh = [&["refresh"][..], &REPO].concat();
    done(run(&refresh));
    fixture.write("off", b"");
    refused(&run(&refresh), "targets.sign public ended with exit status: 3");
    assert_eq!(fixture.open_now().await.roles().targets.version, 2);
}

#[tokio::test]
async fn a_program_that_uses_this_crate_brings_its_own_keys() {
    let fixture = Fixture::empty();
    fixture.init().await.expect("made");
    let [targets, snapshot, timestamp] = ["targets", "snapshot", "timestamp"].map(|role| {
        let path = fixture.path(&format!("keys/{role}.pem"));
        let key = KeyPair::load(&host_io::SystemFs, &path).expect("made by init");
        std::fs::remove_file(path).expect("it lies elsewhere from now on");
        Box::new(key)
    });
    let sources = KeySources { targets, snapshot, timestamp };
    let mut release = fixture.release("1.0.0", 1);
    release.keys = Keys::from_sources(fixture.path("keys"), sources);
    fixture.add(&release).await.expect("published");
    let other = InitOptions { variant: "cloud".to_owned(), keys: release.keys, ..fixture.init_options() };
    publish::init(&other, today()).await.expect("a second variant");
    assert_eq!(fixture.open().await.manifest().await.expect("a manifest").updates.len(), 1);
}

#[test]
fn a_passphrase_is_never_shown() {
    let keys = Keys::in_dir("keys").with_passphrase(Passphrase::Is("open sesame".to_owned()));
    assert!(!format!("{keys:?}").contains("sesame"));
}
