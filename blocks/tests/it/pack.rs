//! Packs: made of two images, applied to the first, and what bad ones lead to.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use blocks::pack::{
    Base, BaseError, FlatBase, GROUP_LEN, HashImage, Header, HeaderError, Image, MakeError, PackOptions,
    Shape, SpanBuilder, SpanError, TreeBase, make,
};
use blocks::{Level, pack};
use proptest::prelude::*;
use testdata::noise;
use verity::{BLOCK_SIZE, HashTree, Salt, TreeBuilder};

/// Two images and what belongs to them.
pub(crate) struct Pair {
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
    pub(crate) trees: Option<(HashTree, HashTree)>,
}

impl Pair {
    pub(crate) fn with_trees(old: Vec<u8>, new: Vec<u8>) -> Self {
        let trees = Some((tree(&old, &[1; 32]), tree(&new, &[2; 32])));
        Self { old, new, trees }
    }

    pub(crate) fn flat(old: Vec<u8>, new: Vec<u8>) -> Self {
        Self { old, new, trees: None }
    }

    pub(crate) fn make(&self, options: PackOptions) -> Result<(Header, Vec<u8>), MakeError> {
        let (old_tree, new_tree) = match &self.trees {
            Some((old, new)) => (Some(old), Some(new)),
            None => (None, None),
        };
        let (old, new) = (&self.old[..], &self.new[..]);
        let old = Image { data: &old, len: old.len() as u64, tree: old_tree };
        let new = Image { data: &new, len: new.len() as u64, tree: new_tree };
        let mut body = Vec::new();
        let header = make(&old, &new, &options, &mut body, &mut |_| ControlFlow::Continue(()))?;
        Ok((header, body))
    }

    /// Applies a pack to `old`, which may have changed since; the groups that could be built, and why others could not.
    pub(crate) fn apply(
        &self,
        old: &[u8],
        header: &Header,
        body: &[u8],
    ) -> (Vec<u8>, Vec<u8>, Vec<(u32, String)>) {
        let hash_image = self.trees.as_ref().map(|(old, _)| old.image().to_vec()).unwrap_or_default();
        let hash_image = &hash_image[..];
        let mut base: Box<dyn Base> = match &header.shape {
            Shape::Tree { old_root, .. } => Box::new(TreeBase::open(&old, &hash_image, *old_root).unwrap()),
            Shape::Flat { old_groups, .. } => Box::new(FlatBase::new(&old, header.old_len, old_groups)),
        };
        let mut data = vec![0xEE; self.new.len()];
        let mut hash_image = HashImage::begin(header);
        let mut failed = Vec::new();
        let mut builder = SpanBuilder::new(header, &mut *base);
        for number in 0..header.spans.len() {
            let range = header.spans[number].body_range();
            // A body may have been cut.
            let frame = &body[place(range.start).min(body.len())..place(range.end).min(body.len())];
            builder.build(number, frame, &|_| true, &mut |group, built| match built {
                Ok(built) => {
                    let start = group as usize * GROUP_LEN;
                    data[start..start + built.data.len()].copy_from_slice(built.data);
                    if let (Some(image), Some(leaves)) = (&mut hash_image, built.leaves) {
                        image.put(group, leaves);
                    }
                }
                Err(error) => failed.push((group, chain(error))),
            });
        }
        if let Some(image) = &hash_image {
            let missing: Vec<u32> = image.missing().collect();
            assert!(failed.iter().map(|(group, _)| *group).eq(missing), "all but what failed");
        }
        (data, hash_image.and_then(HashImage::finish).unwrap_or_default(), failed)
    }
}

