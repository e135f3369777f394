//! Packs, weighed against frames.
//!
//! A root pack brings its own hash image, so it is weighed before that is fetched. What frames would take is not known
//! exactly then: the hash image, the index, and what blocks of that image weigh on average. A boot pack is weighed against
//! frames whose index is at hand.

use signpost::Role;
use trusted_repo::Slot;
use update_metadata::PackedImage;
use verity::{BLOCK_SIZE, RootHash};

use super::surveyor::Surveyor;
use crate::error::Error;
use crate::flip::record;
use crate::look::fetch;
use crate::look::partitions::{Running, partition};
use crate::look::plan::{Bytes, FilePlan};
use crate::tell::events::Phase;
use crate::write::install::Target;
use crate::write::install::pack::base::{Partition, Running as Base};
use crate::write::install::pack::header::{Between, Unusable};
use crate::write::install::pack::{InPlace, VerifiedPack, look};

/// A pack that is to be applied, and what of its image is in place.
#[derive(Debug)]
pub struct Packed {
    /// The pack.
    pub pack: VerifiedPack,
    /// What is in place.
    pub there: InPlace,
}

impl Packed {
    /// What is fetched, copied and written.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.pack.bytes(&self.there)
    }
}

impl Surveyor<'_> {
    /// What a root pack takes that leads on from the running image, if there is one and frames may well take more.
    pub(super) fn root_pack(
        &self,
        target: &Target,
        running: &Running,
        headers: &mut Vec<FilePlan>,
    ) -> Result<Option<Box<Packed>>, Error> {
        let repository = self.repository();
        let (hash, stream) = (self.target(Role::Hash)?.length, self.target(Role::Root)?.length);
        let whole = hash.saturating_add(stream);
        let Some(packed) = self.pack(Role::Root, whole, target, running, headers)? else { return Ok(None) };
        let framed = self
            .framed(Role::Root)
            .and_then(|framed| Some((self.signed(&framed.index).ok()?, self.signed(&framed.data).ok()?)));
        let instead = match framed {
            None => whole,
            Some((index, data)) => {
                let blocks = u128::from(packed.pack.new_blocks(&packed.there));
                let frames = u128::from(data.length) * blocks * BLOCK_SIZE as u128
                    / u128::from(packed.pack.header().new_len.max(1));
                let kept = repository.kept(Slot::RootIndex, &index).is_some();
                let index = if kept { 0 } else { index.length };
                (hash + index).saturating_add(u64::try_from(frames).unwrap_or(u64::MAX)).min(whole)
            }
        };
        let fetch = packed.bytes().fetch;
        if fetch <= instead {
            return Ok(Some(packed));
        }
        tracing::info!("the root image comes without its pack, which would take {fetch} bytes");
        Ok(None)
    }

    /// What a boot pack takes that leads on from the running image, if there is one and that is less than `frames` bytes.
    pub(super) fn boot_pack(
        &self,
        frames: u64,
        target: &Target,
        running: &Running,
        headers: &mut Vec<FilePlan>,
    ) -> Result<Option<Box<Packed>>, Error> {
        let packed = self.pack(Role::Boot, frames, target, running, headers)?;
        Ok(packed.filter(|packed| packed.bytes().fetch < frames))
    }

    /// The pack of an image that leads on from the running one, unless it is too long to be worth its header.
    fn pack(
        &self,
        image: Role,
        instead: u64,
        target: &Target,
        running: &Running,
        headers: &mut Vec<FilePlan>,
    ) -> Result<Option<Box<Packed>>, Error> {
        if self.update.extensions.packs.is_empty() {
            return Ok(None);
        }
        let Some(base) = record::top_hash_if_known(&*running.hash) else { return Ok(None) };
        let Some((named, between)) = self.packed_image(image, base) else { return Ok(None) };
        match self.header(image, named, between, instead, headers)? {
            Ok(Some(pack)) => {
                // Whether the running tree can be read shows now, when nothing has changed.
                let (image_of, hash) = (partition(running, image), Partition(&*running.hash));
                if let Err(error) = Base::open(&pack, &Partition(image_of), &hash) {
                    self.without_its_pack(image, &format!("failed to {}", host_io::report::chain(&error)));
                    return Ok(None);
                }
                if pack.header().new_len > target.disk.len() {
                    let (need, have) = (Some(pack.header().new_len), target.disk.len());
                    return Err(Error::from(crate::write::install::Error::NoFit { image, need, have }));
                }
                let there = look(&*target.disk, &pack, self.crew())?;
                Ok(Some(Box::new(Packed { pack, there })))
            }
            Ok(None) => Ok(None),
            Err(why) => {
                self.without_its_pack(image, &why);
                Ok(None)
            }
        }
    }

    /// The pack of an image that leads on from `running`, and between which root images it leads. None of root where the
    /// manifest does not say to which.
    fn packed_image(&self, image: Role, running: RootHash) -> Option<(&PackedImage, Between)> {
        let base = running.to_string();
        let packs = self.update.extensions.packs.iter().find(|packs| packs.base == base)?;
        let wanted = packs.root_hash.as_ref().and_then(|hash| hash.parse().ok());
        let between = |wanted| Between { running, wanted };
        match image {
            // Boot has no tree: what comes out is held against the index of its frames.
            Role::Boot => Some((packs.boot.as_ref()?, between(wanted.unwrap_or(running)))),
            Role::Root => Some((packs.root.as_ref()?, between(wanted?))),
            Role::Hash => None,
        }
    }

    /// The header of a pack, kept or fetched; none where it cannot be worth it, and why not where that is a fault.
    fn header(
        &self,
        image: Role,
        named: &PackedImage,
        between: Between,
        instead: u64,
        headers: &mut Vec<FilePlan>,
    ) -> Result<Result<Option<VerifiedPack>, String>, Error> {
        let repository = self.repository();
        let (Ok(header), Ok(body)) = (self.signed(&named.header), self.signed(&named.body)) else {
            return Ok(Err("it is named in the manifest and not signed".to_owned()));
        };
        if header.length > blocks::pack::header::MAX_LEN {
            return Ok(Err("its header is too long".to_owned()));
        }
        let (slot, name) = match image {
            Role::Boot => (Slot::BootPack, "boot pack"),
            Role::Root | Role::Hash => (Slot::RootPack, "root pack"),
        };
        let (bytes, fetch_bytes) = match repository.kept(slot, &header) {
            Some(kept) => (kept, 0),
            None if header.length.saturating_add(body.length) >= instead => return Ok(Ok(None)),
            None => {
                self.spend(header.length)?;
                let fetched = match fetch::small(self.context, repository, &header, Phase::Fetch, name) {
                    // It is not there, or something else is: nothing depends on it.
                    Err(error) if error.is_for_want_of_it() || error.is_of_its_bytes() => {
                        return Ok(Err(format!("failed to {}", host_io::report::chain(&error))));
                    }
                    fetched => fetched?,
                };
                if self.access == host_io::Access::ReadWrite {
                    repository.keep(slot, &fetched);
                }
                (fetched, header.length)
            }
        };
        headers.push(FilePlan { target: header.name, fetch_bytes });
        let parsed = VerifiedPack::parse(image, &bytes, (&body.name, body.length), between);
        let why = |unusable: Unusable| format!("failed to {}", host_io::report::chain(&unusable));
        Ok(parsed.map(Some).map_err(why))
    }

    /// Frames are taken instead, and people are told why, in the history as well.
    fn without_its_pack(&self, image: Role, why: &str) {
        let note = format!("the {image} image comes without its pack: {why}");
        tracing::warn!("{note}");
        self.context.evidence.note(|evidence| evidence.notes.push(note));
    }
}
