//! A hash tree that was damaged somewhere: it is refused, or says so by its root hash, or is the same tree.
#![no_main]

use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;
use verity::{BLOCK_SIZE, HashTree, Salt, TreeBuilder};

fuzz_target!(|bytes: &[u8]| {
    let _any_answer = HashTree::parse(bytes);
    let mut input = Input::new(bytes);
    // Up to 140 blocks of data: one level, or two.
    let blocks = u64::from(input.u16() % 140);
    let salt_len = usize::from(input.byte() % 40);
    let salt = Salt::new(input.take(salt_len)).expect("short enough");
    let mut builder = TreeBuilder::new(salt, [7; 16]);
    let mut block = vec![0; BLOCK_SIZE];
    for number in 0..blocks {
        block[..8].copy_from_slice(&number.to_le_bytes());
        builder.push(&block).expect("one block");
    }
    let image = builder.finish();
    let whole = HashTree::parse(&image.bytes);
    assert_eq!(whole.is_ok(), blocks > 1, "a tree over two blocks or more is read");
    let Ok(whole) = whole else { return };
    assert_eq!(whole.root_hash(), image.root_hash);

    let mut damaged = image.bytes.clone();
    match input.byte() % 3 {
        0 => damaged.truncate(usize::from(input.u16()) % (damaged.len() + 1)),
        1 => damaged.extend_from_slice(input.take(64)),
        _ => {}
    }
    while !input.is_empty() && !damaged.is_empty() {
        let at = usize::from(input.u16()) % damaged.len();
        damaged[at] ^= input.byte();
    }
    let Ok(tree) = HashTree::parse(&damaged) else { return };
    if tree.root_hash() == image.root_hash && tree.superblock().salt == whole.superblock().salt {
        // No digest covers the superblock: it may claim more data, which then is data that no block can be.
        assert!(tree.data_blocks() >= blocks);
        assert!((blocks..tree.data_blocks()).all(|at| tree.leaf(at) == Some([0; 32])));
        assert!((0..blocks).all(|at| tree.leaf(at) == whole.leaf(at)), "one root hash, one tree");
        block[..8].copy_from_slice(&(blocks - 1).to_le_bytes());
        tree.check_block(blocks - 1, &block).expect("its last block");
    }
    assert_eq!(tree.leaf(tree.data_blocks()), None);
});
