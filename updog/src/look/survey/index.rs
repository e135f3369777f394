//! The index of an image's frames: fetched where that may pay, and why the image comes as a plain stream where not.

use host_io::Access;
use signpost::Role;
use trusted_repo::{Slot, TargetInfo, VerifiedBytes};
use update_metadata::FramedImage;

use super::surveyor::Surveyor;
use crate::error::Error;
use crate::look::fetch;
use crate::look::plan::FilePlan;
use crate::tell::events::Phase;
use crate::write::install::VerifiedIndex;
use crate::write::install::index::Unusable;

/// What is wanted of an image, as far as that is known before its index is there.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) image_len: u64,
    pub(super) blocks: u64,
}

impl Wanted {
    /// Perhaps all of it.
    pub(super) const ALL: Self = Self { image_len: u64::MAX, blocks: u64::MAX };
}

impl Surveyor<'_> {
    pub(super) fn framed(&self, image: Role) -> Option<&FramedImage> {
        let frames = self.update.extensions.frames.as_ref()?;
        match image {
            Role::Boot => frames.boot.as_ref(),
            Role::Root => frames.root.as_ref(),
            Role::Hash => None,
        }
    }

    /// The index of an image's frames; or why the image does not come in frames, which is said. It is not fetched where
    /// both together might be more than the stream.
    pub(super) fn index(
        &self,
        image: Role,
        framed: &FramedImage,
        stream: &TargetInfo,
        wanted: Wanted,
        indexes: &mut Vec<FilePlan>,
    ) -> Result<Result<VerifiedIndex, String>, Error> {
        let (data, index) = match (self.signed(&framed.data), self.signed(&framed.index)) {
            (Ok(data), Ok(index)) => (data, index),
            (Err(Error::Repository(trusted_repo::Error::MissingTarget { .. })), _)
            | (_, Err(Error::Repository(trusted_repo::Error::MissingTarget { .. }))) => {
                return Ok(Err(told(image, "its frames are named in the manifest and not signed")));
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        if index.length > blocks::index::MAX_LEN {
            return Ok(Err(told(image, "the index of its frames is too long")));
        }
        let (slot, name) = match image {
            Role::Boot => (Slot::BootIndex, "boot index"),
            Role::Root | Role::Hash => (Slot::RootIndex, "root index"),
        };
        let repository = self.repository();
        let (bytes, fetch_bytes): (VerifiedBytes, u64) = match repository.kept(slot, &index) {
            Some(kept) => (kept, 0),
            None => {
                let Wanted { image_len, blocks } = wanted;
                let frames = blocks::index::at_most(index.length, data.length, image_len, blocks);
                if index.length.saturating_add(frames) > stream.length {
                    return Ok(Err(told(image, "its frames and their index may be more than all of it")));
                }
                self.spend(index.length)?;
                let fetched = match fetch::small(self.context, repository, &index, Phase::Fetch, name) {
                    Err(error) if error.is_for_want_of_it() => {
                        return Ok(Err(told(
                            image,
                            &format!("failed to {}", host_io::report::chain(&error)),
                        )));
                    }
                    fetched => fetched?,
                };
                if self.access == Access::ReadWrite {
                    repository.keep(slot, &fetched);
                }
                (fetched, index.length)
            }
        };
        indexes.push(FilePlan { target: index.name, fetch_bytes });
        let parsed = VerifiedIndex::parse(image, bytes, &data.name, data.length);
        Ok(parsed.map_err(|unusable| said(image, &unusable)))
    }

    /// The index of root's frames, when it turns out later that so many blocks of its `len` bytes have to be fetched
    /// after all.
    ///
    /// # Errors
    /// When it does not come, or it would be more than may be fetched.
    pub fn late_root_index(&self, len: u64, blocks: u64) -> Result<Option<VerifiedIndex>, Error> {
        let Some(framed) = self.framed(Role::Root) else { return Ok(None) };
        let wanted = Wanted { image_len: len, blocks };
        let index = self.index(Role::Root, framed, &self.target(Role::Root)?, wanted, &mut Vec::new())?;
        Ok(index.ok().filter(|index| index.check_len(len).is_ok()))
    }
}

pub(super) fn said(image: Role, unusable: &Unusable) -> String {
    told(image, &format!("failed to {}", host_io::report::chain(unusable)))
}

/// The plain stream is taken instead, and people are told why.
fn told(image: Role, why: &str) -> String {
    tracing::warn!("the {image} image comes as a plain stream: {why}");
    why.to_owned()
}
