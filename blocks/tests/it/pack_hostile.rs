//! Packs that lie: headers whose numbers are absurd, bodies that are cut, frames that want more than they may, and a base
//! that changes while it is read. Whatever is handed out is right all the same.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use blocks::pack::header::{MAGIC, MAX_BLOCKS, MAX_LEN};
use blocks::pack::{
    Base, FlatBase, GROUP_BLOCKS, GROUP_LEN, Header, HeaderError, MAX_PREFIX_BLOCKS, ReadAt, Shape,
    SpanBuilder, SpanError, TreeBase,
};
use ring::digest::{SHA256, digest};
use testdata::noise;
use verity::BLOCK_SIZE;
use zstd::zstd_safe::{CCtx, CParameter};

use crate::pack::{Pair, chain, options, place, release};

/// A number as a header has it.
fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// The same, of a number that may be negative.
fn signed(from: i64) -> u64 {
    (from.cast_unsigned() << 1) ^ (from >> 63).cast_unsigned()
}

/// The fixed part of a header for images without trees.
fn fixed(old_len: u64, new_len: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[1, 0, 2, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&old_len.to_le_bytes());
    bytes.extend_from_slice(&new_len.to_le_bytes());
    bytes
}

/// A header for images of so many blocks without trees, with these numbers behind its digests.
fn header(old_blocks: u64, new_blocks: u64, numbers: &[u64]) -> Result<Header, HeaderError> {
    header_of(old_blocks, new_blocks, &numbers.iter().flat_map(|one| number(*one)).collect::<Vec<_>>())
}

fn header_of(old_blocks: u64, new_blocks: u64, tail: &[u8]) -> Result<Header, HeaderError> {
    let block = BLOCK_SIZE as u64;
    let mut bytes = fixed(old_blocks * block, new_blocks * block);
    let groups = |blocks: u64| blocks.div_ceil(u64::from(GROUP_BLOCKS));
    for _ in 0..groups(old_blocks) + 1 + groups(new_blocks) {
        bytes.extend_from_slice(&[7; 32]);
    }
    bytes.extend_from_slice(tail);
    Header::parse(&bytes)
}

const COPIES: HeaderError = HeaderError::Field { field: "list of copies" };
const SPANS: HeaderError = HeaderError::Field { field: "list of spans" };
const PREFIX: HeaderError = HeaderError::Field { field: "prefix of a span" };
const FRAME: HeaderError = HeaderError::Field { field: "length of a frame" };

#[test]
fn absurd_counts_and_lengths_are_refused_before_they_take_memory() {
    let most = (1u64 << 63) - 1;
    for count in [2, 1 << 20, u64::from(u32::MAX), u64::from(u32::MAX) + 1, most] {
        assert_eq!(header(10, 10, &[count, 0, 1, 0]), Err(HeaderError::Truncated), "{count} copies");
        assert_eq!(header(10, 10, &[0, count]), Err(SPANS), "{count} spans");
    }
    for groups in [0, 2, u64::from(u32::MAX), u64::from(u32::MAX) + 1, most] {
        assert_eq!(header(10, 10, &[1, 0, 10, 0, 1, groups]), Err(SPANS), "a span of {groups} groups");
    }
    assert_eq!(header(300, 300, &[1, 0, 300, 0, 1, 2]), Err(SPANS), "the last group is in none");
    assert_eq!(header(300, 300, &[1, 0, 300, 0, 0]), Err(SPANS), "no group is in any");
    for length in [0, 11 * BLOCK_SIZE as u64, u64::from(u32::MAX), most] {
        let found = header(10, 10, &[0, 1, 1, length]);
        assert_eq!(found, Err(FRAME), "a frame of {length} bytes around ten blocks");
    }
    // More new blocks than one span may have.
    assert_eq!(header(10, 1280, &[0, 1, 10, 7]), Err(SPANS));
    // Digests of 64 GiB that are not there.
    let block = BLOCK_SIZE as u64;
    let all = MAX_BLOCKS * block;
    assert_eq!(Header::parse(&fixed(all, all)), Err(HeaderError::Truncated));
    for (old, new, field) in [
        (0, block, "length of the base"),
        (block, 0, "length of the image"),
        (all + 1, block, "length of the base"),
        (block, u64::MAX, "length of the image"),
    ] {
        assert_eq!(Header::parse(&fixed(old, new)), Err(HeaderError::Field { field }));
    }
    let long = vec![0; usize::try_from(MAX_LEN).unwrap() + 1];
    assert_eq!(Header::parse(&long), Err(HeaderError::Field { field: "length" }));
    // A number that is written longer than it has to be, and one that is too long for any.
    assert_eq!(header_of(10, 10, &[0x80, 0]), Err(COPIES));
    assert_eq!(header_of(10, 10, &[0xff; 10]), Err(COPIES));
}

