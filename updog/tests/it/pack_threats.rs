//! Packs that lie: swapped on the way, or signed and wrong all the same; and updates that are killed within one. What is
//! installed is the image of the release, byte for byte, and what a pack was worth is told.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use blocks::Level;
use blocks::pack::{Header, Image, PackOptions, Shape, make};
use ring::digest::{SHA256, digest};
use testdata::{Fault, Host, Release, World};
use verity::{BLOCK_SIZE, HashTree, Salt, TreeBuilder};

use crate::forged::forge_again;
use crate::frames::{assert_installed, sent};
use crate::packs::{BODY, HEADER, newest, packed};
use crate::support::{done, failure, served};

const PATIENCE: Duration = Duration::from_secs(60);

/// The full name of a target.
fn name(world: &World, end: &str) -> String {
    let (path, _) = served(world, end);
    let (_, name) = path.rsplit('/').next().unwrap().split_once('.').expect("a digest, and the name");
    name.to_owned()
}

/// The root image of a release, and its hash image.
fn root(world: &World, version: &str) -> (Vec<u8>, HashTree) {
    let images = world.images(&Release::new(version));
    let tree = HashTree::parse(&std::fs::read(images.hash).unwrap()).unwrap();
    (std::fs::read(images.root).unwrap(), tree)
}

/// A pack with so many new blocks in each span.
fn pack(
    (old, old_tree): &(Vec<u8>, HashTree),
    (new, new_tree): &(Vec<u8>, HashTree),
    span: u32,
) -> (Header, Vec<u8>) {
    let options = PackOptions {
        span_blocks: span,
        prefix_blocks: 512,
        level: Level::new(3).unwrap(),
        threads: NonZeroUsize::MIN,
    };
    let (old, new) = (&old[..], &new[..]);
    let old = Image { data: &old, len: old.len() as u64, tree: Some(old_tree) };
    let new = Image { data: &new, len: new.len() as u64, tree: Some(new_tree) };
    let mut body = Vec::new();
    let header = make(&old, &new, &options, &mut body, &mut |_| ControlFlow::Continue(())).unwrap();
    (header, body)
}

/// A frame of this pack, signed as it is now.
fn sign_frame(header: &mut Header, body: &[u8], span: usize) {
    let range = header.spans[span].body_range();
    let frame = &body[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
    header.spans[span].sha256 = digest(&SHA256, frame).as_ref().try_into().unwrap();
}

/// An image in which one block is another, with the hash image that belongs to it.
fn elsewhere((image, tree): &(Vec<u8>, HashTree)) -> (Vec<u8>, HashTree) {
    let mut image = image.clone();
    image[20 * BLOCK_SIZE + 5] ^= 1;
    let mut builder = TreeBuilder::new(Salt::new(tree.superblock().salt.as_bytes()).unwrap(), [7; 16]);
    for block in image.chunks(BLOCK_SIZE) {
        builder.push(block).unwrap();
    }
    (image, HashTree::parse(&builder.finish().bytes).unwrap())
}

/// The update goes well without the pack of root, which is told as `says`.
fn goes_without(world: &World, mut host: Host, what: &str, says: &str) {
    let ran = host.run("updog", &["update", "--json"]);
    let _ = done(&ran);
    assert_installed(world, &host, "1.1.0");
    let newest = newest(&host);
    assert_eq!(newest["images"]["root"]["way"], "frames", "{what}: {newest}");
    let notes = newest["notes"].to_string();
    assert!(notes.contains("pack") && notes.contains(says), "{what}: {notes}");
    assert!(ran.stderr.contains(says), "{what}: {ran}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"), "{what}");
}

#[test]
fn files_of_a_pack_that_are_swapped_on_the_way_end_in_frames_and_are_told() {
    let (header, body) = {
        let (world, _host) = packed();
        (served(&world, HEADER).1, served(&world, BODY).1)
    };
    let flipped = |bytes: &[u8]| {
        let mut flipped = bytes.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        flipped
    };
    for (what, end, bytes, says) in [
        ("one bit of the header", HEADER, flipped(&header), "comes without its pack"),
        ("a longer header", HEADER, [&header[..], &[0]].concat(), "comes without its pack"),
        ("one bit of the body", BODY, flipped(&body), "is fetched as frames"),
        ("the header as the body", BODY, header.clone(), "is fetched as frames"),
    ] {
        let (world, host) = packed();
        world.server().fault(end, Fault::Swap(bytes));
        goes_without(&world, host, what, says);
    }
}

