//! What is kept of the targets role for the next check: whatever lies there instead, a host sees what is signed now.

use std::path::PathBuf;

use trusted_repo::Error;

use crate::fixture::{Fixture, days, today};
use crate::unchanged::{check, offering};

/// Where it is kept.
fn kept(fixture: &Fixture) -> PathBuf {
    let mut entries =
        std::fs::read_dir(fixture.trust()).expect("there").map(|entry| entry.expect("readable").path());
    entries.find(|path| path.to_string_lossy().ends_with(".targets.signed")).expect("it is kept")
}

/// A manifest with so many updates, of another length than any that [`offering`] makes.
fn manifest(updates: usize) -> Vec<u8> {
    let update = |number| {
        format!(
            r#"{{"variant":"metal-dev","arch":"x86_64","version":"2.{number}.0","max_version":"2.9.0","waves":{{}},
            "images":{{"boot":"b.lz4","root":"r.lz4","hash":"h.lz4"}}}}"#
        )
    };
    let updates: Vec<String> = (0..updates).map(update).collect();
    format!(r#"{{"updates":[{}],"migrations":{{}}}}"#, updates.join(",")).into_bytes()
}

#[tokio::test]
async fn a_forged_stale_foreign_or_damaged_extract_hides_no_update_and_is_mended() {
    // A host that saw a repository without any update, and one of somebody else.
    let (mut fixture, server, _wire) = offering(0);
    assert_eq!(check(&fixture, server.address()).await.expect("first contact").1, 0);
    let stale = std::fs::read(kept(&fixture)).expect("readable");
    let (others, other_server, _wire) = offering(0);
    check(&others, other_server.address()).await.expect("first contact");
    let foreign = std::fs::read(kept(&others)).expect("readable");

    fixture.target("manifest.json", &manifest(3));
    fixture.sign();
    assert_eq!(check(&fixture, server.address()).await.expect("it has moved").1, 3);
    let good = std::fs::read(kept(&fixture)).expect("readable");
    assert_ne!(good, stale);

    let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').expect("a first line") + 1;
    // What was signed before, under the name of the file that counts now, and under its signatures as well.
    let named = |bytes: &[u8]| {
        let sum = |bytes: &[u8]| {
            String::from_utf8_lossy(&bytes[..line(bytes)]).split('"').nth(3).expect("a sum").to_owned()
        };
        String::from_utf8_lossy(bytes).replacen(&sum(bytes), &sum(&good), 1).into_bytes()
    };
    let with_its_signatures = [&good[..line(&good)], &stale[line(&stale)..]].concat();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bytes) in [
        ("stale", stale.clone()),
        ("stale, under the right name", named(&stale)),
        ("stale, under the right signatures", with_its_signatures),
        ("foreign", foreign.clone()),
        ("foreign, under the right name", named(&foreign)),
        ("empty", Vec::new()),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("longer", [&good[..], b" "].concat()),
        ("a bit of its first line", flipped(20)),
        ("a bit of what is signed", flipped(good.len() - 40)),
        ("no text at all", vec![0xFF; 300]),
        ("without a first line", good[line(&good)..].to_vec()),
    ] {
        std::fs::write(kept(&fixture), bytes).expect("written");
        server.clear_log();
        let (repository, offered) = check(&fixture, server.address()).await.expect(what);
        assert_eq!(offered, 3, "{what}");
        assert_eq!(server.requests().len(), 2, "{what}: nothing but time is lost");
        repository.verify_anew().expect(what);
        assert!(std::fs::read(kept(&fixture)).expect("readable") == good, "{what} is mended");
    }
}

#[tokio::test]
async fn an_extract_is_made_once_and_says_what_its_file_says() {
    let (fixture, server, _wire) = offering(2);
    check(&fixture, server.address()).await.expect("first contact");
    let before = std::fs::metadata(kept(&fixture)).expect("there").modified().expect("a time");
    let (repository, _) = check(&fixture, server.address()).await.expect("unchanged");
    assert_eq!(
        std::fs::metadata(kept(&fixture)).expect("there").modified().expect("a time"),
        before,
        "not written"
    );
    // What it says is what the file says, to the last target.
    repository.verify_anew().expect("the file says the same");
    let files = repository.metadata_files();
    assert!(
        files.keys().any(|name| name == "2.targets.json"),
        "the file itself is handed on: {:?}",
        files.keys()
    );
    let missing = repository.target("boot-1.lz4").await;
    assert!(matches!(missing, Err(Error::MissingTarget { .. })), "{missing:?}");
}

#[tokio::test]
async fn expiry_counts_whatever_is_kept() {
    let (fixture, server, _wire) = offering(1);
    check(&fixture, server.address()).await.expect("first contact");
    let base = url::Url::parse(&server.url("")).expect("an address");
    let later = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today() + days(8)).await;
    crate::fixture::assert_refused(later, "expired", "metadata expired");
}
