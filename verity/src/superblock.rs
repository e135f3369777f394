//! The first block of a hash image: how the tree below it was made.

use crate::digest::MAX_SALT;
use crate::{BLOCK_SIZE, Error, Salt};

const MAGIC: &[u8; 8] = b"verity\0\0";
const VERSION: u32 = 1;
/// The salt is hashed before the block; type 0 (after it) is of old Chrome OS images.
const HASH_TYPE: u32 = 1;
const ALGORITHM: &[u8] = b"sha256";
const BLOCK_SIZE_FIELD: u32 = 4096;

// Where the fields lie; all numbers are little-endian. What is between and after them is zero.
const AT_MAGIC: usize = 0;
const AT_VERSION: usize = 8;
const AT_HASH_TYPE: usize = 12;
const AT_UUID: usize = 16;
const AT_ALGORITHM: usize = 32;
const ALGORITHM_LEN: usize = 32;
const AT_DATA_BLOCK_SIZE: usize = 64;
const AT_HASH_BLOCK_SIZE: usize = 68;
const AT_DATA_BLOCKS: usize = 72;
const AT_SALT_LEN: usize = 80;
const AT_SALT: usize = 88;

/// A dm-verity superblock, version 1, hash type 1, SHA-256, 4096-byte blocks on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Blocks of data that the tree covers.
    pub data_blocks: u64,
    /// What is hashed before each block.
    pub salt: Salt,
    /// The image's name for tools; no digest covers it.
    pub uuid: [u8; 16],
}

impl Superblock {
    /// Reads the first block of a hash image.
    ///
    /// # Errors
    /// When it is no such block, or asks for another version, hash or block size; when its unused bytes are not zero.
    pub fn parse(block: &[u8]) -> Result<Self, Error> {
        if block.len() != BLOCK_SIZE {
            return Err(Error::BlockLength { len: block.len() });
        }
        if !block.starts_with(MAGIC) {
            return Err(Error::NotVerity);
        }
        expect(block, AT_VERSION, "version", VERSION, "1")?;
        expect(block, AT_HASH_TYPE, "hash type", HASH_TYPE, "1")?;
        let algorithm = &block[AT_ALGORITHM..AT_ALGORITHM + ALGORITHM_LEN];
        let name = algorithm.split(|byte| *byte == 0).next().unwrap_or_default();
        if name != ALGORITHM {
            let found = String::from_utf8_lossy(name).escape_debug().to_string();
            return Err(Error::Unsupported { field: "hash algorithm", found, wanted: "sha256" });
        }
        expect(block, AT_DATA_BLOCK_SIZE, "data block size", BLOCK_SIZE_FIELD, "4096")?;
        expect(block, AT_HASH_BLOCK_SIZE, "hash block size", BLOCK_SIZE_FIELD, "4096")?;
        let salt_len = usize::from(u16::from_le_bytes(array(block, AT_SALT_LEN)));
        if salt_len > MAX_SALT {
            let found = format!("{salt_len} bytes");
            return Err(Error::Unsupported { field: "salt", found, wanted: "at most 256 bytes" });
        }
        let parsed = Self {
            data_blocks: u64::from_le_bytes(array(block, AT_DATA_BLOCKS)),
            salt: Salt::new(&block[AT_SALT..AT_SALT + salt_len]).expect("the length was just checked"),
            uuid: array(block, AT_UUID),
        };
        if parsed.encode() != block {
            return Err(Error::SuperblockPadding);
        }
        Ok(parsed)
    }

    /// The first block of the hash image.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK_SIZE] {
        let mut block = [0; BLOCK_SIZE];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        let salt = self.salt.as_bytes();
        put(AT_MAGIC, MAGIC);
        put(AT_VERSION, &VERSION.to_le_bytes());
        put(AT_HASH_TYPE, &HASH_TYPE.to_le_bytes());
        put(AT_UUID, &self.uuid);
        put(AT_ALGORITHM, ALGORITHM);
        put(AT_DATA_BLOCK_SIZE, &BLOCK_SIZE_FIELD.to_le_bytes());
        put(AT_HASH_BLOCK_SIZE, &BLOCK_SIZE_FIELD.to_le_bytes());
        put(AT_DATA_BLOCKS, &self.data_blocks.to_le_bytes());
        put(AT_SALT_LEN, &u16::try_from(salt.len()).expect("a salt has at most 256 bytes").to_le_bytes());
        put(AT_SALT, salt);
        block
    }
}

fn expect(
    block: &[u8],
    at: usize,
    field: &'static str,
    value: u32,
    wanted: &'static str,
) -> Result<(), Error> {
    match u32::from_le_bytes(array(block, at)) {
        found if found == value => Ok(()),
        found => Err(Error::Unsupported { field, found: found.to_string(), wanted }),
    }
}

fn array<const N: usize>(block: &[u8], at: usize) -> [u8; N] {
    block[at..at + N].try_into().expect("all fields lie within the first block")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock() -> Superblock {
        Superblock { data_blocks: 300, salt: "00ff10".parse().unwrap(), uuid: [7; 16] }
    }

    #[test]
    fn a_superblock_reads_back_as_it_was_written() {
        assert_eq!(Superblock::parse(&superblock().encode()), Ok(superblock()));
    }

    #[test]
    fn every_field_that_is_not_ours_is_refused_by_name() {
        let cases: [(usize, u8, &str); 6] = [
            (AT_VERSION, 2, "version"),
            (AT_HASH_TYPE, 0, "hash type"),
            (AT_ALGORITHM, b'S', "hash algorithm"),
            (AT_DATA_BLOCK_SIZE + 1, 2, "data block size"),
            (AT_HASH_BLOCK_SIZE + 1, 2, "hash block size"),
            (AT_SALT_LEN + 1, 2, "salt"),
        ];
        for (at, byte, name) in cases {
            let mut block = superblock().encode();
            block[at] = byte;
            match Superblock::parse(&block) {
                Err(Error::Unsupported { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn bytes_that_must_be_zero_are_checked() {
        for at in [AT_ALGORITHM + 10, AT_SALT_LEN + 2, AT_SALT + 3, 344, 511, 512, BLOCK_SIZE - 1] {
            let mut block = superblock().encode();
            block[at] = 1;
            assert_eq!(Superblock::parse(&block), Err(Error::SuperblockPadding), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_superblock_is_refused() {
        assert_eq!(Superblock::parse(&[0; BLOCK_SIZE]), Err(Error::NotVerity));
        assert_eq!(Superblock::parse(b"verity\0\0"), Err(Error::BlockLength { len: 8 }));
    }
}
