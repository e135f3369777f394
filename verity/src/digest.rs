//! The root hash, the salt, and the salted digest of one block.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};

use crate::error::TextError;
use crate::{BLOCK_SIZE, DIGEST_SIZE};

/// The most salt bytes that a superblock can hold.
pub const MAX_SALT: usize = 256;

/// The one digest that stands for a whole image. As text it is 64 hexadecimal digits, as on the kernel's command line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RootHash([u8; DIGEST_SIZE]);

impl RootHash {
    /// The root hash of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; DIGEST_SIZE]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; DIGEST_SIZE] {
        &self.0
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootHash({self})")
    }
}

impl FromStr for RootHash {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = from_hex(text)?;
        let len = bytes.len();
        bytes.try_into().map(Self).map_err(|_| TextError::Length { len, wanted: "exactly 32" })
    }
}

/// What is hashed before each block: 0 to 256 bytes. As text it is hexadecimal digits; `-` is the empty salt, as
/// `veritysetup` has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Salt(Vec<u8>);

impl Salt {
    /// A salt of these bytes.
    ///
    /// # Errors
    /// [`TextError::Length`] above [`MAX_SALT`] bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, TextError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_SALT {
            return Err(TextError::Length { len: bytes.len(), wanted: "at most 256" });
        }
        Ok(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The digest that a tree holds for `block`: SHA-256 of the salt followed by the block. Whoever has many blocks takes a
    /// [`BlockHasher`].
    #[must_use]
    pub fn digest(&self, block: &[u8]) -> [u8; DIGEST_SIZE] {
        digest_after(self.absorbed(), block)
    }

    fn absorbed(&self) -> Context {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context
    }
}

/// Digests of many blocks with one salt. A block of zeros, of which images and disks are full, is recognised and not
/// hashed again.
#[derive(Clone)]
pub struct BlockHasher {
    absorbed: Context,
    zeros: [u8; DIGEST_SIZE],
}

impl BlockHasher {
    /// For blocks of trees with this salt.
    #[must_use]
    pub fn new(salt: &Salt) -> Self {
        Self { absorbed: salt.absorbed(), zeros: salt.digest(&ZEROS) }
    }

    /// As [`Salt::digest`].
    #[must_use]
    pub fn digest(&self, block: &[u8]) -> [u8; DIGEST_SIZE] {
        if block == ZEROS {
            return self.zeros;
        }
        digest_after(self.absorbed.clone(), block)
    }
}

impl fmt::Debug for BlockHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockHasher").finish_non_exhaustive()
    }
}

static ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];

fn digest_after(mut context: Context, block: &[u8]) -> [u8; DIGEST_SIZE] {
    context.update(block);
    context.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "-" } else { "" })?;
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for Salt {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::default()) } else { Self::new(from_hex(text)?) }
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, TextError> {
    hex::decode(text).map_err(|_| TextError::NotHex { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_blocks_get_the_digests_that_each_of_them_has() {
        for salt in [Salt::default(), Salt::new([7; 32]).unwrap(), Salt::new([1; 256]).unwrap()] {
            let hasher = BlockHasher::new(&salt);
            let mut last_differs = [0; BLOCK_SIZE];
            last_differs[BLOCK_SIZE - 1] = 1;
            for block in [&[0; BLOCK_SIZE][..], &last_differs, &[0; 512], &[], &[0; 2 * BLOCK_SIZE]] {
                assert_eq!(hasher.digest(block), salt.digest(block), "{} bytes", block.len());
            }
        }
    }

    #[test]
    fn a_root_hash_is_64_hexadecimal_digits_both_ways() {
        let text = "2db9aa5c4d17bda6f5815bcb18bf69c4cb047a9ca4772d714f7ceda807639ec7";
        let parsed: RootHash = text.parse().unwrap();
        assert_eq!(parsed.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(parsed));
    }

    #[test]
    fn what_is_no_root_hash_is_refused() {
        assert!(matches!("zz".parse::<RootHash>(), Err(TextError::NotHex { .. })));
        assert_eq!("00".parse::<RootHash>(), Err(TextError::Length { len: 1, wanted: "exactly 32" }));
        assert!("".parse::<RootHash>().is_err());
    }

    #[test]
    fn a_salt_has_at_most_256_bytes_and_the_empty_one_is_a_dash() {
        assert_eq!("-".parse(), Ok(Salt::default()));
        assert_eq!("".parse(), Ok(Salt::default()));
        assert_eq!(Salt::default().to_string(), "-");
        assert_eq!("00ff".parse::<Salt>().unwrap().to_string(), "00ff");
        assert!("aa".repeat(256).parse::<Salt>().is_ok());
        assert!("aa".repeat(257).parse::<Salt>().is_err());
        assert!("abc".parse::<Salt>().is_err());
    }
}
