//! What a pack says of itself.

use blocks::pack::{GROUP_BLOCKS, Header, HeaderError, Shape};
use host_io::Disk;
use signpost::Role;
use thiserror::Error as ThisError;
use trusted_repo::{FrameInfo, VerifiedBytes};
use verity::{BLOCK_SIZE, RootHash};

use super::in_place::InPlace;
use crate::look::plan::Bytes;
use crate::write::install::error::Error;

/// The header of one pack: its bytes come from a signed target. Holding one is what makes groups that fit it worth
/// being written.
#[derive(Debug)]
pub struct VerifiedPack {
    image: Role,
    header: Header,
    body: String,
}

/// Why an image does not come by a pack. Frames are always there, so this is said and nothing more.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Unusable {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It is for another kind of image.
    #[error("use the pack: it is for an image of another kind")]
    Kind,
    /// It leads on from another root image than the one that runs.
    #[error("use the pack: it leads on from the root hash {base}, and {running} runs")]
    Base {
        /// Its base.
        base: RootHash,
        /// The running root hash.
        running: RootHash,
    },
    /// It leads to another root image than the one that is signed for the update.
    #[error("use the pack: it leads to the root hash {to}, and the update has {wanted}")]
    Leads {
        /// Where it leads.
        to: RootHash,
        /// The root hash of the update.
        wanted: RootHash,
    },
    /// It reaches beyond its body.
    #[error("use the pack: it is about a body of {header} bytes, and {signed} are signed")]
    Body {
        /// Bytes that the header is about.
        header: u64,
        /// Bytes of the signed target.
        signed: u64,
    },
    /// The running image cannot be read as its base.
    #[error(transparent)]
    Running(#[from] blocks::pack::BaseError),
}

/// Between which root images a pack has to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// The one that runs.
    pub running: RootHash,
    /// The one of the update, as its manifest names it. Without it what comes out would be held against nothing but the
    /// header of the pack, which may have been mixed up with another one.
    pub wanted: RootHash,
}

impl VerifiedPack {
    /// Reads the header of a pack for `image`, whose body is the target `body` of `signed` bytes.
    ///
    /// # Errors
    /// When a pack of root does not lead from the running root image to that of the update.
    pub fn parse(
        image: Role,
        bytes: &VerifiedBytes,
        (body, signed): (&str, u64),
        between: Between,
    ) -> Result<Self, Unusable> {
        Self::of(image, Header::parse(bytes.bytes())?, (body, signed), between)
    }

    pub(in crate::write::install) fn of(
        image: Role,
        header: Header,
        (body, signed): (&str, u64),
        Between { running, wanted }: Between,
    ) -> Result<Self, Unusable> {
        match (image, &header.shape) {
            (Role::Root, Shape::Tree { old_root, .. }) if *old_root != running => {
                return Err(Unusable::Base { base: *old_root, running });
            }
            (Role::Root, Shape::Tree { new_root, .. }) if *new_root != wanted => {
                return Err(Unusable::Leads { to: *new_root, wanted });
            }
            (Role::Root, Shape::Tree { .. }) | (Role::Boot, Shape::Flat { .. }) => {}
            _ => return Err(Unusable::Kind),
        }
        if header.body_len() > signed {
            return Err(Unusable::Body { header: header.body_len(), signed });
        }
        Ok(Self { image, header, body: body.to_owned() })
    }

    /// Which image it makes.
    #[must_use]
    pub fn image(&self) -> Role {
        self.image
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The target that has its frames.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The root hash of the image that it makes; none for boot.
    #[must_use]
    pub fn root_hash(&self) -> Option<RootHash> {
        match &self.header.shape {
            Shape::Tree { new_root, .. } => Some(*new_root),
            Shape::Flat { .. } => None,
        }
    }

    /// Bytes of the hash image that it makes; 0 for boot.
    #[must_use]
    pub fn hash_len(&self) -> u64 {
        match &self.header.shape {
            Shape::Tree { hash_image: (len, _), .. } => *len,
            Shape::Flat { .. } => 0,
        }
    }

    /// Whether the hash image that it makes fits into its partition, known before anything is cleared.
    ///
    /// # Errors
    /// [`Error::NoFit`].
    pub fn check_fit(&self, hash: &dyn Disk) -> Result<(), Error> {
        let (need, have) = (self.hash_len(), hash.len());
        if need > have {
            return Err(Error::NoFit { image: Role::Hash, need: Some(need), have });
        }
        Ok(())
    }

    /// The spans that have a group which is not in place, in their order.
    pub fn spans<'a>(&'a self, there: &'a InPlace) -> impl Iterator<Item = usize> + 'a {
        let missing = |span: &usize| self.header.spans[*span].group_range().any(|group| !there.has(group));
        (0..self.header.spans.len()).filter(missing)
    }

    /// The frame of a span. A span without new blocks has none.
    #[must_use]
    pub fn frame(&self, span: usize) -> Option<FrameInfo> {
        let span = &self.header.spans[span];
        let info = FrameInfo { offset: span.offset, length: u64::from(span.length), sha256: span.sha256 };
        (span.length > 0).then_some(info)
    }

    /// What is fetched, copied and written where some groups are in place.
    #[must_use]
    pub fn bytes(&self, there: &InPlace) -> Bytes {
        let mut bytes = Bytes::default();
        for group in 0..self.header.groups() {
            let range = self.header.group_range(group);
            let len = range.end - range.start;
            if there.has(group) {
                bytes.skip += len;
            } else {
                let copied = self.header.copies_of(group).map(|run| u64::from(run.blocks)).sum::<u64>();
                bytes.copy += (copied * BLOCK_SIZE as u64).min(len);
                bytes.write += len;
            }
        }
        let spans = self.spans(there);
        bytes.fetch = spans.map(|span| u64::from(self.header.spans[span].length)).sum();
        bytes
    }

    /// How many blocks of the groups that are not in place are in no copied run: what frames would have to bring at least.
    #[must_use]
    pub fn new_blocks(&self, there: &InPlace) -> u64 {
        let missing = (0..self.header.groups()).filter(|group| !there.has(*group));
        let of_group = |group: u32| {
            let start = group * GROUP_BLOCKS;
            let blocks = (start + GROUP_BLOCKS).min(self.header.new_blocks()) - start;
            u64::from(blocks - self.header.copies_of(group).map(|run| run.blocks).sum::<u32>())
        };
        missing.map(of_group).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        let [one, two] = [1, 2].map(|byte| RootHash::new([byte; 32]));
        for (failure, words) in [
            (Unusable::Kind, "use the pack: it is for an image of another kind".to_owned()),
            (
                Unusable::Base { base: one, running: two },
                format!("use the pack: it leads on from the root hash {one}, and {two} runs"),
            ),
            (
                Unusable::Leads { to: one, wanted: two },
                format!("use the pack: it leads to the root hash {one}, and the update has {two}"),
            ),
            (
                Unusable::Body { header: 7, signed: 5 },
                "use the pack: it is about a body of 7 bytes, and 5 are signed".to_owned(),
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
