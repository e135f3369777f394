//! The hash image, verified as a whole in memory: the block index of root.

use host_io::Disk;
use signpost::Role;
use trusted_repo::{VerifiedPieces, lz4};
use verity::{HashTree, RootHash};

use super::error::Error;
use super::sum::RawSum;
use super::sum::sha256;

/// The hash image of a release: its bytes come from a signed target and its levels agree. Holding one is the proof
/// that writing root asks for.
#[derive(Debug)]
pub struct VerifiedTree {
    tree: HashTree,
}

impl VerifiedTree {
    /// Decodes and checks the hash image in `target`. `partition_len` is the size in bytes of the partition that it has
    /// to fit into; nothing larger is decoded.
    ///
    /// # Errors
    /// When it is no LZ4 frame, decodes to more than the partition holds, or is no sound tree.
    pub fn decode(target: VerifiedPieces, partition_len: u64) -> Result<Self, Error> {
        match lz4::decode_pieces(target, partition_len) {
            Ok(raw) => Self::from_signed(raw),
            Err(trusted_repo::Error::TooLarge { .. }) => {
                Err(Error::NoFit { image: Role::Hash, need: None, have: partition_len })
            }
            Err(error) => Err(Error::HashImage(error)),
        }
    }

    /// The hash image in `partition`, if it is the one of a [receipt](super::receipt).
    #[must_use]
    pub fn from_receipt(partition: &dyn Disk, receipt: RawSum) -> Option<Self> {
        let mut raw = vec![0; usize::try_from(receipt.len).ok().filter(|_| receipt.len <= partition.len())?];
        partition.read_at(0, &mut raw).ok()?;
        if sha256(&raw) != receipt.sha256 {
            return None;
        }
        Self::from_signed(raw).ok()
    }

    /// The hash image that came of groups which were held against a signed header; none if there is none.
    ///
    /// # Errors
    /// When it is no sound tree after all.
    pub fn of_groups(raw: Option<Vec<u8>>) -> Result<Option<Self>, Error> {
        raw.map(Self::from_signed).transpose()
    }

    /// `raw` must come from a signed target.
    pub(super) fn from_signed(raw: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { tree: HashTree::parse_vec(raw).map_err(Error::Tree)? })
    }

    /// Whether root and tree fit into their partitions, known before anything is cleared.
    ///
    /// # Errors
    /// [`Error::NoFit`] with the image that is too large.
    pub fn check_fit(&self, root: &dyn Disk, hash: &dyn Disk) -> Result<(), Error> {
        for (image, need, have) in [
            (Role::Root, self.tree.data_len(), root.len()),
            (Role::Hash, self.raw().len() as u64, hash.len()),
        ] {
            if need > have {
                return Err(Error::NoFit { image, need: Some(need), have });
            }
        }
        Ok(())
    }

    /// The digest that stands for the whole root image.
    #[must_use]
    pub fn root_hash(&self) -> RootHash {
        self.tree.root_hash()
    }

    /// The tree over root.
    #[must_use]
    pub fn tree(&self) -> &HashTree {
        &self.tree
    }

    /// The hash image as it goes to its partition.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.tree.image()
    }

    /// What the hash image is as a whole.
    #[must_use]
    pub fn sum(&self) -> RawSum {
        RawSum { len: self.raw().len() as u64, sha256: sha256(self.raw()) }
    }
}
