//! Images by a pack; what it does not make comes by frames.

use std::sync::Arc;

use signpost::Role;

use super::Job;
use super::system::{Came, System};
use crate::error::Error;
use crate::look::partitions::{Targets, partition};
use crate::look::plan::{Origins, Parts, Way};
use crate::look::survey::{Packed, RootRecipe};
use crate::write::install::pack::apply::{Applied, apply};
use crate::write::install::pack::base::{Partition, Running};
use crate::write::install::parts::{Assembly, RepositoryFrames};
use crate::write::install::target::{BootWritten, Tally, Target};
use crate::write::install::{VerifiedIndex, VerifiedTree};

impl Job<'_> {
    /// Makes root, and its hash image in memory, by a pack. Where that does not make all of it the hash image is fetched,
    /// and what is missing is looked for as if there had been no pack.
    pub(super) fn unpack_system(&self, targets: &Targets, packed: Box<Packed>) -> Result<System, Error> {
        let fetched = || self.opened.repository.bytes_fetched();
        let before = fetched();
        let (all, tally) = self.unpack(&targets.root, packed)?;
        let by_pack = Came { way: Way::Pack, fetched: fetched() - before };
        let hash_image = all.and_then(|there| {
            let made = there.into_hash_image();
            if made.is_none() {
                self.without_its_pack(
                    Role::Root,
                    "the hash image that follows from it is not what its header says",
                );
            }
            made
        });
        if let Some(tree) = VerifiedTree::of_groups(hash_image)? {
            let len = tree.tree().data_len();
            let blocks = usize::try_from(tree.tree().data_blocks()).unwrap_or(usize::MAX);
            let in_place = Origins::fetched_again(blocks, &[]);
            let parts = Parts::of_disk(in_place, len, verity::BLOCK_SIZE as u64);
            let (root, none) = (RootRecipe::Parts(parts, None), Came { fetched: 0, ..by_pack });
            return Ok(System { tree: Arc::new(tree), root, earlier: tally, came: Some((by_pack, none)) });
        }
        let before_hash = fetched();
        let (tree, root) = self.surveyor().without_pack(targets, self.running)?;
        let hash = Came { way: Way::PlainStream, fetched: fetched() - before_hash };
        let by_frames = Came { way: Way::Frames, ..by_pack };
        Ok(System { tree, root, earlier: tally, came: Some((by_frames, hash)) })
    }

    /// Makes boot by a pack, and what is missing then by frames.
    pub(super) fn unpack_boot(
        &self,
        target: Target,
        packed: Box<Packed>,
        index: &Arc<VerifiedIndex>,
    ) -> Result<(BootWritten, Way), Error> {
        let (_, tally) = self.unpack(&target, packed)?;
        let parts = self.surveyor().boot_parts(index, &target, self.running)?;
        let mut assembly = Assembly::boot(target, index)?;
        if parts.bytes.write == 0 {
            return Ok((assembly.into_boot().after(tally), Way::Pack));
        }
        self.budget.check(self.opened.repository.bytes_fetched(), parts.bytes.fetch)?;
        let way = self.boot_from_parts(&mut assembly, &parts, index)?;
        Ok((assembly.into_boot().after(tally), way))
    }

    /// Applies a pack as far as it goes. What is in place then is only said if it is all of the image.
    fn unpack(
        &self,
        target: &Target,
        packed: Box<Packed>,
    ) -> Result<(Option<crate::write::install::pack::InPlace>, Tally), Error> {
        let Packed { pack, there } = *packed;
        let image = pack.image();
        let (running, hash) = (Partition(partition(self.running, image)), Partition(&*self.running.hash));
        let base = match Running::open(&pack, &running, &hash) {
            Ok(base) => base,
            Err(error) => {
                self.without_its_pack(image, &format!("failed to {}", host_io::report::chain(&error)));
                return Ok((None, Tally::default()));
            }
        };
        let repository = &self.opened.repository;
        let frames = RepositoryFrames { repository, data: pack.body() };
        match apply(&pack, there, &base, target, &frames, self.crew()) {
            Ok(Applied { there, tally, failed }) => {
                if let Some(failed) = failed {
                    let (groups, why) = (failed.groups, &failed.why);
                    let rotten = if failed.rotten { ": the disk may be failing" } else { "" };
                    self.without_its_pack(
                        image,
                        &format!("{groups} groups of 512 KiB cannot be made: {why}{rotten}"),
                    );
                }
                Ok((there.has_all().then_some(there), tally))
            }
            Err(error) => {
                let error = Error::from(error);
                if !error.is_for_want_of_it() {
                    return Err(error);
                }
                self.without_its_pack(image, &format!("failed to {}", host_io::report::chain(&error)));
                Ok((None, Tally::default()))
            }
        }
    }

    /// Says that some of an image, or all of it, comes by frames after all.
    fn without_its_pack(&self, image: Role, why: &str) {
        let note = format!("what the pack of the {image} image does not make is fetched as frames: {why}");
        tracing::warn!("{note}");
        self.context.evidence.note(|evidence| evidence.notes.push(note));
    }
}
