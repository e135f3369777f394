//! What the disk holds of an update, and what follows from it: its plan, and how each image is made.
//!
//! No set is changed here. The hash image and the indexes of frames are fetched, because they say what to look for; both
//! sets are looked at; and the rules in [`crate::look::plan`] make the rest of it. Before a set is written the indexes are kept
//! until that is done: an update that is cut short goes on with them.

mod index;
mod pack;
mod recipe;
mod surveyor;

use std::sync::Arc;

use signpost::Role;
use trusted_repo::TargetInfo;
use verity::BLOCK_SIZE;

use crate::error::Error;
use crate::look::fetch;
use crate::look::partitions::{Running, Targets};
use crate::look::plan::update::{ImageBytes, cheapest};
use crate::look::plan::{Bytes, FilePlan, ImagePlan, Lookup, Origins, Parts, Plan, Way, frames, origin};
use crate::write::install::entrance::Entrances;
use crate::write::install::receipt::Receipts;
use crate::write::install::scan;
use crate::write::install::tail;
use crate::write::install::{self, Target, VerifiedIndex, VerifiedTree};

use self::index::{Wanted, said};
pub use self::pack::Packed;
pub use self::recipe::{BootRecipe, Recipes, RootRecipe, Survey, SystemRecipe};
pub use self::surveyor::Surveyor;

/// What of root's hash image there is to begin with.
enum Begun {
    /// All of it, and what it took.
    Tree(Arc<VerifiedTree>, ImagePlan),
    /// The pack that makes it.
    Packed(Box<Packed>),
}

