//! What is pruned, and what is not.

use chrono::Duration;
use host_io::Advise as _;
use publish::InitOptions;
use publish::prune::{PruneOptions, PruneReport, prune};

use crate::fixture::{ARCH, Fixture, VARIANT, today};

fn pruned(fixture: &Fixture, after: Duration, dry_run: bool) -> PruneReport {
    let options = PruneOptions { repo: fixture.path("repo"), grace: Duration::days(7), dry_run };
    prune(&options, today() + after).expect("pruned")
}

#[tokio::test]
async fn only_what_nobody_may_still_ask_for_is_pruned() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    // A neighbour of the same targets, and a file that a publisher who died has left.
    let other = InitOptions { variant: "cloud".to_owned(), ..fixture.init_options() };
    publish::init(&other, today()).await.expect("made");
    let mut cloud = fixture.release("1.0.0", 3);
    cloud.variant = "cloud".to_owned();
    fixture.add(&cloud).await.expect("published");
    fixture.write("repo/targets/left.over", b"x");

    let named: Vec<_> = fixture.published();
    assert_eq!(
        pruned(&fixture, Duration::days(14 + 6), false).files,
        [],
        "a host may have an older snapshot still"
    );
    let late = Duration::days(14 + 8);
    let told = pruned(&fixture, late, true);
    assert_eq!(fixture.published(), named, "it was only told");
    assert!(!told.removed && !told.files.is_empty() && told.metadata.len() == 2, "{told}");
    // Manifests of the day before yesterday: no release is listed no more, so no image goes.
    assert!(told.files.iter().all(|file| file.name.ends_with("manifest.json")), "{told}");
    let done = pruned(&fixture, late, false);
    assert_eq!((done.removed, &done.files), (true, &told.files));
    let left = fixture.published();
    assert_eq!(left.len(), named.len() - done.files.len());
    for (path, bytes) in &named {
        let gone = done.files.iter().any(|file| path.ends_with(&file.name));
        assert_eq!(left.contains(&(path.clone(), bytes.clone())), !gone, "{}", path.display());
    }
    fixture.open().await.manifest().await.expect("it reads as before");
}

#[tokio::test]
async fn a_neighbour_that_cannot_be_read_keeps_everything() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    fixture.write("repo/cloud/x86_64/timestamp.json", b"{");
    let before = fixture.published();
    let options = PruneOptions { repo: fixture.path("repo"), grace: Duration::zero(), dry_run: false };
    let error = prune(&options, today() + Duration::days(400)).expect_err("its targets may lie here");
    assert!(error.to_string().contains("cloud/x86_64/timestamp.json"), "{error}");
    assert!(error.help().is_some_and(|help| help.starts_with("nothing was removed")), "{error}");
    assert_eq!(fixture.published(), before);
}

#[tokio::test]
async fn older_metadata_that_cannot_be_looked_for_keeps_everything_and_what_was_taken_away_does_not() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    let older = fixture.path(&format!("repo/{VARIANT}/{ARCH}/2.targets.json"));
    std::fs::remove_file(&older).expect("it was there");
    // A link to itself: whether there is something is not known.
    std::os::unix::fs::symlink(&older, &older).expect("made");
    let options = PruneOptions { repo: fixture.path("repo"), grace: Duration::zero(), dry_run: false };
    let error = prune(&options, today() + Duration::days(400)).expect_err("it may name any file");
    assert!(error.to_string().contains("2.targets.json"), "{error}");
    assert!(error.help().is_some_and(|help| help.starts_with("nothing was removed")), "{error}");
    std::fs::remove_file(&older).expect("it was there");
    prune(&options, today() + Duration::days(400)).expect("taken away on purpose");
}
