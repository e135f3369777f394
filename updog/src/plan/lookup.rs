//! Where in the running root a block lies.

use verity::DIGEST_SIZE;

/// The blocks of the running root by their digests: 64 bits of each, and where it lies, 16 bytes a block.
///
/// What it says is a hint. A prefix may be shared and the disk may have rotted since the digests were made, so whoever
/// copies a block compares it with its whole digest.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    entries: Vec<(u64, u64)>,
}

impl Lookup {
    /// A lookup over the digests of all blocks, in their order.
    #[must_use]
    pub fn over(digests: impl IntoIterator<Item = [u8; DIGEST_SIZE]>) -> Self {
        Self::from_prefixes(digests.into_iter().map(|digest| prefix(&digest)))
    }

    /// A lookup over the [prefixes](prefix) of all blocks, in their order.
    #[must_use]
    pub fn from_prefixes(prefixes: impl IntoIterator<Item = u64>) -> Self {
        let mut entries: Vec<(u64, u64)> = prefixes.into_iter().zip(0..).collect();
        entries.sort_unstable();
        Self { entries }
    }

    /// A block with this digest: the one at `near` if that is one, so that runs of blocks are read as runs.
    #[must_use]
    pub fn find(&self, digest: &[u8; DIGEST_SIZE], near: u64) -> Option<u64> {
        let prefix = prefix(digest);
        if self.entries.binary_search(&(prefix, near)).is_ok() {
            return Some(near);
        }
        let first = self.entries.partition_point(|entry| entry.0 < prefix);
        self.entries.get(first).filter(|entry| entry.0 == prefix).map(|entry| entry.1)
    }
}

/// What a lookup keeps of a digest.
#[must_use]
pub fn prefix(digest: &[u8; DIGEST_SIZE]) -> u64 {
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has more than eight bytes"))
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
