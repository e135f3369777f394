//! Targets whose bytes are not the signed ones.

use std::io::Read as _;

use testdata::noise;
use trusted_repo::lz4::{self, Lz4Reader};
use trusted_repo::{Error, VerifiedTarget};

use crate::fixture::{Fixture, assert_refused, frame};

/// Fetches, streams and decodes one target; all three have to agree.
async fn try_all(fixture: &Fixture, name: &'static str) -> Result<Vec<u8>, Error> {
    let repository = fixture.open().await.expect("opened");
    let fetched = repository.fetch(name, 1 << 20).await;
    let reader = repository.open_target(&repository.target(name).await?)?;
    let streamed = tokio::task::spawn_blocking(move || {
        let mut reader = reader;
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes).map_err(|error| Error::from_read(name, error));
        read.and_then(|_| reader.finish()).map(|_: VerifiedTarget| bytes)
    })
    .await
    .expect("no panic");
    let fetched = fetched.map(|bytes| bytes.bytes().to_vec());
    assert_eq!(fetched.as_ref().ok(), streamed.as_ref().ok());
    fetched
}

async fn decode(fixture: &Fixture, name: &'static str) -> Result<Vec<u8>, Error> {
    let repository = fixture.open().await.expect("opened");
    let bytes = repository.fetch(name, 1 << 20).await?;
    let decoded = lz4::decode(&bytes, 1 << 20);
    let in_pieces = lz4::decode_pieces(repository.fetch_pieces(name, 1 << 20).await?, 1 << 20);
    assert_eq!(
        in_pieces.as_ref().map_err(ToString::to_string),
        decoded.as_ref().map_err(ToString::to_string)
    );
    let reader = Lz4Reader::new(repository.open_target(&repository.target(name).await?)?);
    let streamed = tokio::task::spawn_blocking(move || {
        let mut reader = reader;
        let mut raw = Vec::new();
        let read = reader.read_to_end(&mut raw).map_err(|error| Error::from_read(name, error));
        // Whoever does not look at the failed read still gets no proof.
        let finished = reader.finish();
        assert!(read.is_ok() || finished.is_err());
        read.and(finished).map(|_| raw)
    })
    .await
    .expect("no panic");
    assert_eq!(decoded.as_ref().ok(), streamed.as_ref().ok());
    decoded
}

#[tokio::test]
async fn signed_bytes_are_handed_over() {
    let mut fixture = Fixture::new();
    let bytes = noise(1, 300_000);
    fixture.target("root.lz4", &bytes);
    fixture.sign();
    assert_eq!(try_all(&fixture, "root.lz4").await.expect("verified"), bytes);
}

#[tokio::test]
async fn swapped_target_of_the_same_length_is_refused() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 5000));
    fixture.sign();
    std::fs::write(fixture.file_of("root.lz4"), noise(2, 5000)).expect("attacked");
    assert_refused(try_all(&fixture, "root.lz4").await, "tampered", "its SHA-256 is");
}

#[tokio::test]
async fn swapped_target_that_is_a_shorter_valid_frame_is_refused() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &frame(&noise(1, 5000)));
    fixture.sign();
    std::fs::write(fixture.file_of("root.lz4"), frame(&noise(2, 4000))).expect("attacked");
    assert_refused(try_all(&fixture, "root.lz4").await, "tampered", "it ends after");
    assert_refused(decode(&fixture, "root.lz4").await, "tampered", "it ends after");
}

#[tokio::test]
async fn swapped_frame_is_refused_although_it_decodes() {
    let mut fixture = Fixture::new();
    let signed = frame(&noise(1, 5000));
    fixture.target("root.lz4", &signed);
    fixture.sign();
    // Another frame, then as many bytes as it takes; a decoder alone would be content with the frame.
    let mut other = frame(&noise(2, 4000));
    other.resize(signed.len(), 0);
    std::fs::write(fixture.file_of("root.lz4"), other).expect("attacked");
    assert_refused(decode(&fixture, "root.lz4").await, "tampered", "its SHA-256 is");
    let repository = fixture.open().await.expect("opened");
    let listed = repository.target("root.lz4").await.expect("listed");
    let reader = Lz4Reader::new(repository.open_target(&listed).expect("there"));
    let finished = tokio::task::spawn_blocking(move || {
        let mut reader = reader;
        let mut raw = Vec::new();
        // Up to the end mark nothing is odd.
        reader.read_to_end(&mut raw).expect("a valid frame");
        assert_eq!(raw.len(), 4000);
        reader.finish()
    });
    assert_refused(finished.await.expect("no panic"), "tampered", "its SHA-256 is");
}

#[tokio::test]
async fn truncated_target_is_refused() {
    let mut fixture = Fixture::new();
    let bytes = noise(1, 5000);
    fixture.target("root.lz4", &bytes);
    fixture.sign();
    for length in [0, 1, 4999] {
        std::fs::write(fixture.file_of("root.lz4"), &bytes[..length]).expect("attacked");
        assert_refused(try_all(&fixture, "root.lz4").await, "tampered", "of 5000 signed bytes");
    }
}

#[tokio::test]
async fn endless_target_is_cut_off_at_its_signed_length() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 5000));
    fixture.sign();
    std::fs::write(fixture.file_of("root.lz4"), noise(1, 5_000_000)).expect("attacked");
    assert_refused(try_all(&fixture, "root.lz4").await, "tampered", "after the 5000 signed bytes");
}