#[test]
fn copies_that_overlap_or_overflow_are_refused() {
    let (ten, wide) = (10, u64::from(u32::MAX) + 1);
    let rest = [1, 1];
    for (what, copies) in [
        ("nothing", vec![1, 0, 0, 0]),
        ("beyond the new image", vec![1, 5, 6, 0]),
        ("from beyond the new image", vec![1, ten, 1, 0]),
        ("a length that wraps around", vec![1, 5, wide - 4, 0]),
        ("a length that wraps around twice", vec![1, 5, (1 << 62) - 1, 0]),
        ("a start that leads back over the run before", vec![2, 0, 6, 0, wide - 3, 3, 0]),
        ("a start that leads back by all of 63 bits", vec![2, 0, 6, 0, (1 << 63) - 3, 3, 0]),
        ("beyond the base", vec![1, 0, 10, signed(1)]),
        ("from beyond the base", vec![1, 0, 1, signed(10)]),
        ("from before the base", vec![1, 0, 1, signed(-1)]),
        ("from before the base, on the way", vec![2, 0, 2, 0, 0, 2, signed(-3)]),
        ("from as far as there are numbers", vec![1, 0, 1, signed(i64::MAX >> 1)]),
        ("from as far back as there are numbers", vec![1, 0, 1, signed(i64::MIN >> 1)]),
    ] {
        let found = header(10, 10, &[copies, rest.to_vec()].concat());
        assert_eq!(found, Err(COPIES), "{what}");
    }
    // The same block of the base may be copied as often as it is needed.
    let twice = header(10, 10, &[2, 0, 5, 0, 0, 5, signed(-5), 1, 1]).unwrap();
    assert_eq!(twice.copies[1].old, 0);
}

#[test]
fn prefixes_that_overlap_overflow_or_are_over_the_limit_are_refused() {
    let most = u64::from(MAX_PREFIX_BLOCKS);
    let wide = u64::from(u32::MAX);
    let base = 3 * most;
    let of = |prefix: &[u64]| {
        let mut tail: Vec<u8> = [0, 1, 1, 50].into_iter().flat_map(number).collect();
        tail.extend_from_slice(&[9; 32]);
        tail.extend(prefix.iter().flat_map(|one| number(*one)));
        header_of(base, 10, &tail)
    };
    of(&[0]).expect("without a prefix");
    of(&[2, 0, most - 1, 5, 1]).expect("as long as can be");
    for (what, prefix) in [
        ("one block too many", vec![1, 0, most + 1]),
        ("one block too many in two runs", vec![2, 0, most, 5, 1]),
        ("one run too many", vec![most + 1, 0, 1]),
        ("more runs than there are numbers", vec![wide + 1]),
        ("a run of nothing", vec![1, 0, 0]),
        ("beyond the base", vec![1, base - 5, 6]),
        ("from beyond the base", vec![1, base, 1]),
        ("a start that wraps around", vec![2, 0, 5, wide, 5]),
        ("a length that wraps around", vec![1, 5, wide]),
        ("a start of more than 32 bits", vec![1, wide + 6, 1]),
    ] {
        assert_eq!(of(&prefix), Err(PREFIX), "{what}");
    }
    let runs = (0..most + 1).flat_map(|_| [1, 1]);
    let many: Vec<u64> = [most + 1].into_iter().chain(runs).collect();
    assert_eq!(of(&many), Err(PREFIX), "more runs than a prefix may have blocks");
}

