//! The first block of a hash image: what is accepted is exactly what we would have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use verity::{BLOCK_SIZE, HashTree, RootHash, Salt, Superblock};

fuzz_target!(|bytes: &[u8]| {
    // Most of a block is zeros: an input is its beginning.
    let mut block = vec![0; BLOCK_SIZE];
    let len = bytes.len().min(BLOCK_SIZE);
    block[..len].copy_from_slice(&bytes[..len]);
    if let Ok(superblock) = Superblock::parse(&block) {
        assert_eq!(superblock.encode()[..], block[..], "byte for byte");
        if let Ok(len) = HashTree::len_from_superblock(&block) {
            assert!(len >= BLOCK_SIZE as u64 && len % BLOCK_SIZE as u64 == 0);
        }
        assert!(HashTree::parse(&block).is_err(), "a superblock alone is no tree");
    }
    assert!(Superblock::parse(bytes).is_err() || bytes.len() == BLOCK_SIZE);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(hash) = text.parse::<RootHash>() {
            assert!(hash.to_string().eq_ignore_ascii_case(text));
        }
        let _any_answer = text.parse::<Salt>();
    }
});
