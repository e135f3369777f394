//! Bytes that look like those of a compressed file: nothing makes them smaller, and no two parts of them are equal.

/// Such bytes, for each seed others and each time the same: those of `SplitMix64`, a word at a time, because tests that
/// are not optimised make megabytes of them.
#[must_use]
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = vec![0; len];
    for piece in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        piece.copy_from_slice(&word.to_le_bytes()[..piece.len()]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_one_begins_with_a_shorter_one_and_each_seed_has_its_own() {
        let long = noise(1, 4096);
        assert_eq!(noise(1, 4091), long[..4091]);
        let words = [noise(0, 4096), long, noise(2, 4096)].concat();
        let different: std::collections::BTreeSet<_> = words.chunks(8).collect();
        assert_eq!(different.len(), 3 * 512);
    }
}