#[tokio::test]
async fn signed_bytes_after_the_frame_are_refused() {
    let mut fixture = Fixture::new();
    let mut bytes = frame(&noise(1, 5000));
    bytes.extend(b"x");
    fixture.target("migration.lz4", &bytes);
    let mut twice = frame(b"one");
    twice.extend(frame(b"two"));
    fixture.target("twice.lz4", &twice);
    fixture.sign();
    assert_refused(decode(&fixture, "migration.lz4").await, "tampered", "bytes after its LZ4 frame");
    assert_refused(decode(&fixture, "twice.lz4").await, "tampered", "bytes after its LZ4 frame");
}

#[tokio::test]
async fn signed_frame_that_is_cut_short_is_refused_wherever_it_is_cut() {
    let mut fixture = Fixture::new();
    // Two blocks, so that one cut falls exactly between them.
    let whole = frame(&noise(1, 100_000));
    for cut in [0, 3, 6, 7, 5000, 7 + 4 + 65536, whole.len() - 4, whole.len() - 1] {
        fixture.target("root.lz4", &whole[..cut]);
        fixture.sign();
        assert_refused(decode(&fixture, "root.lz4").await, "tampered", "accept the target root.lz4");
    }
    fixture.target("root.lz4", &whole);
    fixture.sign();
    assert_eq!(decode(&fixture, "root.lz4").await.expect("whole").len(), 100_000);
}

#[tokio::test]
async fn signed_target_that_is_no_frame_is_refused() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", &noise(1, 5000));
    fixture.sign();
    assert_refused(decode(&fixture, "root.lz4").await, "tampered", "accept the target root.lz4");
}

#[tokio::test]
async fn decompression_bomb_is_refused_at_the_limit() {
    let mut fixture = Fixture::new();
    fixture.target("bomb.lz4", &frame(&vec![0; 50 << 20]));
    fixture.sign();
    let repository = fixture.open().await.expect("opened");
    let bytes = repository.fetch("bomb.lz4", 1 << 20).await.expect("small while packed");
    assert_refused(lz4::decode(&bytes, 1 << 20).map(|raw| raw.len()), "failed", "longer than 1048576 bytes");
    assert_eq!(lz4::decode(&bytes, 50 << 20).expect("exactly at the limit").len(), 50 << 20);
    let pieces = repository.fetch_pieces("bomb.lz4", 1 << 20).await.expect("small while packed");
    assert_refused(
        lz4::decode_pieces(pieces, 1 << 20).map(|raw| raw.len()),
        "failed",
        "longer than 1048576 bytes",
    );
    assert_refused(lz4::check(&bytes, 1 << 20), "failed", "longer than 1048576 bytes");
    assert_eq!(lz4::check(&bytes, 50 << 20).expect("exactly at the limit"), 50 << 20);
    assert_refused(repository.fetch("bomb.lz4", 1000).await, "failed", "longer than 1000 bytes");
    let pieces = repository.fetch_pieces("bomb.lz4", 1000).await.map(|pieces| pieces.is_at_end());
    assert_refused(pieces, "failed", "longer than 1000 bytes");
}

#[tokio::test]
async fn target_that_nobody_signed_or_nobody_has_is_missing() {
    let mut fixture = Fixture::new();
    fixture.target("root.lz4", b"bytes");
    fixture.sign();
    let repository = fixture.open().await.expect("opened");
    assert_refused(repository.target("boot.lz4").await, "missing_target", "does not list it");
    let listed = repository.target("root.lz4").await.expect("listed");
    std::fs::remove_file(fixture.file_of("root.lz4")).expect("lost");
    assert_refused(repository.fetch("root.lz4", 100).await, "missing_target", "does not have its file");
    assert_refused(repository.open_target(&listed).map(|_| ()), "missing_target", "does not have its file");
}

#[tokio::test]
async fn odd_names_never_become_paths() {
    let fixture = Fixture::new();
    let repository = fixture.open().await.expect("opened");
    for name in ["", ".", "..", "../metadata/timestamp.json", "a/b", "/etc/passwd", "a\0b", "a b", "ä"] {
        assert_refused(repository.target(name).await, "missing_target", "letters, digits");
    }
}

#[tokio::test]
async fn reader_that_nobody_reads_to_its_end_gives_no_proof_of_less() {
    let mut fixture = Fixture::new();
    let bytes = noise(1, 200_000);
    fixture.target("root.lz4", &bytes);
    fixture.sign();
    let mut other = bytes.clone();
    other[199_999] ^= 1;
    std::fs::write(fixture.file_of("root.lz4"), other).expect("attacked");
    let repository = fixture.open().await.expect("opened");
    let listed = repository.target("root.lz4").await.expect("listed");
    let reader = repository.open_target(&listed).expect("there");
    let finished = tokio::task::spawn_blocking(move || {
        let mut reader = reader;
        let mut some = [0; 1000];
        reader.read_exact(&mut some).expect("the beginning is right");
        assert_eq!(some, bytes[..1000]);
        reader.finish()
    });
    assert_refused(finished.await.expect("no panic"), "tampered", "its SHA-256 is");
}
