//! Which blocks of the old image look like those of a span.
//!
//! A block that changed by a byte is new as a whole, and yet most of it stands somewhere in the old image: in the file's
//! former version, shifted perhaps. Strings of 16 bytes are sampled by their content, so that a string that stands in both
//! images is sampled in both or in neither; windows of the old image's blocks get a vote for each string that they share
//! with a span, and those with the most become its prefix.

use std::collections::HashMap;

use verity::BLOCK_SIZE;

use super::runs::Run;

/// Bytes of a sampled string.
const STRING: usize = 16;
/// One string of so many is sampled, on average.
const SAMPLE_BITS: u32 = 6;
/// A string that stands in more windows than this says nothing of any.
const COMMON: usize = 12;
/// A window with fewer votes costs more time to load than it saves bytes.
const FEWEST_VOTES: f32 = 1.5;

/// The sampled strings of windows of blocks.
pub struct Windows {
    /// Hash and window, in the order of the hashes.
    strings: Vec<(u32, u32)>,
    blocks: Vec<u32>,
    window: usize,
}

/// Collects the strings of windows.
pub struct Collector(Windows);

impl Collector {
    /// For windows of so many of these blocks of the old image, which are given in this order afterwards.
    #[must_use]
    pub fn new(blocks: Vec<u32>, window: usize) -> Self {
        Self(Windows { strings: Vec::new(), blocks, window: window.max(1) })
    }

    /// Adds the bytes of blocks that follow one another in the list; `first` is the first one's place in it.
    pub fn add(&mut self, first: usize, bytes: &[u8]) {
        let window = self.0.window;
        let strings = &mut self.0.strings;
        sample(bytes, &mut |place, hash| {
            let number = (first + place / BLOCK_SIZE) / window;
            strings.push((hash, u32::try_from(number).expect("fewer windows than blocks")));
        });
    }

    /// The windows, ready to be asked.
    #[must_use]
    pub fn finish(mut self) -> Windows {
        self.0.strings.sort_unstable();
        self.0.strings.dedup();
        self.0
    }
}

impl Windows {
    /// The blocks that look most like `fresh`, `most` at the most, as runs in the old image's order.
    #[must_use]
    pub fn prefix_for(&self, fresh: &[u8], most: usize) -> Vec<Run> {
        let mut hashes = Vec::new();
        sample(fresh, &mut |_, hash| hashes.push(hash));
        hashes.sort_unstable();
        hashes.dedup();
        let mut votes: HashMap<u32, f32> = HashMap::new();
        for hash in hashes {
            let start = self.strings.partition_point(|(known, _)| *known < hash);
            let windows =
                self.strings[start..].iter().take_while(|(known, _)| *known == hash).take(COMMON + 1);
            let count = windows.clone().count();
            if count > COMMON {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let share = 1.0 / count as f32;
            for (_, window) in windows {
                *votes.entry(*window).or_default() += share;
            }
        }
        let mut best: Vec<(u32, f32)> =
            votes.into_iter().filter(|(_, votes)| *votes >= FEWEST_VOTES).collect();
        best.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut chosen = Vec::new();
        let mut room = most;
        for (window, _) in best {
            let start = window as usize * self.window;
            let blocks = &self.blocks[start..(start + self.window).min(self.blocks.len())];
            if blocks.len() > room {
                break;
            }
            room -= blocks.len();
            chosen.extend_from_slice(blocks);
        }
        chosen.sort_unstable();
        runs(&chosen)
    }
}

/// Blocks in their order as runs.
fn runs(blocks: &[u32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &block in blocks {
        match runs.last_mut() {
            Some(run) if run.first + run.blocks == block => run.blocks += 1,
            _ => runs.push(Run { first: block, blocks: 1 }),
        }
    }
    runs
}

/// Tells the place and the hash of each string that is sampled. A string of one repeated byte never is.
fn sample(bytes: &[u8], tell: &mut dyn FnMut(usize, u32)) {
    let mut last = 0;
    for (place, string) in bytes.windows(STRING).enumerate() {
        let low = u64::from_le_bytes(string[..8].try_into().expect("eight bytes"));
        let high = u64::from_le_bytes(string[8..].try_into().expect("eight bytes"));
        let mixed = (low ^ high.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        if mixed >> (64 - SAMPLE_BITS) != 0 || low == high && low == low.rotate_left(8) {
            continue;
        }
        let hash = u32::try_from(mixed >> 16 & 0xFFFF_FFFF).expect("cut to 32 bits");
        if hash != last {
            tell(place, hash);
            last = hash;
        }
    }
}

#[cfg(test)]
mod tests {
    use testdata::noise;

    use super::*;

    #[test]
    fn shifted_content_is_found_where_it_was() {
        let old = noise(7, 64 * BLOCK_SIZE);
        let blocks: Vec<u32> = (0..64).map(|block| block * 2).collect();
        let mut collector = Collector::new(blocks, 4);
        collector.add(0, &old[..32 * BLOCK_SIZE]);
        collector.add(32, &old[32 * BLOCK_SIZE..]);
        let windows = collector.finish();
        let mut fresh = noise(9, 100);
        fresh.extend_from_slice(&old[40 * BLOCK_SIZE..44 * BLOCK_SIZE]);
        let found = windows.prefix_for(&fresh, 8);
        assert_eq!(found[0], Run { first: 80, blocks: 1 });
        assert_eq!(found.len(), 4);
        assert!(windows.prefix_for(&noise(11, 9 * BLOCK_SIZE), 8).is_empty());
        assert!(windows.prefix_for(&fresh, 3).is_empty(), "no half windows");
        assert!(windows.prefix_for(&[0; 3 * BLOCK_SIZE], 8).is_empty());
    }
}