#[test]
fn a_body_that_is_cut_anywhere_costs_the_spans_behind_the_cut() {
    let (old, new) = (noise(1, 700 * BLOCK_SIZE), noise(2, 700 * BLOCK_SIZE));
    let new = [&old[..200 * BLOCK_SIZE], &new[200 * BLOCK_SIZE..]].concat();
    for pair in [Pair::with_trees(old.clone(), new.clone()), Pair::flat(old, new)] {
        let (header, body) = pair.make(options(100, 1)).unwrap();
        let spans: Vec<_> = header.spans.iter().filter(|span| span.new_blocks > 0).collect();
        assert!(spans.len() >= 4, "{}", spans.len());
        for span in &spans {
            let range = span.body_range();
            let (start, end) = (place(range.start), place(range.end));
            for cut in [start, start + 1, usize::midpoint(start, end), end - 1] {
                let (data, _, failed) = pair.apply(&pair.old, &header, &body[..cut]);
                let lost = spans.iter().filter(|other| other.offset >= span.offset);
                let lost: Vec<u32> = lost.flat_map(|other| other.group_range()).collect();
                for (group, why) in &failed {
                    assert!(
                        lost.contains(group) && why.contains("not what was signed"),
                        "{cut}: {group} {why}"
                    );
                }
                assert_right_but(&pair, &header, &data, &failed);
                assert!(failed.iter().any(|(group, _)| span.group_range().contains(group)), "{cut}");
            }
        }
    }
}

/// All groups that did not fail are the new image's, and nothing was handed out of those that did.
fn assert_right_but(pair: &Pair, header: &Header, data: &[u8], failed: &[(u32, String)]) {
    for group in 0..header.groups() {
        let range = header.group_range(group);
        let range = place(range.start)..place(range.end);
        if failed.iter().any(|(other, _)| *other == group) {
            assert!(
                data[range].iter().all(|byte| *byte == 0xEE),
                "something of group {group} was handed out"
            );
        } else {
            assert!(data[range.clone()] == pair.new[range], "group {group}");
        }
    }
}

/// The pack with another frame in the place of its first one, as its publisher would sign it.
fn with_frame(header: &Header, body: &[u8], frame: &[u8]) -> (Header, Vec<u8>) {
    let mut forged = header.clone();
    let first = forged.spans.iter().position(|span| span.length > 0).unwrap();
    let was = forged.spans[first].length;
    forged.spans[first].length = u32::try_from(frame.len()).unwrap();
    forged.spans[first].sha256 = digest(&SHA256, frame).as_ref().try_into().unwrap();
    for span in &mut forged.spans[first + 1..] {
        span.offset = span.offset - u64::from(was) + frame.len() as u64;
    }
    (forged, [frame, &body[was as usize..]].concat())
}

/// `content` as one frame of zstd with these parameters.
fn framed(content: &[u8], parameters: &[CParameter]) -> Vec<u8> {
    let mut context = CCtx::create();
    for parameter in parameters {
        context.set_parameter(*parameter).unwrap();
    }
    let mut frame = Vec::with_capacity(content.len() + 1024);
    context.compress2(&mut frame, content).unwrap();
    frame
}

