//! Blocks in, hash image out.

use crate::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE, Error, RootHash, Salt, Superblock};

/// Builds the tree over blocks that are given one after another. It keeps one digest per block (8 MiB for 1 GiB).
#[derive(Debug, Clone)]
pub struct TreeBuilder {
    salt: Salt,
    hasher: BlockHasher,
    uuid: [u8; 16],
    leaves: Vec<u8>,
}

/// A finished hash image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashImage {
    /// The superblock, then the levels from the top down: what goes into the HASH partition.
    pub bytes: Vec<u8>,
    /// What stands for the whole image on the kernel's command line.
    pub root_hash: RootHash,
    /// How many blocks of data the tree covers.
    pub data_blocks: u64,
}

impl TreeBuilder {
    /// A tree over no block yet.
    #[must_use]
    pub fn new(salt: Salt, uuid: [u8; 16]) -> Self {
        Self { hasher: BlockHasher::new(&salt), salt, uuid, leaves: Vec::new() }
    }

    /// Adds the next block of the data.
    ///
    /// # Errors
    /// [`Error::BlockLength`] when it does not have exactly [`BLOCK_SIZE`] bytes.
    pub fn push(&mut self, block: &[u8]) -> Result<(), Error> {
        if block.len() != BLOCK_SIZE {
            return Err(Error::BlockLength { len: block.len() });
        }
        self.leaves.extend_from_slice(&self.hasher.digest(block));
        Ok(())
    }

