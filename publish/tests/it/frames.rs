//! Frames beside the whole images: made, made again, left out, and judged.

use std::path::PathBuf;

use blocks::{Decoder, Index};
use host_io::SystemFs;
use publish::{AddOptions, Error, Framing};
use testdata::noise;
use trusted_repo::author::{Editor, Expiries, KeyPair, KeySources, SignedRoot, Signers, targets};
use update_metadata::FramedImage;

use crate::check::check;
use crate::fixture::{ARCH, Fixture, VARIANT, today};

const LIMIT: u64 = 16 << 20;

fn sized(kib: u64) -> Framing {
    let size = publish::FrameSize::from_bytes(kib << 10).expect("whole blocks");
    Framing::Frames { size, level: publish::Level::default() }
}

/// What a host makes of the frames of an image.
async fn decoded(fixture: &Fixture, image: &FramedImage) -> (Index, Vec<u8>) {
    let repository = fixture.open().await;
    let index = repository.fetch(&image.index, LIMIT).await.expect("verified");
    let index = Index::parse(index.bytes()).expect("an index");
    let data = repository.fetch(&image.data, LIMIT).await.expect("verified");
    let mut decoder = Decoder::new();
    let mut raw = Vec::new();
    for (number, frame) in index.frames().enumerate() {
        let at = |place: u64| usize::try_from(place).expect("small");
        let range = index.raw_range(number);
        let compressed = &data.bytes()[at(frame.offset)..at(frame.range().end)];
        raw.resize(at(range.end), 0);
        decoder.decode(&frame, compressed, &mut raw[at(range.start)..]).expect("a frame");
    }
    (index, raw)
}

/// Published files of this ending, in the order of their digests.
fn files(fixture: &Fixture, ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    fixture.published().into_iter().filter(|(path, _)| path.display().to_string().ends_with(ending)).collect()
}

#[tokio::test]
async fn a_release_has_frames_that_give_back_boot_and_root() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let update = fixture.open().await.manifest().await.expect("a manifest").updates.remove(0);
    let frames = update.extensions.frames.expect("frames");
    let (boot, root) = (frames.boot.expect("of boot"), frames.root.expect("of root"));
    assert_eq!(boot.data, "ours-metal-x86_64-1.0.0-boot.zst");
    assert_eq!(root.index, "ours-metal-x86_64-1.0.0-root.idx");
    let (index, raw) = decoded(&fixture, &boot).await;
    assert_eq!(raw, noise(1, 10_000));
    assert!(index.has_raw_digests(), "nothing else checks boot");
    let (index, raw) = decoded(&fixture, &root).await;
    assert_eq!(raw, noise(1, 300 * 4096));
    assert_eq!((index.frame_blocks(), index.frame_count()), (4, 75));
    assert!(!index.has_raw_digests(), "the hash image checks root");
}

