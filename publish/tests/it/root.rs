//! Holders of root keys who come, go and sign one after another.

use crate::check::{check, two_releases};
use crate::fixture::{Fixture, done, pubrepo, refused};

const PUBLISH: [&str; 11] = [
    "root",
    "publish",
    "next.json",
    "--repo",
    "repo",
    "--keys",
    "keys",
    "--variant",
    "metal",
    "--arch",
    "x86_64",
];

#[tokio::test]
async fn a_holder_goes_another_comes_and_old_hosts_follow() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let run = |args: &[&str]| pubrepo(&fixture, args);
    let sign = |key: &str| run(&["root", "sign", "next.json", "--from", "keys/root.json", "--key", key]);

    let shown = done(run(&["root", "show", "keys/root.json", "--json"]));
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("one object");
    let leaves = shown["roles"][0]["keys"][0].as_str().expect("an identity").to_owned();
    fixture.write("secret", b"open sesame\n");
    let secret = ["--passphrase-file", "secret"];
    done(run(&[&["root", "new-key", "--out", "root-4.pem", "--public", "root-4.pub"], &secret[..]].concat()));
    let rotate = ["root", "rotate", "--from", "keys/root.json", "--out", "next.json"];
    done(run(&[&rotate[..], &["--add-root-key", "root-4.pub", "--remove-root-key", &leaves]].concat()));
    refused(&run(&rotate), "there is such a file already");

    refused(&run(&PUBLISH), "0 of 2 holders of version 1");
    refused(&sign("root-4.pem"), "it is encrypted, and no passphrase was given");
    let sealed = ["root", "sign", "next.json", "--from", "keys/root.json", "--key", "root-4.pem"];
    refused(&run(&[&sealed[..], &["--passphrase-env", "NOT_SET_ANYWHERE"]].concat()), "NOT_SET_ANYWHERE");
    done(run(&[&sealed[..], &secret].concat()));
    refused(&sign("keys/targets.pem"), "none of its root keys");
    done(sign("keys/root-2.pem"));
    refused(&run(&PUBLISH), "1 of 2 holders of version 1");
    let said = done(sign("keys/root-3.pem"));
    assert!(said.ends_with("signed by its own holders: 3 of 2\n"), "{said}");
    done(run(&PUBLISH));

    // A host that ships version 1 is led to version 2.
    let opened = fixture.open_now().await;
    assert_eq!(opened.roles().root.version, 2);
    assert_eq!(opened.manifest().await.expect("a manifest").updates.len(), 2);
    let newest = std::fs::read(fixture.path("repo/metal/x86_64/root.json")).expect("for images");
    assert_eq!(newest, std::fs::read(fixture.path("next.json")).expect("there"));
    let report = check(&fixture).await;
    assert!(report.is_good(), "{report}");
    // It goes on from there.
    fixture.add(&fixture.with_migration(fixture.release("1.2.0", 3), "1.1.0")).await.expect("published");
    refused(&run(&PUBLISH), "does not follow version 2");
}

#[tokio::test]
async fn a_stolen_timestamp_key_is_replaced() {
    let fixture = Fixture::new().await;
    let run = |args: &[&str]| pubrepo(&fixture, args);
    done(run(&["root", "new-key", "--out", "timestamp.pem", "--public", "timestamp.pub"]));
    let rotate = ["root", "rotate", "--from", "keys/root.json", "--out", "next.json"];
    done(run(&[&rotate[..], &["--timestamp-key", "timestamp.pub"]].concat()));
    for key in ["keys/root-1.pem", "keys/root-2.pem"] {
        done(run(&["root", "sign", "next.json", "--from", "keys/root.json", "--key", key]));
    }
    // With the old key at hand nothing is published.
    refused(&run(&PUBLISH), "timestamp");
    assert_eq!(fixture.open().await.roles().root.version, 1);
    std::fs::rename(fixture.path("timestamp.pem"), fixture.path("keys/timestamp.pem")).expect("moved");
    done(run(&PUBLISH));
    assert_eq!(fixture.open_now().await.roles().root.version, 2);
}