pub(crate) fn chain(error: &SpanError) -> String {
    match error {
        SpanError::Base { source, .. } => format!("{error}: {source}"),
        SpanError::Frame { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

pub(crate) fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn tree(image: &[u8], salt: &[u8]) -> HashTree {
    let mut builder = TreeBuilder::new(Salt::new(salt).unwrap(), [3; 16]);
    for block in image.chunks(BLOCK_SIZE) {
        builder.push(block).unwrap();
    }
    HashTree::parse(&builder.finish().bytes).unwrap()
}

pub(crate) fn options(span_blocks: u32, threads: usize) -> PackOptions {
    PackOptions {
        span_blocks,
        prefix_blocks: 256,
        level: Level::new(5).unwrap(),
        threads: NonZeroUsize::new(threads).unwrap(),
    }
}

/// An image of 300 blocks, and one that has most of it, shifted within some files.
pub(crate) fn release() -> (Vec<u8>, Vec<u8>) {
    let old = noise(1, 300 * BLOCK_SIZE);
    let mut new = old.clone();
    new[10 * BLOCK_SIZE..40 * BLOCK_SIZE].copy_from_slice(&old[10 * BLOCK_SIZE + 17..40 * BLOCK_SIZE + 17]);
    new[150 * BLOCK_SIZE..152 * BLOCK_SIZE].copy_from_slice(&noise(2, 2 * BLOCK_SIZE));
    new.extend_from_slice(&[0; 5 * BLOCK_SIZE]);
    (old, new)
}

#[test]
fn a_pack_moves_what_is_new_and_rebuilds_the_image_and_its_tree() {
    let (old, new) = release();
    let pair = Pair::with_trees(old, new);
    let (header, body) = pair.make(options(1024, 2)).unwrap();
    // 32 blocks are new; 30 of them stand in the old image 17 bytes further on.
    assert!(body.len() < 3 * BLOCK_SIZE, "{}", body.len());
    assert_eq!(Header::parse(&header.encode()).unwrap(), header);
    let (data, hash_image, failed) = pair.apply(&pair.old, &header, &body);
    assert_eq!(failed, []);
    assert!(data == pair.new);
    let tree = &pair.trees.as_ref().unwrap().1;
    assert!(hash_image == tree.image());
    let Shape::Tree { hash_image: (len, _), .. } = header.shape else { panic!("it has a tree") };
    assert_eq!(len, hash_image.len() as u64);
}

#[test]
fn an_image_without_a_tree_that_ends_within_a_block_comes_back() {
    let (old, mut new) = release();
    new.truncate(new.len() - 1000);
    let pair = Pair::flat(old[..old.len() - 77].to_vec(), new);
    let (header, body) = pair.make(options(64, 2)).unwrap();
    assert_eq!(Header::parse(&header.encode()).unwrap(), header);
    assert!(header.spans.len() > 1 || header.groups() <= 3);
    let (data, _, failed) = pair.apply(&pair.old, &header, &body);
    assert_eq!(failed, []);
    assert!(data == pair.new);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let (old, new) = (noise(1, 900 * BLOCK_SIZE), noise(2, 900 * BLOCK_SIZE));
    let pair = Pair::with_trees(old, new);
    let one = pair.make(options(128, 1)).unwrap();
    assert_eq!(one.0.spans.len(), 8);
    for threads in [2, 3, 9] {
        assert!(pair.make(options(128, threads)).unwrap() == one, "{threads} threads");
    }
}

#[test]
fn one_rotten_old_block_costs_the_groups_that_need_it_and_no_other() {
    let (old, new) = release();
    let pair = Pair::with_trees(old.clone(), new);
    let (header, body) = pair.make(options(1024, 1)).unwrap();
    for block in [0usize, 20, 140, 299] {
        let mut rotten = old.clone();
        rotten[block * BLOCK_SIZE + 5] ^= 1;
        let (data, _, failed) = pair.apply(&rotten, &header, &body);
        assert!(!failed.is_empty(), "{block}");
        for (group, why) in &failed {
            assert!(why.contains(&format!("block {block} of the base")), "{why}");
            assert!(data[*group as usize * GROUP_LEN..].starts_with(&[0xEE; 100]));
        }
        // What could be built is right.
        for group in (0..header.groups()).filter(|group| failed.iter().all(|(other, _)| other != group)) {
            let range = header.group_range(group);
            let range = place(range.start)..place(range.end);
            assert!(data[range.clone()] == pair.new[range], "{block}, group {group}");
        }
        // Block 0 is copied only, so nothing but its group is lost; block 20 stands before the new blocks of all.
        assert_eq!(block == 0, failed.len() == 1 && failed[0].0 == 0, "{block}: {failed:?}");
    }
}

#[test]
fn a_group_that_is_only_copied_needs_no_frame_whatever_became_of_those_before_it() {
    let old = noise(1, 300 * BLOCK_SIZE);
    let mut new = old.clone();
    new[..2 * BLOCK_SIZE].copy_from_slice(&noise(2, 2 * BLOCK_SIZE));
    let pair = Pair::with_trees(old, new);
    let (header, body) = pair.make(options(1024, 1)).unwrap();
    assert_eq!((header.spans.len(), header.groups()), (1, 3), "one span has them all");
    let Shape::Tree { old_root, .. } = header.shape else { panic!("it has a tree") };
    let (image, tree) = (&pair.old[..], pair.trees.as_ref().unwrap().0.image());
    // Left out, as by a run that goes on; and lost with its frame.
    for (frame, wanted, failed) in [(&body[..], 1..3, 0), (&body[1..], 0..3, 1)] {
        let mut base = TreeBase::open(&image, &tree, old_root).unwrap();
        let (mut built, mut lost) = (Vec::new(), 0);
        SpanBuilder::new(&header, &mut base).build(
            0,
            frame,
            &|group| wanted.contains(&group),
            &mut |group, what| match what {
                Ok(what) => {
                    assert!(what.data == &pair.new[group as usize * GROUP_LEN..][..what.data.len()]);
                    built.push(group);
                }
                Err(_) => lost += 1,
            },
        );
        assert_eq!((built, lost), (vec![1, 2], failed));
    }
}

#[test]
fn another_base_is_refused_by_its_root_hash() {
    let (old, new) = release();
    let pair = Pair::with_trees(old.clone(), new);
    let (header, _) = pair.make(options(1024, 1)).unwrap();
    let Shape::Tree { old_root, .. } = header.shape else { panic!("it has a tree") };
    let other = tree(&old[BLOCK_SIZE..], &[1; 32]);
    let refused = TreeBase::open(&&old[..], &other.image(), old_root).err().unwrap();
    assert!(matches!(refused, BaseError::Other { .. }), "{refused}");
    let mut broken = pair.trees.as_ref().unwrap().0.image().to_vec();
    broken[2 * BLOCK_SIZE + 1] ^= 1;
    let (old, broken) = (&old[..], &broken[..]);
    let mut base = TreeBase::open(&old, &broken, old_root).unwrap();
    let refused = base.read(1, &mut [0; BLOCK_SIZE]).unwrap_err();
    assert!(matches!(refused, BaseError::RottenTree { block: 2 }), "{refused}");
    let short = TreeBase::open(&old, &&broken[..BLOCK_SIZE], old_root).err().unwrap();
    assert!(matches!(short, BaseError::Read { .. }), "{short}");
}

#[test]
fn every_flipped_bit_of_the_header_is_refused_or_harmless_and_of_the_body_refused() {
    let (old, new) = release();
    for pair in [Pair::with_trees(old.clone(), new.clone()), Pair::flat(old, new)] {
        let (header, body) = pair.make(options(1024, 1)).unwrap();
        let bytes = header.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A header is signed as a whole; one that still fits together must not lead to wrong bytes all the same,
            // but for digests in it that say what is right.
            let Ok(parsed) = Header::parse(&flipped) else { continue };
            if parsed.new_len != header.new_len || parsed.body_len() != body.len() as u64 {
                continue;
            }
            // Another base is refused as a whole, which has a test of its own.
            if let (Shape::Tree { old_root, .. }, Some((old, _))) = (&parsed.shape, &pair.trees)
                && *old_root != old.root_hash()
            {
                continue;
            }
            let (data, _, failed) = pair.apply(&pair.old, &parsed, &body);
            for group in (0..parsed.groups()).filter(|group| failed.iter().all(|(other, _)| other != group)) {
                let range = parsed.group_range(group);
                let range = place(range.start)..place(range.end);
                assert!(data[range.clone()] == pair.new[range], "bit {bit}, group {group}");
            }
        }
        for at in (0..body.len()).step_by(97) {
            let mut flipped = body.clone();
            flipped[at] ^= 4;
            let (_, _, failed) = pair.apply(&pair.old, &header, &flipped);
            assert!(failed.iter().any(|(_, why)| why.contains("not what was signed")), "{at}: {failed:?}");
        }
        for len in 0..bytes.len() {
            Header::parse(&bytes[..len]).unwrap_err();
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Header::parse(&longer), Err(HeaderError::Trailing { count: 1 }));
    }
}

#[test]
fn unknown_versions_and_flags_are_told_apart_from_damage() {
    let (old, new) = release();
    let (header, _) = Pair::flat(old, new).make(options(1024, 1)).unwrap();
    let mut bytes = header.encode();
    bytes[8] = 2;
    let refused = Header::parse(&bytes).unwrap_err();
    assert!(refused.is_unknown_format() && refused.to_string().contains("version 2"), "{refused}");
    bytes[8] = 1;
    bytes[14] = 1;
    let refused = Header::parse(&bytes).unwrap_err();
    assert!(refused.is_unknown_format() && refused.to_string().contains("0x10000"), "{refused}");
    bytes[14] = 0;
    bytes[10] = 9;
    assert_eq!(Header::parse(&bytes), Err(HeaderError::Field { field: "kind" }));
    assert_eq!(Header::parse(b"something else"), Err(HeaderError::NotPack));
}

#[test]
fn whoever_watches_may_stop_it_and_trouble_ends_it() {
    let (old, new) = release();
    let data = (&old[..], &new[..]);
    let image = |data, len: usize| Image { data, len: len as u64, tree: None };
    let (old, new) = (image(&data.0, data.0.len()), image(&data.1, data.1.len()));
    let mut calls = 0;
    let stopped = make(&old, &new, &options(64, 2), &mut Vec::new(), &mut |_| {
        calls += 1;
        if calls > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(MakeError::Stopped)), "{stopped:?}");
    let longer = Image { len: old.len + 1, ..old };
    let refused = make(&longer, &new, &options(64, 2), &mut Vec::new(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(MakeError::Read { image: "old", .. })), "{refused:?}");
}

/// Images of blocks by name: the same name is the same block, 0 is zeros, and those from 100 on are shifted ones.
fn named(names: &[u8]) -> Vec<u8> {
    let block = |name: &u8| match name {
        0 => vec![0; BLOCK_SIZE],
        1..100 => noise(u64::from(*name), BLOCK_SIZE),
        _ => noise(u64::from(*name - 100), BLOCK_SIZE + 9).split_off(9),
    };
    names.iter().flat_map(block).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_pack_applied_to_its_base_is_the_image(
        old in prop::collection::vec(0u8..110, 2..300),
        new in prop::collection::vec(0u8..200, 2..400),
        tree: bool,
        cut in 0usize..BLOCK_SIZE,
        span in 1u32..200,
    ) {
        let (old, mut new) = (named(&old), named(&new));
        let pair = if tree {
            Pair::with_trees(old, new)
        } else {
            new.truncate(new.len() - cut);
            Pair::flat(old, new)
        };
        let (header, body) = pair.make(options(span, 2)).unwrap();
        prop_assert_eq!(&Header::parse(&header.encode()).unwrap(), &header);
        prop_assert_eq!(header.body_len(), body.len() as u64);
        let (data, hash_image, failed) = pair.apply(&pair.old, &header, &body);
        prop_assert_eq!(failed, []);
        prop_assert!(data == pair.new);
        if let Some((_, tree)) = &pair.trees {
            prop_assert!(hash_image == tree.image());
        }
        prop_assert_eq!(header.spans.iter().map(|span| span.groups).sum::<u32>(), header.groups());
        prop_assert!(header.spans.iter().all(|span| span.new_blocks <= pack::MAX_SPAN_BLOCKS));
    }

    #[test]
    fn bytes_that_are_no_header_end_in_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let with_magic = [&b"ABPACKED\x01\0\x02\0\0\0\0\0"[..], &bytes].concat();
        let _ = Header::parse(&bytes);
        let _ = Header::parse(&with_magic);
    }
}