#[tokio::test]
async fn published_again_a_release_has_the_same_frames_and_lost_ones_come_back() {
    let fixture = Fixture::new().await;
    let release = fixture.release("1.0.0", 1);
    fixture.add(&release).await.expect("published");
    let before = [files(&fixture, ".zst"), files(&fixture, ".idx")].concat();
    assert_eq!(before.len(), 4);
    for (path, _) in before.iter().step_by(3) {
        std::fs::remove_file(path).expect("lost");
    }
    fixture.add(&release).await.expect("published again");
    assert_eq!([files(&fixture, ".zst"), files(&fixture, ".idx")].concat(), before);
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn frames_of_another_size_are_other_bytes_under_a_signed_name() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    fixture.add(&release).await.expect("published");
    let before = fixture.published();
    release.framing = sized(32);
    let refused = fixture.add(&release).await;
    assert!(matches!(refused, Err(Error::Republished { .. })), "{refused:?}");
    assert_eq!(fixture.published(), before);
    let next = fixture.with_migration(fixture.release("1.0.1", 1), "1.0.0");
    fixture.add(&AddOptions { framing: sized(32), ..next }).await.expect("another release");
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_plain_release_has_no_frames_until_it_gets_some_and_then_it_keeps_them() {
    let fixture = Fixture::new().await;
    let mut release = fixture.release("1.0.0", 1);
    release.framing = Framing::Plain;
    assert_eq!(fixture.add(&release).await.expect("published").targets.len(), 4);
    let frames = async || {
        fixture.open().await.manifest().await.expect("a manifest").updates.remove(0).extensions.frames
    };
    assert_eq!(frames().await, None);
    release.framing = Framing::default();
    assert_eq!(fixture.add(&release).await.expect("published").targets.len(), 8);
    assert!(frames().await.is_some());
    release.framing = Framing::Plain;
    fixture.add(&release).await.expect("published");
    assert!(frames().await.is_some(), "hosts may be fetching them");
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn damaged_and_lost_frames_are_found() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let (path, mut bytes) = files(&fixture, "-root.zst").remove(0);
    bytes[70_000] ^= 1;
    std::fs::write(path, bytes).expect("damaged");
    std::fs::remove_file(&files(&fixture, "-boot.idx")[0].0).expect("lost");
    let report = check(&fixture).await;
    let said: Vec<&str> = report.errors.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(said.len(), 2, "{report}");
    assert!(said[0].starts_with("the frames of the boot image of 1.0.0: their index ours-"), "{report}");
    assert!(said[1].contains("the frame at 65"), "{report}");
}

/// Signs other bytes under the name of a target.
async fn forge(fixture: &Fixture, name: &str, bytes: &[u8]) {
    let metadata = fixture.path("repo").join(VARIANT).join(ARCH);
    let root = SignedRoot::parse(&std::fs::read(fixture.path("keys/root.json")).expect("there"));
    let mut editor = Editor::load(&SystemFs, &metadata, &root.expect("a root role")).await.expect("loaded");
    let info = targets::publish(&SystemFs, &fixture.path("repo/targets"), name, bytes).expect("written");
    editor.replace_target(info).expect("a safe name");
    let key =
        |role: &str| KeyPair::load(&SystemFs, &fixture.path(&format!("keys/{role}.pem"))).expect("a key");
    let sources = KeySources::from(Signers {
        targets: key("targets"),
        snapshot: key("snapshot"),
        timestamp: key("timestamp"),
    });
    let soon = today() + chrono::Duration::days(7);
    let expiries = Expiries { targets: soon, snapshot: soon, timestamp: soon };
    let signed = editor.sign_from(&sources, &expiries).await.expect("signed");
    signed.write(&SystemFs, &metadata).expect("written");
}

#[tokio::test]
async fn signed_frames_that_hosts_cannot_use_are_each_found() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.with_migration(fixture.release("1.1.0", 2), "1.0.0")).await.expect("published");
    let published = fixture.published();
    let bytes = |ending: &str| {
        let found = published.iter().find(|(path, _)| path.display().to_string().ends_with(ending));
        found.expect("published").1.clone()
    };
    let name = |image: &str| format!("ours-metal-x86_64-1.0.0-{image}");
    let sound = |image: &str| bytes(&name(image));
    let mut table = sound("root.zst");
    table.pop();
    for (image, bytes, what) in [
        ("root.idx", b"no index".to_vec(), "it begins with something else"),
        ("root.idx", bytes("1.1.0-root.idx"), "has other bytes than its index says"),
        (
            "root.idx",
            sound("boot.idx"),
            "is of an image of 10000 bytes, and the hash image of one of 1228800",
        ),
        ("root.zst", table, "is not the table that other tools look for"),
        ("root.zst", sound("root.zst")[..100_000].to_vec(), "it ends before its last frame"),
        ("boot.zst", bytes("1.1.0-boot.zst"), "has other bytes than its index says"),
    ] {
        forge(&fixture, &name(image), &bytes).await;
        let report = check(&fixture).await;
        assert_eq!(report.errors.len(), 1, "{report}");
        assert!(report.errors[0].what.contains(what), "{report}");
        forge(&fixture, &name(image), &sound(image)).await;
    }
    // Another image, whole in itself.
    for image in ["boot.zst", "boot.idx", "root.zst", "root.idx"] {
        forge(&fixture, &name(image), &bytes(&format!("1.1.0-{image}"))).await;
    }
    let report = check(&fixture).await;
    let said: Vec<&str> = report.errors.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        said,
        [
            "the frames of the boot image of 1.0.0: its frames hold another image than the whole one",
            "the frames of the root image of 1.0.0: check block 0: its digest is not the one in the hash tree",
        ]
    );
}