impl Surveyor<'_> {
    /// Looks at both sets and plans.
    ///
    /// # Errors
    /// When something cannot be fetched or is not what was signed, when an image is too large for its partition, and
    /// when the update takes more than it may.
    pub fn survey(&self, targets: &Targets, running: &Running) -> Result<Survey, Error> {
        let staged = fetch::staged(self.context, self.opened, self.update)?;
        let receipts = Receipts::load(&*self.context.fs, &self.context.paths);
        let mut indexes = Vec::new();
        let begun = self.begin(targets, running, &receipts, &mut indexes)?;
        let (boot, boot_plan) = self.boot(targets, running, &receipts, &mut indexes)?;
        let (system, root_plan, hash) = match begun {
            Begun::Tree(tree, hash) => {
                let (root, plan) = self.root(&tree, targets, running, &mut indexes)?;
                (SystemRecipe::Known(tree, root), plan, hash)
            }
            Begun::Packed(packed) => {
                let [root, hash] = self.packed_plans(&packed)?;
                (SystemRecipe::Packed(packed), root, hash)
            }
        };
        let (from, to) = (&self.opened.machine.version, &self.update.version);
        let to_come: u64 = [&boot_plan, &root_plan].iter().map(|image| image.bytes.fetch()).sum();
        let plan = Plan::new(from, to, vec![boot_plan, root_plan, hash], indexes, staged);
        self.spend(to_come + plan.staged_to_come())?;
        Ok(Survey { plan, recipes: Recipes { system, boot, receipts } })
    }

    /// The hash image, or the pack that makes it.
    fn begin(
        &self,
        targets: &Targets,
        running: &Running,
        receipts: &Receipts,
        headers: &mut Vec<FilePlan>,
    ) -> Result<Begun, Error> {
        let signed = self.target(Role::Hash)?;
        let known = receipts.find(&signed).and_then(|sum| {
            let places = [&*targets.hash.disk, &*running.hash];
            places.into_iter().find_map(|partition| VerifiedTree::from_receipt(partition, sum))
        });
        let made = match known {
            Some(tree) => Some(tree),
            None => match self.root_pack(&targets.root, running, headers)? {
                // All that an earlier run had to do is done but for the hash image, and that follows from it.
                Some(packed) if packed.there.has_all() => {
                    VerifiedTree::of_groups(packed.there.into_hash_image())?
                }
                Some(packed) => {
                    packed.pack.check_fit(&*targets.hash.disk)?;
                    return Ok(Begun::Packed(packed));
                }
                None => None,
            },
        };
        let (tree, way, fetch) = match made {
            Some(tree) => (tree, Way::Local, 0),
            None => (self.fetched_tree(targets)?, Way::PlainStream, signed.length),
        };
        tree.check_fit(&*targets.root.disk, &*targets.hash.disk)?;
        let differing = scan::differing_blocks(&*targets.hash.disk, tree.raw());
        let len = tree.raw().len() as u64;
        let bytes = Bytes { fetch, copy: 0, skip: len - differing, write: differing };
        let bytes = ImageBytes::Known(bytes);
        let plan = ImagePlan { image: Role::Hash, target: signed.name, way, bytes, note: None };
        Ok(Begun::Tree(Arc::new(tree), plan))
    }

    fn fetched_tree(&self, targets: &Targets) -> Result<VerifiedTree, Error> {
        let signed = self.target(Role::Hash)?;
        self.spend(signed.length)?;
        fetch::hash_tree(self.context, self.repository(), &signed, targets.hash.disk.len())
    }

    /// What root and its hash image take by a pack.
    fn packed_plans(&self, packed: &Packed) -> Result<[ImagePlan; 2], Error> {
        let plan = |image, target: &str, bytes| {
            let (target, bytes) = (target.to_owned(), ImageBytes::Known(bytes));
            ImagePlan { image, target, way: Way::Pack, bytes, note: None }
        };
        let root = plan(Role::Root, packed.pack.body(), packed.bytes());
        let write = packed.pack.hash_len();
        let hash = plan(Role::Hash, &self.target(Role::Hash)?.name, Bytes { write, ..Bytes::default() });
        Ok([root, hash])
    }

    /// Root and its hash image without a pack, when it turns out later that one does not make all of it.
    ///
    /// # Errors
    /// As [`Surveyor::survey`].
    pub fn without_pack(
        &self,
        targets: &Targets,
        running: &Running,
    ) -> Result<(Arc<VerifiedTree>, RootRecipe), Error> {
        let tree = self.fetched_tree(targets)?;
        tree.check_fit(&*targets.root.disk, &*targets.hash.disk)?;
        let tree = Arc::new(tree);
        let (root, plan) = self.root(&tree, targets, running, &mut Vec::new())?;
        self.spend(plan.bytes.fetch())?;
        Ok((tree, root))
    }

    fn boot(
        &self,
        targets: &Targets,
        running: &Running,
        receipts: &Receipts,
        indexes: &mut Vec<FilePlan>,
    ) -> Result<(BootRecipe, ImagePlan), Error> {
        let signed = self.target(Role::Boot)?;
        let framed = self.framed(Role::Boot);
        let plan = |target: &str, way, bytes, note| {
            let target = target.to_owned();
            ImagePlan { image: Role::Boot, target, way, bytes, note }
        };
        let index_target = framed.and_then(|framed| self.signed(&framed.index).ok());
        for known in [Some(&signed), index_target.as_ref()].into_iter().flatten() {
            let Some(sum) = receipts.find(known) else { continue };
            if let Some(there) = scan::boot_in_place(&*targets.boot.disk, sum, self.crew())? {
                let write = tail::dirty(&*targets.boot.disk, sum.len, self.crew())?;
                let bytes = ImageBytes::Known(Bytes { skip: sum.len, write, ..Bytes::default() });
                return Ok((BootRecipe::InPlace(there), plan(&signed.name, Way::Local, bytes, None)));
            }
        }
        let stream = ImageBytes::FetchOnly { fetch_bytes: signed.length };
        let note = match framed
            .map(|framed| self.index(Role::Boot, framed, &signed, Wanted::ALL, indexes))
            .transpose()?
        {
            None => None,
            Some(Err(note)) => Some(note),
            Some(Ok(index)) => {
                let have = targets.boot.disk.len();
                if index.raw_len() > have {
                    let need = Some(index.raw_len());
                    return Err(Error::from(install::Error::NoFit { image: Role::Boot, need, have }));
                }
                let parts = self.boot_parts(&index, &targets.boot, running)?;
                let most = parts.bytes.fetch.min(signed.length);
                if let Some(packed) = self.boot_pack(most, &targets.boot, running, indexes)? {
                    let behind = tail::dirty(&*targets.boot.disk, index.raw_len(), self.crew())?;
                    let bytes = packed.bytes();
                    let bytes = Bytes { write: bytes.write + behind, ..bytes };
                    let plan = plan(packed.pack.body(), Way::Pack, ImageBytes::Known(bytes), None);
                    return Ok((BootRecipe::Packed(packed, Arc::new(index)), plan));
                }
                let frames = (Way::Frames, parts.bytes.fetch);
                if cheapest([frames, (Way::PlainStream, signed.length)]) == Way::Frames {
                    let way = if parts.runs.is_empty() { Way::Local } else { Way::Frames };
                    let behind = tail::dirty(&*targets.boot.disk, index.raw_len(), self.crew())?;
                    let bytes = Bytes { write: parts.bytes.write + behind, ..parts.bytes };
                    let plan = plan(index.data(), way, ImageBytes::Known(bytes), None);
                    return Ok((BootRecipe::Parts(parts, Arc::new(index)), plan));
                }
                Some(format!("its frames would take {} bytes", parts.bytes.fetch))
            }
        };
        Ok((BootRecipe::Stream, plan(&signed.name, Way::PlainStream, stream, note)))
    }

    /// The parts of boot as it lies there now.
    ///
    /// # Errors
    /// When a signal asks to stop.
    pub fn boot_parts(
        &self,
        index: &VerifiedIndex,
        target: &Target,
        running: &Running,
    ) -> Result<Parts, Error> {
        let wanted: Vec<_> = (0..index.frames()).map(|frame| index.raw_digest(frame)).collect();
        let there = scan::frames_in_place(&*target.disk, index, self.crew())?;
        let copies = if there == wanted {
            Vec::new()
        } else {
            scan::frames_to_copy(&*running.boot, index, self.crew())?
        };
        Ok(Parts::of(origin::of_frames(&wanted, &there, &copies), &index.cut()))
    }

    fn root(
        &self,
        tree: &VerifiedTree,
        targets: &Targets,
        running: &Running,
        indexes: &mut Vec<FilePlan>,
    ) -> Result<(RootRecipe, ImagePlan), Error> {
        let signed = self.target(Role::Root)?;
        let framed = self.framed(Role::Root);
        let plan = |target: &str, way, bytes, note| {
            let (target, bytes) = (target.to_owned(), ImageBytes::Known(bytes));
            ImagePlan { image: Role::Root, target, way, bytes, note }
        };
        let mut origins = scan::blocks_in_place(&*targets.root.disk, tree.tree(), self.crew())?;
        if origins.any_fetched() {
            let lookup = self.lookup(tree, running, framed.is_some())?;
            origins = origin::of_root(tree.tree(), &origins, &lookup);
        }
        let image_len = tree.tree().data_len();
        if !origins.any_fetched() {
            let parts = Parts::of_disk(origins, image_len, BLOCK_SIZE as u64);
            let plan = plan(&signed.name, Way::Local, parts.bytes, None);
            return Ok((RootRecipe::Parts(parts, None), plan));
        }
        let here = frames::count(&origins, image_len, BLOCK_SIZE as u64);
        let wanted = Wanted { image_len, blocks: (here.write - here.copy).div_ceil(BLOCK_SIZE as u64) };
        let index =
            framed.map(|framed| self.index(Role::Root, framed, &signed, wanted, indexes)).transpose()?;
        let index = index.map(|index| {
            index.and_then(|index| match index.check_len(image_len) {
                Ok(()) => Ok(index),
                Err(unusable) => Err(said(Role::Root, &unusable)),
            })
        });
        let note = match index {
            None => None,
            Some(Err(note)) => Some(note),
            Some(Ok(index)) => {
                let stream = self.left_of_stream(&signed, &origins);
                let parts = Parts::of(origins, &index.cut());
                let frames = (Way::Frames, parts.bytes.fetch);
                if cheapest([frames, (Way::PlainStream, stream)]) == Way::Frames {
                    let plan = plan(index.data(), Way::Frames, parts.bytes, None);
                    return Ok((RootRecipe::Parts(parts, Some(Arc::new(index))), plan));
                }
                // The stream is not asked which blocks could have been copied.
                origins = parts.origins;
                Some(format!("its frames would take {} bytes", parts.bytes.fetch))
            }
        };
        // What comes by the stream is not copied as well.
        let write = frames::count(&origins, image_len, BLOCK_SIZE as u64).write;
        let fetch = self.left_of_stream(&signed, &origins);
        let bytes = Bytes { fetch, copy: 0, skip: image_len - write, write };
        Ok((RootRecipe::Stream(origins), plan(&signed.name, Way::PlainStream, bytes, note)))
    }

    /// How much of the stream of root comes behind what is in place, as far as it is known where that is.
    fn left_of_stream(&self, signed: &TargetInfo, origins: &Origins) -> u64 {
        let known = Entrances::load(signed, &*self.context.fs, &self.context.paths);
        let entrance = known.within(origins.in_place_from_the_start());
        signed.length - entrance.map_or(0, |entrance| entrance.midway.at)
    }

    /// Where the running root has which block. Its own tree tells, if it was made with the same salt; else root is
    /// hashed once, if that seems to save anything.
    fn lookup(&self, tree: &VerifiedTree, running: &Running, framed: bool) -> Result<Lookup, Error> {
        // A running tree that cannot be read saves nothing, and is no reason to stop.
        if let Some(lookup) = scan::lookup_in_tree(&*running.hash, &tree.tree().superblock().salt) {
            return Ok(lookup);
        }
        if !framed {
            return Ok(Lookup::default());
        }
        Ok(scan::lookup_over(&*running.root, tree.tree(), self.crew())?)
    }
}
