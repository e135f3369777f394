//! Where in the running root a block lies.

use verity::DIGEST_SIZE;

/// The blocks of the running root by their digests: 64 bits of each, and where it lies, 12 bytes a block.
///
/// What it says is a hint. A prefix may be shared and the disk may have rotted since the digests were made, so whoever
/// copies a block compares it with its whole digest.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    entries: Vec<Entry>,
}

/// What a lookup keeps of one block. In halves, so that nothing is lost to alignment; they are compared in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Entry {
    prefix: [u32; 2],
    block: u32,
}

impl Entry {
    /// The block that lies at `block` and has this digest. None beyond 16 TiB, which is as far as an [origin](super::Origin) reaches.
    #[must_use]
    pub fn new(block: usize, digest: &[u8; DIGEST_SIZE]) -> Option<Self> {
        Some(Self { prefix: prefix(digest), block: u32::try_from(block).ok()? })
    }
}

impl Lookup {
    /// A lookup over these blocks, in whatever order.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self { entries }
    }

    /// A lookup over the digests of all blocks, in their order.
    #[must_use]
    pub fn over(digests: impl IntoIterator<IntoIter: ExactSizeIterator<Item = [u8; DIGEST_SIZE]>>) -> Self {
        let digests = digests.into_iter();
        let mut entries = Vec::with_capacity(digests.len());
        entries.extend(digests.enumerate().filter_map(|(block, digest)| Entry::new(block, &digest)));
        Self::of(entries)
    }

    /// A block with this digest: the one at `near` if that is one, so that runs of blocks are read as runs.
    #[must_use]
    pub fn find(&self, digest: &[u8; DIGEST_SIZE], near: u64) -> Option<u32> {
        let prefix = prefix(digest);
        if let Ok(block) = u32::try_from(near)
            && self.entries.binary_search(&Entry { prefix, block }).is_ok()
        {
            return Some(block);
        }
        let first = self.entries.partition_point(|entry| entry.prefix < prefix);
        self.entries.get(first).filter(|entry| entry.prefix == prefix).map(|entry| entry.block)
    }
}

fn prefix(digest: &[u8; DIGEST_SIZE]) -> [u32; 2] {
    [0, 4].map(|at| {
        u32::from_be_bytes(digest[at..at + 4].try_into().expect("a digest has more than eight bytes"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_where_it_lies_and_near_the_last_one_if_it_is_there_too() {
        let digest = |byte: u8| [byte; DIGEST_SIZE];
        let lookup = Lookup::over([7, 3, 7, 9, 7].map(digest));
        assert_eq!(lookup.find(&digest(3), 0), Some(1));
        assert_eq!(lookup.find(&digest(7), 4), Some(4));
        assert_eq!(lookup.find(&digest(7), 2), Some(2));
        assert_eq!(lookup.find(&digest(7), 1), Some(0), "block 1 is another one");
        assert_eq!(lookup.find(&digest(8), 0), None);
        assert_eq!(lookup.find(&digest(255), 0), None);
        assert_eq!(Lookup::default().find(&digest(7), 0), None);
    }
}
