//! One update into one set that may be written: the next boot's files made live, the images made, synced, read back, and
//! noted (`docs/design.md`, "Writing").

mod pack;
mod stream;
mod system;

use std::sync::Arc;

use host_io::{Access, Medium};
use semver::Version;
use signpost::{Role, Set, SetName};
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::manifest::is_one;
use trusted_repo::{CacheId, Slot, TargetInfo, Turn, make_current};
use update_metadata::Update;
use verity::RootHash;

use crate::context::Context;
use crate::decide::standing::ChosenBy;
use crate::error::Error;
use crate::flip::record::{Entry, Record};
use crate::look::fetch::{self, Opened};
use crate::look::partitions::{Running, Targets};
use crate::look::plan::{Budget, Origins, Parts, Plan, Way};
use crate::look::survey::{BootRecipe, Recipes, RootRecipe, Surveyor, SystemRecipe};
use crate::tell::evidence::{self, ImageEvidence};
use crate::write::install::durable::Synced;
use crate::write::install::parts::{Assembly, RepositoryFrames};
use crate::write::install::plain::{keep_boot, keep_hash, write_boot, write_hash};
use crate::write::install::receipt::Receipts;
use crate::write::install::sum::RawSum;
use crate::write::install::target::{BootWritten, HashWritten, RootWritten, Tally};
use crate::write::install::{self, Crew, ReadBack, Target, VerifiedIndex, VerifiedTree, scan};

use self::system::{Came, System};

/// One chosen update on its way to one set.
pub struct Job<'a> {
    /// The host.
    pub context: &'a Context,
    /// The repository that offers it.
    pub opened: &'a Opened,
    /// The update.
    pub update: &'a Update,
    /// How much may be fetched.
    pub budget: Budget,
    /// The set that takes it.
    pub set: SetName,
    /// What was planned.
    pub plan: &'a Plan,
    /// The running set.
    pub running: &'a Running,
}

/// The three images of a set, written or found to be there, and how that came about.
struct Images {
    boot: (BootWritten, Came),
    root: (RootWritten, Came),
    hash: (HashWritten, Came),
}

/// What parts made of root.
enum Made {
    /// All of it.
    All(Way),
    /// What is fetched by these origins is missing, and there are no frames to take it from.
    AllBut(Origins),
}

impl Came {
    const NOT_AT_ALL: Self = Self { way: Way::Local, fetched: 0 };
}