#[test]
fn frames_that_a_publisher_signed_and_that_are_none_of_ours_cost_their_own_groups() {
    let (old, new) = release();
    let pair = Pair::with_trees(old, new);
    let (header, body) = pair.make(options(1, 1)).unwrap();
    let first = header.spans.iter().find(|span| span.length > 0).unwrap();
    let honest = &body[..first.length as usize];
    let len = first.new_blocks as usize * BLOCK_SIZE;
    let content = vec![0; len];
    // A descriptor, a content size of four bytes, and a block that is one byte repeated, the last.
    let repeated = |descriptor: u8, stated: usize, count: usize| {
        let size = u32::try_from(stated).unwrap().to_le_bytes();
        let block = u32::try_from(count << 3 | 0b011).unwrap().to_le_bytes();
        [&[0x28, 0xB5, 0x2F, 0xFD, descriptor][..], &size, &block[..3], &[0]].concat()
    };
    let (single, four_bytes) = (1 << 5, 2 << 6);
    let skippable = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
    for (what, frame, says) in [
        (
            "a window of 128 MiB",
            framed(&content, &[CParameter::WindowLog(27), CParameter::ContentSizeFlag(false)]),
            "not a single segment",
        ),
        (
            "a length of 4 GiB",
            repeated(single | four_bytes, usize::try_from(u32::MAX).unwrap(), 7),
            "4294967295 bytes",
        ),
        (
            "a block that is longer than what is stated",
            repeated(single | four_bytes, len, len + 9),
            "decode span",
        ),
        (
            "a block that is shorter than what is stated",
            repeated(single | four_bytes, len, len - 9),
            "decode span",
        ),
        (
            "a dictionary by its number",
            {
                let mut frame = honest.to_vec();
                frame[4] |= 1;
                frame
            },
            "needs a dictionary",
        ),
        ("a byte behind it", [honest, &[0]].concat(), "1 bytes behind it"),
        ("an empty frame behind it", [honest, &skippable].concat(), "8 bytes behind it"),
        ("a second frame behind it", [honest, honest].concat(), "bytes behind it"),
        ("its last byte missing", honest[..honest.len() - 1].to_vec(), "ends too early"),
        (
            "another checksum",
            {
                let mut frame = honest.to_vec();
                *frame.last_mut().unwrap() ^= 1;
                frame
            },
            "decode span",
        ),
        ("no frame at all", noise(9, 500), "does not begin like a zstd frame"),
        ("something else in a frame", framed(&content, &[]), "not what its digest says"),
    ] {
        let (forged, body) = with_frame(&header, &body, &frame);
        // The header itself is sound: nothing in it says what a frame is like.
        assert_eq!(Header::parse(&forged.encode()).as_ref(), Ok(&forged), "{what}");
        let (data, _, failed) = pair.apply(&pair.old, &forged, &body);
        assert!(!failed.is_empty(), "{what}");
        for (group, why) in &failed {
            assert!(first.group_range().contains(group), "{what}: group {group}");
            assert!(why.contains(says), "{what}: {why}");
        }
        assert_right_but(&pair, &header, &data, &failed);
    }
}

#[test]
fn a_prefix_that_begins_like_a_dictionary_is_content_and_nothing_else() {
    let mut old = noise(1, 300 * BLOCK_SIZE);
    let mut new = old.clone();
    // Every block that may begin a prefix looks like a dictionary with the number 7, and is no sound one.
    for block in 10..40 {
        old[block * BLOCK_SIZE..][..8].copy_from_slice(&[0x37, 0xA4, 0x30, 0xEC, 7, 0, 0, 0]);
        new[block * BLOCK_SIZE..(block + 1) * BLOCK_SIZE]
            .copy_from_slice(&old[block * BLOCK_SIZE..][..BLOCK_SIZE]);
        new[block * BLOCK_SIZE + 2000] ^= 1;
    }
    let pair = Pair::with_trees(old, new);
    let (header, body) = pair.make(options(1024, 1)).unwrap();
    let prefix = &header.spans[0].prefix;
    assert_eq!(prefix[0].first, 10, "the prefix begins with such a block: {prefix:?}");
    assert!(body.len() < 2 * BLOCK_SIZE, "{} bytes: the prefix was of use", body.len());
    let (data, hash_image, failed) = pair.apply(&pair.old, &header, &body);
    assert_eq!(failed, []);
    assert!(data == pair.new && hash_image == pair.trees.as_ref().unwrap().1.image());
}