#[test]
fn packs_that_are_signed_and_wrong_end_in_frames_and_are_told() {
    let (world, host) = packed();
    let (old, new) = (root(&world, "1.0.0"), root(&world, "1.1.0"));
    let (sound, body) = pack(&old, &new, 8);
    let first = sound.spans.iter().position(|span| span.new_blocks > 0).expect("something is new");
    let forged = |change: &dyn Fn(&mut Header)| {
        let mut forged = sound.clone();
        change(&mut forged);
        forged.encode()
    };
    let bit = |at: usize| {
        let mut bytes = sound.encode();
        bytes[at] ^= 1;
        bytes
    };
    let noise = testdata::noise(5, body.len());
    let other_tree = HashTree::parse(elsewhere(&old).1.image()).unwrap();
    let astray = pack(&old, &elsewhere(&new), 8);
    let cases = [
        ("another version of the format", bit(8), body.clone(), "version 0 of the format"),
        ("a flag that nobody knows", bit(12), body.clone(), "must understand 0x1"),
        (
            "a digest that does not lead to the root",
            bit(700),
            body.clone(),
            "do not lead up to the root hash",
        ),
        (
            "another base",
            pack(&(elsewhere(&old).0, other_tree), &new, 8).0.encode(),
            body.clone(),
            "it leads on from the root hash",
        ),
        ("another image, for which all is right", astray.0.encode(), astray.1, "it leads to the root hash"),
        (
            "another hash image",
            forged(&|header| {
                let Shape::Tree { hash_image, .. } = &mut header.shape else { panic!("it has a tree") };
                hash_image.1[0] ^= 1;
            }),
            body.clone(),
            "the hash image that follows from it is not what its header says",
        ),
        (
            "copies of other blocks",
            forged(&|header| header.copies.iter_mut().for_each(|run| run.old = run.old.max(1) - 1)),
            body.clone(),
            "is not what its digest says",
        ),
        (
            "a prefix of other blocks",
            forged(&|header| header.spans.iter_mut().for_each(|span| span.prefix.clear())),
            body.clone(),
            "cannot be made",
        ),
        (
            "frames that are none",
            forged(&|header| (0..header.spans.len()).for_each(|span| sign_frame(header, &noise, span))),
            noise.clone(),
            "does not begin like a zstd frame",
        ),
        (
            "digests of frames that the body has not",
            forged(&|header| header.spans[first].sha256[3] ^= 1),
            body.clone(),
            "accept the target",
        ),
        ("a body that ends too early", sound.encode(), body[..body.len() - 1].to_vec(), "are signed"),
        ("a header without end", vec![0; (16 << 20) + 1], body.clone(), "its header is too long"),
    ];
    let names = [name(&world, HEADER), name(&world, BODY)];
    let mut hosts = vec![host];
    for (seen, (what, header, body, says)) in (0..).zip(cases) {
        forge_again(&world, &[(&names[0], &header), (&names[1], &body)], seen);
        let host = hosts.pop().unwrap_or_else(|| {
            let mut host = world.host("1.0.0");
            assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
            host
        });
        goes_without(&world, host, what, says);
    }
}

/// A world whose pack has several spans, and a host in it.
fn in_spans() -> (World, Host, Header) {
    let (world, host) = packed();
    let (header, body) = pack(&root(&world, "1.0.0"), &root(&world, "1.1.0"), 1);
    let names = [name(&world, HEADER), name(&world, BODY)];
    forge_again(&world, &[(&names[0], &header.encode()), (&names[1], &body)], 0);
    assert!(header.spans.iter().filter(|span| span.length > 0).count() >= 2, "{:?}", header.spans.len());
    (world, host, header)
}

fn is_made_by_its_pack(world: &World, host: &mut Host, what: &str) {
    let _ = done(&host.run("updog", &["update", "--json"]));
    assert_installed(world, host, "1.1.0");
    let newest = newest(host);
    assert_eq!(newest["images"]["root"]["way"], "pack", "{what}: {newest}");
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"), "{what}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "bounds a wait")]
fn an_update_that_is_killed_at_any_span_of_a_pack_goes_on_with_it() {
    let (world, host, header) = in_spans();
    let body = served_body(&world, &header);
    let frames = header.spans.iter().filter(|span| span.length > 0).count();
    let mut hosts = vec![host];
    for through in 0..frames {
        let mut host = hosts.pop().unwrap_or_else(|| {
            let mut host = world.host("1.0.0");
            assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
            host
        });
        if through > 0 {
            let times = u32::try_from(through).unwrap();
            world.server().fault(&body, Fault::Slow { bytes_per_second: u64::from(u32::MAX) }.times(times));
        }
        world.server().fault(&body, Fault::Stall);
        world.server().clear_log();
        let update = host.spawn("updog", &["update", "--json"]);
        let began = Instant::now();
        while sent(&world, &body).0 <= through {
            assert!(began.elapsed() < PATIENCE, "{through} of {frames} frames were asked for");
            // Only to leave the processor to those who do something.
            std::thread::park_timeout(Duration::from_millis(5));
        }
        assert_eq!(update.kill().code(), None);
        world.server().heal();
        is_made_by_its_pack(&world, &mut host, &format!("killed behind {through} frames"));
    }
}

#[test]
fn an_update_whose_pack_is_cut_at_any_span_goes_on_with_it() {
    let (world, host, header) = in_spans();
    let body = served_body(&world, &header);
    let mut hosts = vec![host];
    for span in header.spans.iter().filter(|span| span.length > 0) {
        let mut host = hosts.pop().unwrap_or_else(|| {
            let mut host = world.host("1.0.0");
            assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
            host
        });
        world.server().fault(&body, Fault::Hole(span.offset + u64::from(span.length) / 2));
        let said = failure(&host.run("updog", &["update", "--json"]));
        assert!(said.message.contains("root image"), "{}", said.message);
        world.server().heal();
        is_made_by_its_pack(&world, &mut host, &format!("cut at {}", span.offset));
    }
}

/// Where the body of this pack is served: what was there before is still.
fn served_body(world: &World, header: &Header) -> String {
    let dir = world.repo_dir().join("targets");
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let is_it = |entry: &std::fs::DirEntry| {
        entry.file_name().to_string_lossy().ends_with(BODY)
            && entry.metadata().unwrap().len() == header.body_len()
    };
    format!("/targets/{}", files.find(is_it).expect("it is published").file_name().to_string_lossy())
}