impl Job<'_> {
    /// Whether `inactive` waits to be booted with this very update.
    #[must_use]
    pub fn is_staged(&self, inactive: &Set, root_hash: RootHash) -> bool {
        let Update { variant, version, .. } = self.update;
        let record = Record::load_or_empty(&*self.context.fs, &self.context.paths);
        let entry = record.holds(inactive.name, Some(root_hash));
        let is_this = entry.is_some_and(|entry| entry.version == *version && entry.variant == *variant);
        is_this && inactive.bits.tries > 0 && !inactive.bits.successful
    }

    /// Fills the cleared set and proves what it holds then. `leaving` is what the running set holds.
    ///
    /// # Errors
    /// When anything does not come, is not what was signed, or is not on the medium in the end. The set must stay
    /// cleared then.
    pub fn fill(
        &self,
        cache: &CacheId,
        leaving: Option<Entry>,
        recipes: Recipes,
        targets: Targets,
    ) -> Result<ReadBack, Error> {
        let Context { fs, paths, evidence, .. } = self.context;
        make_current(&**fs, paths, cache).map_err(Error::Cache)?;
        // Before the first write: nothing may say any more that the old version is in there.
        let mut record = Record::load_or_empty(&**fs, paths).without(self.set);
        if let Some(leaving) = leaving {
            record = record.with(self.running.set, leaving);
        }
        record.save(&**fs, paths)?;

        let query = staged_names(self.plan);
        self.opened.repository.set_query("migrations", &query);
        let Recipes { system, boot, mut receipts } = recipes;
        let timer = evidence.time("write");
        let System { tree, root, earlier, came } = match system {
            SystemRecipe::Known(tree, root) => System { tree, root, earlier: Tally::default(), came: None },
            SystemRecipe::Packed(packed) => self.unpack_system(&targets, packed)?,
        };
        let hash_came = came.map_or_else(|| self.planned(Role::Hash), |(_, hash)| hash);
        // The hash image comes as soon as it is known: a run after one that was cut short goes by it and need not fetch it
        // again.
        let hash = (write_hash(targets.hash, &tree, self.crew())?, hash_came);
        receipts.note(&self.signed(Role::Hash)?, tree.sum(), &**fs, paths);
        let boot = self.counted(|| self.boot(targets.boot, boot, &mut receipts))?;
        let (root, root_came) = self.counted(|| self.root(targets.root, &tree, root))?;
        let root_came = match came {
            Some((by_pack, _)) => Came { fetched: by_pack.fetched + root_came.fetched, ..by_pack },
            None => root_came,
        };
        let root = (root.after(earlier), root_came);
        drop(timer);
        let read_back = self.prove(Images { boot, root, hash }, &tree, &mut receipts)?;

        let Update { variant, version, .. } = self.update;
        record
            .with(self.set, entry(self.context, variant.clone(), version.clone(), tree.root_hash()))
            .save(&**fs, paths)?;
        self.context.waiter.check()?;
        Ok(read_back)
    }

    /// Proves that a set which is said to hold everything does. Nothing is written to it.
    ///
    /// # Errors
    /// When it does not.
    pub fn keep(
        &self,
        cache: &CacheId,
        leaving: Option<Entry>,
        recipes: Recipes,
        targets: Targets,
    ) -> Result<ReadBack, Error> {
        let Context { fs, paths, .. } = self.context;
        let Recipes { system, boot, mut receipts } = recipes;
        let SystemRecipe::Known(tree, _) = system else {
            unreachable!("a set is kept only when all of it is known to be there")
        };
        let hash = (keep_hash(targets.hash, &tree), self.planned(Role::Hash));
        let boot = match boot {
            BootRecipe::InPlace(there) => keep_boot(targets.boot, there),
            BootRecipe::Parts(_, index) => Assembly::boot(targets.boot, &index)?.into_boot(),
            BootRecipe::Packed(..) | BootRecipe::Stream => {
                unreachable!("a set is kept only when its boot image is known to be there")
            }
        };
        let root = Assembly::root(targets.root, &tree)?.into_root();
        let images = Images { boot: (boot, Came::NOT_AT_ALL), root: (root, Came::NOT_AT_ALL), hash };
        let read_back = self.prove(images, &tree, &mut receipts)?;
        make_current(&**fs, paths, cache).map_err(Error::Cache)?;
        if let Some(leaving) = leaving {
            Record::load_or_empty(&**fs, paths).with(self.running.set, leaving).save(&**fs, paths)?;
        }
        self.context.waiter.check()?;
        Ok(read_back)
    }

    fn crew(&self) -> Crew<'_> {
        Crew::new(&self.context.waiter, &self.context.events)
    }

    /// How an image was to come.
    fn planned(&self, image: Role) -> Came {
        let planned = self.plan.image(image);
        Came { way: planned.way, fetched: planned.bytes.fetch() }
    }

    fn signed(&self, image: Role) -> Result<TargetInfo, Error> {
        let name = crate::look::plan::target_of(self.update, image);
        fetch::signed(self.context, &self.opened.repository, name)
    }

    /// Does `make` and sees what is received meanwhile.
    fn counted<T>(&self, make: impl FnOnce() -> Result<(T, Way), Error>) -> Result<(T, Came), Error> {
        let before = self.opened.repository.bytes_fetched();
        let (made, way) = make()?;
        Ok((made, Came { way, fetched: self.opened.repository.bytes_fetched() - before }))
    }

    fn boot(
        &self,
        target: Target,
        recipe: BootRecipe,
        receipts: &mut Receipts,
    ) -> Result<(BootWritten, Way), Error> {
        match recipe {
            BootRecipe::InPlace(there) => Ok((keep_boot(target, there), Way::Local)),
            BootRecipe::Parts(parts, index) => {
                let mut assembly = Assembly::boot(target, &index)?;
                match self.boot_from_parts(&mut assembly, &parts, &index) {
                    Ok(way) => Ok((assembly.into_boot(), way)),
                    Err(error) if error.is_for_want_of_it() => {
                        self.stream_instead(Role::Boot, &error)?;
                        let (target, earlier) = assembly.give_up();
                        let (boot, way) = self.boot(target, BootRecipe::Stream, receipts)?;
                        Ok((boot.after(earlier), way))
                    }
                    Err(error) => Err(error),
                }
            }
            BootRecipe::Packed(packed, index) => self.unpack_boot(target, packed, &index),
            BootRecipe::Stream => {
                let write = |source| write_boot(target.clone(), source, self.crew());
                let boot = self.streamed(Role::Boot, write)?;
                if let Some(sum) = boot.sum() {
                    receipts.note(&self.signed(Role::Boot)?, sum, &*self.context.fs, &self.context.paths);
                }
                Ok((boot, Way::PlainStream))
            }
        }
    }

    fn boot_from_parts(
        &self,
        assembly: &mut Assembly,
        parts: &Parts,
        index: &VerifiedIndex,
    ) -> Result<Way, Error> {
        let rotten = self.put(assembly, parts, Some(index))?;
        if rotten.is_empty() {
            return Ok(if parts.runs.is_empty() { Way::Local } else { Way::Frames });
        }
        self.put_instead(assembly, &rotten, index)?;
        Ok(Way::Frames)
    }

    fn root(
        &self,
        target: Target,
        tree: &Arc<VerifiedTree>,
        recipe: RootRecipe,
    ) -> Result<(RootWritten, Way), Error> {
        let (parts, index) = match recipe {
            RootRecipe::Stream(origins) => return self.root_from_stream(target, tree, &origins),
            RootRecipe::Parts(parts, index) => (parts, index),
        };
        let mut assembly = Assembly::root(target, tree)?;
        let missing = self.root_from_parts(&mut assembly, &parts, index, tree);
        let (target, earlier, origins) = match missing {
            Ok(Made::All(way)) => return Ok((assembly.into_root(), way)),
            Ok(Made::AllBut(origins)) => {
                let (target, earlier) = assembly.give_up();
                (target, earlier, origins)
            }
            Err(error) if error.is_for_want_of_it() => {
                self.stream_instead(Role::Root, &error)?;
                let (target, earlier) = assembly.give_up();
                let origins = scan::blocks_in_place(&*target.disk, tree.tree(), self.crew())?;
                (target, earlier, origins)
            }
            Err(error) => return Err(error),
        };
        let (root, way) = self.root_from_stream(target, tree, &origins)?;
        Ok((root.after(earlier), way))
    }

    fn root_from_parts(
        &self,
        assembly: &mut Assembly,
        parts: &Parts,
        index: Option<Arc<VerifiedIndex>>,
        tree: &VerifiedTree,
    ) -> Result<Made, Error> {
        let rotten = self.put(assembly, parts, index.as_deref())?;
        if rotten.is_empty() {
            return Ok(Made::All(if index.is_some() { Way::Frames } else { Way::Local }));
        }
        let index = match index {
            Some(index) => Some(index),
            None => {
                let (len, blocks) = (tree.tree().data_len(), rotten.len() as u64);
                self.surveyor().late_root_index(len, blocks)?.map(Arc::new)
            }
        };
        if let Some(index) = index {
            self.put_instead(assembly, &rotten, &index)?;
            return Ok(Made::All(Way::Frames));
        }
        // All of it, for the sake of what is missing.
        self.spend(Role::Root, rotten.len(), self.signed(Role::Root)?.length)?;
        Ok(Made::AllBut(Origins::fetched_again(parts.origins.len(), &rotten)))
    }

    /// Says that an image cannot come in frames after all, and sees whether there is budget for its stream.
    fn stream_instead(&self, image: Role, error: &Error) -> Result<(), Error> {
        let bytes = self.signed(image)?.length;
        let note = format!(
            "the {image} image comes as a plain stream of {bytes} bytes after all: failed to {}",
            host_io::report::chain(error)
        );
        tracing::warn!("{note}");
        self.context.evidence.note(|evidence| evidence.notes.push(note));
        Ok(self.budget.check(self.opened.repository.bytes_fetched(), bytes)?)
    }

    fn put(
        &self,
        assembly: &mut Assembly,
        parts: &Parts,
        index: Option<&VerifiedIndex>,
    ) -> Result<Vec<usize>, Error> {
        let running = match assembly.image() {
            Role::Boot => &*self.running.boot,
            Role::Root | Role::Hash => &*self.running.root,
        };
        let repository = &self.opened.repository;
        let frames = index.map(|index| (index, RepositoryFrames { repository, data: index.data() }));
        let frames = frames.as_ref().map(|(index, frames)| (*index, frames));
        Ok(assembly.put(parts, running, frames, self.crew())?)
    }

    /// Fetches what was to be copied and is not what its digest said.
    fn put_instead(
        &self,
        assembly: &mut Assembly,
        rotten: &[usize],
        index: &VerifiedIndex,
    ) -> Result<(), Error> {
        let parts = Parts::instead_of(rotten, &index.cut());
        self.spend(assembly.image(), rotten.len(), parts.bytes.fetch)?;
        let none = self.put(assembly, &parts, Some(index))?;
        debug_assert!(none.is_empty(), "nothing was copied");
        Ok(())
    }

    /// Says that the running set has rotten parts, and sees whether there is budget for fetching `bytes` instead.
    fn spend(&self, image: Role, rotten: usize, bytes: u64) -> Result<(), Error> {
        let unit = if image == Role::Boot { "frames" } else { "blocks" };
        let note = format!(
            "{rotten} {unit} of the running {image} partition are not what their digests say, or cannot be read; {bytes} bytes are fetched instead"
        );
        tracing::warn!("{note}: the disk may be failing");
        self.context.evidence.note(|evidence| evidence.notes.push(note));
        Ok(self.budget.check(self.opened.repository.bytes_fetched(), bytes)?)
    }

    fn surveyor(&self) -> Surveyor<'_> {
        let Self { context, opened, update, budget, .. } = *self;
        Surveyor { context, opened, update, budget, access: Access::ReadWrite }
    }

    /// Writes an image from its stream. Where a mirror's bytes are not the signed ones it is asked once more where they
    /// were put together from parts, then the next one for all of it, until each of them has had its turn.
    fn streamed<T>(
        &self,
        image: Role,
        write: impl Fn(Lz4Reader) -> Result<T, install::Error>,
    ) -> Result<T, Error> {
        let repository = &self.opened.repository;
        let mut turns = repository.places();
        loop {
            let place = repository.first_place();
            match write(self.stream(image)?) {
                Err(error) if error.is_of_source() => {
                    let next = match repository.blame(place) {
                        Turn::SameInOnePiece => "it is asked for in one piece",
                        Turn::Next => {
                            turns -= 1;
                            "the next mirror is asked"
                        }
                    };
                    if turns == 0 {
                        return Err(error.into());
                    }
                    tracing::warn!("{next}: failed to {}", host_io::report::chain(&error));
                    self.budget.check(repository.bytes_fetched(), self.signed(image)?.length)?;
                }
                done => return Ok(done?),
            }
        }
    }

    fn stream(&self, image: Role) -> Result<Lz4Reader, Error> {
        let signed = self.signed(image)?;
        let _inside = self.context.waiter.enter();
        Ok(Lz4Reader::new(self.opened.repository.open_target(&signed)?))
    }

    /// Syncs, reads back, and notes what was found.
    fn prove(&self, images: Images, tree: &VerifiedTree, receipts: &mut Receipts) -> Result<ReadBack, Error> {
        let Context { evidence, fs, paths, .. } = self.context;
        let Images { boot, root, hash } = images;
        let ((boot, boot_came), (root, root_came), (hash, hash_came)) = (boot, root, hash);
        let synced = {
            let _timer = evidence.time("sync");
            Synced::new(boot, root, hash, self.crew())?
        };
        let [boot, root, hash] = synced.tallies();
        let account =
            [(Role::Boot, boot_came, boot), (Role::Root, root_came, root), (Role::Hash, hash_came, hash)];
        let read_back = {
            let _timer = evidence.time("read-back");
            synced.read_back(self.crew())?
        };
        // Only now is it known that these are the bytes.
        receipts.note(&self.signed(Role::Boot)?, read_back.boot(), &**fs, paths);
        // Nothing of this set has to be fetched once more.
        let served = [Slot::BootIndex, Slot::RootIndex, Slot::BootPack, Slot::RootPack];
        self.opened.repository.forget(&served);
        evidence.note(|evidence| {
            evidence.syncs += Synced::SYNCS;
            evidence.read_back = Some(medium(read_back.medium()).to_owned());
            evidence.bytes = bytes(self.opened.repository.bytes_fetched(), read_back.tally());
            for (image, came, tally) in account {
                let found = image_evidence(image, came, tally, tree, read_back.boot());
                evidence.images.insert(image.as_str().to_owned(), found);
            }
        });
        Ok(read_back)
    }
}