/// An image that turns into another one at one of its reads.
struct Turning<'a> {
    bytes: &'a [u8],
    reads: AtomicUsize,
    at: usize,
}

impl<'a> Turning<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, reads: AtomicUsize::new(0), at }
    }
}

impl ReadAt for Turning<'_> {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.read_exact_at(into, offset)?;
        if self.reads.fetch_add(1, Ordering::Relaxed) >= self.at {
            into.iter_mut().step_by(BLOCK_SIZE).for_each(|byte| *byte ^= 1);
        }
        Ok(())
    }
}

#[test]
fn a_base_or_a_tree_that_changes_at_any_read_makes_no_wrong_group() {
    let (old, new) = release();
    for tree_turns in [false, true] {
        let pair = Pair::with_trees(old.clone(), new.clone());
        let (header, body) = pair.make(options(8, 1)).unwrap();
        let Shape::Tree { old_root, .. } = header.shape else { panic!("it has a tree") };
        let hash = pair.trees.as_ref().unwrap().0.image();
        every_read(&header, &body, &pair, |at| {
            let never = usize::MAX;
            let image = Turning::new(&pair.old, if tree_turns { never } else { at });
            let hash = Turning::new(hash, if tree_turns { at } else { never });
            let applied =
                TreeBase::open(&image, &hash, old_root).ok().map(|base| built(&header, &body, base));
            (applied, if tree_turns { hash } else { image }.reads.into_inner())
        });
    }
    let pair = Pair::flat(old, new);
    let (header, body) = pair.make(options(8, 1)).unwrap();
    let Shape::Flat { old_groups, .. } = &header.shape else { panic!("it has none") };
    every_read(&header, &body, &pair, |at| {
        let image = Turning::new(&pair.old, at);
        let applied = built(&header, &body, FlatBase::new(&image, header.old_len, old_groups));
        (Some(applied), image.reads.into_inner())
    });
}

type BuiltGroups = Vec<(u32, Result<Vec<u8>, String>)>;

fn built<B: Base>(header: &Header, body: &[u8], base: B) -> BuiltGroups {
    let mut groups = Vec::new();
    let mut builder = SpanBuilder::new(header, base);
    for number in 0..header.spans.len() {
        let range = header.spans[number].body_range();
        let frame = &body[place(range.start)..place(range.end)];
        builder.build(number, frame, &|_| true, &mut |group, what| {
            groups.push((
                group,
                what.map(|built| built.data.to_vec()).map_err(|error: &SpanError| chain(error)),
            ));
        });
    }
    groups
}

/// Lets `apply` meet a change at each read in turn, until there are no more reads.
fn every_read(
    header: &Header,
    body: &[u8],
    pair: &Pair,
    apply: impl Fn(usize) -> (Option<BuiltGroups>, usize),
) {
    let (mut refused, mut lost) = (0, 0);
    for at in 0.. {
        let (groups, reads) = apply(at);
        let Some(groups) = groups else {
            refused += 1;
            continue;
        };
        let failed = groups.iter().filter(|(_, what)| what.is_err()).count();
        for (group, what) in groups {
            match what {
                Ok(data) => {
                    assert!(data == pair.new[group as usize * GROUP_LEN..][..data.len()], "{at}: {group}")
                }
                Err(why) => assert!(why.contains("of the base"), "{at}: {why}"),
            }
        }
        if reads <= at {
            assert_eq!(failed, 0, "nothing changed");
            assert!(at > 4 && refused + lost == at, "{at} reads, {refused} refused, {lost} with groups lost");
            assert!(!body.is_empty() && header.groups() > 2);
            return;
        }
        assert!(failed > 0, "a change at read {at} went by");
        lost += 1;
    }
}
