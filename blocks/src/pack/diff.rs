//! Which blocks of a new image are in the old one, and which of the old one are in it no more.

use std::collections::HashMap;
use std::io;

use verity::{BLOCK_SIZE, BlockHasher};

use super::ReadAt;
use super::runs::CopyRun;

/// A digest, as far as it is kept to find a block again: whoever applies a pack checks what it copies.
type Short = [u8; 16];

/// What two images have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which blocks are copied, in the order of the new image.
    pub copies: Vec<CopyRun>,
    /// The blocks of the old image that the new one has nowhere, in their order.
    pub old_only: Vec<u32>,
}

/// The digest of each block of an image; a last block that is shorter counts as filled up with zeros.
///
/// # Errors
/// When the image cannot be read.
pub fn digests(
    image: &dyn ReadAt,
    len: u64,
    hasher: &BlockHasher,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Vec<Short>> {
    let mut digests = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < len {
        let here = usize::try_from(len - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
        image.read_exact_at(&mut buffer[..here], offset)?;
        let whole = here.next_multiple_of(BLOCK_SIZE);
        buffer[here..whole].fill(0);
        for block in buffer[..whole].chunks_exact(BLOCK_SIZE) {
            digests.push(hasher.digest(block)[..16].try_into().expect("a digest has 32 bytes"));
        }
        offset += here as u64;
        progress(here as u64);
    }
    Ok(digests)
}

/// Compares two images by the digests of their blocks. A run goes on in the old image as long as it can, for that takes
/// fewer bytes to say.
///
/// # Panics
/// When an image has 2^32 blocks or more.
#[must_use]
pub fn compare(old: &[Short], new: &[Short]) -> Difference {
    let number = |place: usize| u32::try_from(place).expect("an image has at most 2^24 blocks");
    let mut places: HashMap<&Short, u32> = HashMap::with_capacity(old.len());
    for (place, digest) in old.iter().enumerate() {
        places.entry(digest).or_insert(number(place));
    }
    let mut used: HashMap<&Short, ()> = HashMap::new();
    let mut copies: Vec<CopyRun> = Vec::new();
    for (place, digest) in new.iter().enumerate() {
        let Some(&first) = places.get(digest) else { continue };
        used.insert(digest, ());
        let place = number(place);
        if let Some(run) = copies.last_mut()
            && run.new + run.blocks == place
            && old.get((run.old + run.blocks) as usize) == Some(digest)
        {
            run.blocks += 1;
            continue;
        }
        let same_place = old.get(place as usize) == Some(digest);
        copies.push(CopyRun { new: place, old: if same_place { place } else { first }, blocks: 1 });
    }
    let old_only = old
        .iter()
        .enumerate()
        .filter(|(_, digest)| !used.contains_key(digest))
        .map(|(place, _)| number(place));
    Difference { old_only: old_only.collect(), copies }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &str) -> Vec<Short> {
        names.bytes().map(|name| [name; 16]).collect()
    }

    #[test]
    fn runs_go_on_and_what_is_gone_is_known() {
        let found = compare(&named("abcadzz"), &named("xabcdzza"));
        assert_eq!(
            found.copies,
            [
                CopyRun { new: 1, old: 0, blocks: 3 },
                CopyRun { new: 4, old: 4, blocks: 3 },
                CopyRun { new: 7, old: 0, blocks: 1 }
            ]
        );
        assert!(found.old_only.is_empty());
        assert_eq!(compare(&named("abcab"), &named("b")).old_only, [0, 2, 3]);
        assert_eq!(compare(&named(""), &named("ab")).copies, []);
    }
}