fn image_evidence(image: Role, came: Came, tally: Tally, tree: &VerifiedTree, boot: RawSum) -> ImageEvidence {
    ImageEvidence {
        way: Some(came.way.as_str().to_owned()),
        bytes: bytes(came.fetched, tally),
        sha256: match image {
            Role::Boot => Some(hex::encode(boot.sha256)),
            Role::Root => None,
            Role::Hash => Some(hex::encode(tree.sum().sha256)),
        },
        root_hash: (image == Role::Root).then(|| tree.root_hash().to_string()),
    }
}

/// What a set holds, as it is recorded.
#[must_use]
pub fn entry(context: &Context, variant: String, version: Version, root_hash: RootHash) -> Entry {
    let arch = context.host.arch().to_owned();
    let recorded = context.clock.now();
    let (chosen_by, against, insisted) = (ChosenBy::Rule, None, Vec::new());
    Entry { variant, arch, version, root_hash, recorded, chosen_by, against, insisted }
}

fn bytes(fetched: u64, tally: Tally) -> evidence::Bytes {
    let Tally { written, copied, skipped } = tally;
    evidence::Bytes { fetched, copied, skipped, written }
}

fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Device => "device",
        Medium::ImageFile => "image-file",
    }
}

/// The value of the query parameter: the migrations, then the manifest.
fn staged_names(plan: &Plan) -> String {
    let names = plan.staged.iter().map(|file| file.target.as_str());
    let (manifest, migrations): (Vec<&str>, Vec<&str>) = names.partition(|name| is_one(name));
    [migrations, manifest].concat().join(",")
}