    /// Finishes the tree. An image over no block at all can be written but is accepted by no reader, neither the
    /// kernel nor [`crate::HashTree::parse`].
    #[must_use]
    pub fn finish(self) -> HashImage {
        let data_blocks = (self.leaves.len() / DIGEST_SIZE) as u64;
        let mut levels = Vec::new();
        let mut digests = self.leaves;
        while digests.len() > DIGEST_SIZE {
            digests.resize(digests.len().next_multiple_of(BLOCK_SIZE), 0);
            let above =
                digests.chunks_exact(BLOCK_SIZE).flat_map(|block| self.hasher.digest(block)).collect();
            levels.push(std::mem::replace(&mut digests, above));
        }
        // One digest is left. Over a single block it is that block's own, and there is no level.
        let root = digests.try_into().unwrap_or_else(|_| self.salt.digest(&[]));
        let superblock = Superblock { data_blocks, salt: self.salt, uuid: self.uuid };
        let mut bytes = superblock.encode().to_vec();
        for level in levels.iter().rev() {
            bytes.extend_from_slice(level);
        }
        HashImage { bytes, root_hash: RootHash::new(root), data_blocks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const UUID: [u8; 16] =
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    /// Made with `veritysetup 2.6.1 format DATA HASH --salt=SALT --uuid=01234567-89ab-cdef-0123-456789abcdef` over
    /// blocks of [`pattern`]: number of blocks, salt, root hash, SHA-256 of the whole HASH file.
    const GOLDEN: [(u64, &str, &str, &str); 20] = [
        (
            1,
            "-",
            "514a4decf2750b440ed56b158e211af33cd3a78add6e2ecfb889fd992af50f02",
            "a80d0391b4c368599a3c43fd73f9c04eaee71c7916a83193b1a4fd3c78c4562f",
        ),
        (
            1,
            "00",
            "7247919c1adba825cdf26c130e56ee864f49a3f881fdae4179181e72ce4f148d",
            "f6015ca5b8d78991bb9a449fb472efa60e2bcea56d3310bce560c89ed4bb93b3",
        ),
        (
            1,
            SALT,
            "0f53d04241d49ace713ebae409c8703a5df31e482b4867a37e995bfcecec15ed",
            "443bf1651a8d49eabfbc0108c61dec7d2f0043ed3596a11d058a4e38a48b46e4",
        ),
        (
            2,
            "-",
            "057240416e3aeaadd7977ec9b3e0749ea66872e0f992d15ffb23272e406b023d",
            "df465ccbd28b5cb0f1db94d2f8b10ef6c6a5ea92cb56e8e98d9c8c231b86da19",
        ),
        (
            2,
            "00",
            "2791e045d7a1fdeb6b10b3b6e167bbdba894932e84535418a077c2baa8b68d33",
            "a147b55c40fab78c85a3018895ad2d8f56666be3fbc6ad0651767060d67f7966",
        ),
        (
            2,
            SALT,
            "ad1aca071f023106972d77824d1a727ab07b50014e9aab95980fa42eb92bf5c5",
            "e3b2c68b1ca06af06a56561149fc0612b00e925da897f7ff6c307edefecaf3d6",
        ),
        (
            3,
            "-",
            "dccb863838dbc8cbbc72dfc576831f78a3d31026e21fc965e1946767d945d953",
            "c75dac994e3914a9c355e681feb455edf8278b6483fce3510d1fed03bbca8dca",
        ),
        (
            3,
            "00",
            "23458f9282b659843c9343f025c4afc3756ed9050d2c875f7ccf078f816f8128",
            "9bb611be013df422b0065f51e75886fe2422fc3da3add3b76a75e8e552731b16",
        ),
        (
            3,
            SALT,
            "2db9aa5c4d17bda6f5815bcb18bf69c4cb047a9ca4772d714f7ceda807639ec7",
            "3f295478c3e13c4cde612ce77ea27b904962dbdd51d782982724738acfd8621e",
        ),
        (
            128,
            "-",
            "7cf69eb206b9bb90965b8f52026157024b7e7bf96ff322a78a2ad080eb6d1118",
            "ed09b2819fc6499fb47644efef23690aedbf4fa2f42c6cf02ff1eccb666f2efd",
        ),
        (
            128,
            "00",
            "6a43caa1f6c445be1067d81008c9b0905bf180033fc6631d297fcc461a568730",
            "acfe75e02d6b098a78227abfd27b0c7c1098bee1a1c2d9f046ffdbe571a6e987",
        ),
        (
            128,
            SALT,
            "e8927b3cfaf1d5dd702d0f4b7af58e5dd52b6988d3c49f1b091e9c2a99c7893e",
            "9e7fe959b6bead8cea880b627aedda33749c74608500e09f2bb554a1a4bf9ed1",
        ),
        (
            129,
            "-",
            "bede205ffa5185353e11319917ded047ac43f3753290e50b35b5222c23f7a043",
            "b32a9e13362f9e668f84354c744dab90e3d5d1321fb7beadd2ab453f527d9004",
        ),
        (
            129,
            "00",
            "ff9f449607ed6a5d4b3f679e42131cc439338aada109d5e1b227dd1ecaebe49d",
            "4a9c3a433a85668ba98a238f757bd8d227983203e986f167196daa6bb41a34e2",
        ),
        (
            129,
            SALT,
            "58407177386bcfc36a7f8c07210a9b81ce1928bf3170ec9330db20adb1ab9344",
            "a520b61b97a849440d8018e69a3db0622c77152db2bd874b1ed1f1949a12144e",
        ),
        (
            300,
            "-",
            "e9609cea5198fe9d595e3575464b151655d92a676909c124673e0e6ad6a9385f",
            "ba8fa415b3f26478333db1a5ad6c03f080ea89f96a983718bee3cfeb1a487402",
        ),
        (
            300,
            "00",
            "879a6d904ce17ab6ff19ede88e7b89c375849d6068383ac430313458c1cf3335",
            "54db06a3a11adfec4a14e4abbe794a58d140b63d737a4696881d9d8ff348d1e4",
        ),
        (
            300,
            SALT,
            "2e631dd2b65ce4d4780ad8b6b8524dbcf91fe6644085ff23f6b37bdae193520a",
            "46039e5824d537c8203a75497e8b64eaee484aafdf757679dd3c784f3a302860",
        ),
        (
            16385,
            "00",
            "b222448ab70d644bb21df60ac9014a0e366065f7dc69efff9203be10dfc331ea",
            "b1abfbc712f389f14748e12d143d6e92912c7337d3e34991bbcc0cda324fda39",
        ),
        (
            16385,
            SALT,
            "277dd089045c6eb19b28c8241f1101589f1f12d65615db2f664e1cc8324a845f",
            "1741ca2aea68b0d95bfe9fea8cac1db4859a9fcf0f1aea6154be30d8e73db95e",
        ),
    ];

    fn pattern(index: u64) -> Vec<u8> {
        (0..BLOCK_SIZE as u64).map(|at| ((index * 7 + at * 13 + (at >> 8) * 31) & 0xff) as u8).collect()
    }

    fn build(data_blocks: u64, salt: &str) -> HashImage {
        // The pattern repeats after 256 blocks, and making it is slower than hashing it.
        let blocks: Vec<_> = (0..data_blocks.min(256)).map(pattern).collect();
        let mut builder = TreeBuilder::new(salt.parse().unwrap(), UUID);
        for block in blocks.iter().cycle().take(usize::try_from(data_blocks).unwrap()) {
            builder.push(block).unwrap();
        }
        builder.finish()
    }

    #[test]
    fn an_image_equals_what_veritysetup_writes() {
        for (data_blocks, salt, root_hash, sha256) in GOLDEN {
            let image = build(data_blocks, salt);
            assert_eq!(image.root_hash.to_string(), root_hash, "{data_blocks} blocks, salt {salt}");
            assert_eq!(image.data_blocks, data_blocks);
            let digest = hex::encode(Salt::default().digest(&image.bytes));
            assert_eq!(digest, sha256, "{data_blocks} blocks, salt {salt}");
        }
    }

    #[test]
    fn the_longest_salt_is_used_whole() {
        let image = build(3, &"aa".repeat(256));
        assert_eq!(
            image.root_hash.to_string(),
            "2554e04dc21c4ffe867ee969c2156c96539c22eac4afe69b55ea6916e8e1511f"
        );
        let digest = hex::encode(Salt::default().digest(&image.bytes));
        assert_eq!(digest, "cd18fb71452437855c75cb379e531b2645972c95ef0147a777a1b99d5f0050e2");
    }

    #[test]
    fn a_block_of_another_length_is_refused_and_changes_nothing() {
        let mut builder = TreeBuilder::new(Salt::default(), UUID);
        builder.push(&pattern(0)).unwrap();
        assert_eq!(builder.push(&[0; 4095]), Err(Error::BlockLength { len: 4095 }));
        assert_eq!(builder.push(&[]), Err(Error::BlockLength { len: 0 }));
        builder.push(&pattern(1)).unwrap();
        assert_eq!(builder.finish().root_hash, build(2, "-").root_hash);
    }

    #[test]
    fn an_image_over_nothing_is_refused_by_the_reader() {
        let image = TreeBuilder::new(SALT.parse().unwrap(), UUID).finish();
        assert!(matches!(crate::HashTree::parse(&image.bytes), Err(Error::Unsupported { .. })));
    }
}
