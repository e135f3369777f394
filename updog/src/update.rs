//! One update, from the choice to the flip. The order is the promise: until the inactive set is cleared nothing has
//! changed, and from then on, whatever happens, that set cannot boot until everything in it was read back
//! (`docs/design.md`, "Writing").

use std::sync::Arc;

use host_io::{Access, OperationLock};
use semver::Version;
use signpost::{Command, OsDisk, Partition, Role, Set, SetName};
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::{CacheId, Repository, make_current};
use update_metadata::Update;
use verity::RootHash;

use crate::apply::{self, Proof};
use crate::choose::{Choice, Machine, Request, Wanted, Waves, choose};
use crate::config::{Config, VersionLock};
use crate::context::Context;
use crate::error::Error;
use crate::events::Event;
use crate::evidence;
use crate::fetch::{self, Opened};
use crate::guard;
use crate::install::durable::Synced;
use crate::install::write::{Target, write_boot, write_hash, write_root};
use crate::install::{ReadBack, VerifiedTree};
use crate::plan::{MANIFEST, Plan};
use crate::record::{self, Entry, Record};

/// What a person or the API asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// `--image`: this version and no other.
    pub image: Option<Version>,
    /// `--variant`: another flavour than the running one.
    pub variant: Option<String>,
    /// `--ignore-waves`.
    pub ignore_waves: bool,
}

/// Where an update ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// With the inactive set valid: `update-image`.
    Staged,
    /// With the inactive set booting next: `update`.
    Activated,
}

/// How an update ended, if it did not fail.
#[derive(Debug)]
pub enum Outcome {
    /// There was nothing to do; the choice says why.
    Nothing {
        /// Why.
        choice: Choice,
        /// For which host.
        machine: Machine,
        /// Bytes received over the network.
        bytes_fetched: u64,
    },
    /// The inactive set holds the update.
    Installed {
        /// What was installed.
        update: Box<Update>,
        /// Where.
        set: SetName,
        /// What it took, and what the read-back proves.
        read_back: ReadBack,
        /// Bytes received over the network, metadata included.
        bytes_fetched: u64,
    },
}

/// What was asked for, as the rule takes it: a version that was named goes before the version lock.
#[must_use]
pub fn request(asked: &Asked, config: &Config) -> Request {
    let wanted = match (&asked.image, &config.version_lock) {
        (Some(version), _) => Wanted::Image(version.clone()),
        (None, VersionLock::At(version)) => Wanted::Locked(version.clone()),
        (None, VersionLock::Latest) => Wanted::Latest,
    };
    let waves = if asked.ignore_waves || config.ignore_waves { Waves::Ignore } else { Waves::Respect };
    Request { wanted, waves }
}

/// Updates the host.
///
/// # Errors
/// [`Error::AfterClear`] when the inactive set was cleared already and stays so. An error of the flip itself leaves the
/// update staged. With any other error nothing has changed.
pub fn run(context: &Context, asked: &Asked, finish: Finish) -> Result<Outcome, Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.events.tell(&Event::Started);
    context.evidence.begin();
    let result = under_lock(context, asked, finish);
    match &result {
        Ok(Outcome::Nothing { .. }) => context.evidence.end(evidence::Outcome::Nothing, None),
        Ok(Outcome::Installed { .. }) => context.evidence.end(finish.into(), None),
        Err(error) if error.is_stop() => context.evidence.end(evidence::Outcome::Cancelled, Some(error)),
        Err(error) => context.evidence.end(evidence::Outcome::Failed, Some(error)),
    }
    result
}

impl From<Finish> for evidence::Outcome {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Staged => Self::Staged,
            Finish::Activated => Self::Activated,
        }
    }
}

fn under_lock(context: &Context, asked: &Asked, finish: Finish) -> Result<Outcome, Error> {
    let opened = fetch::open(context, asked.variant.as_deref())?;
    let Opened { repository, manifest, machine, config } = &opened;
    let update = match choose(manifest, machine, &request(asked, config), context.clock.now()) {
        Choice::Update(update) => update,
        choice @ (Choice::UpToDate | Choice::Held(_) | Choice::NotOffered { .. }) => {
            let machine = machine.clone();
            return Ok(Outcome::Nothing { choice, machine, bytes_fetched: repository.bytes_fetched() });
        }
    };

    context.evidence.note(|evidence| {
        evidence.to = Some(update.version.clone());
        evidence.variant = Some(update.variant.clone());
        evidence.arch = Some(update.arch.clone());
    });
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let inactive = guard::inactive_for_update(&status)?;
    let set = inactive.name;
    context.evidence.note(|evidence| evidence.set = Some(set.to_string()));
    let targets = Targets::open(&disk, inactive)?;
    repository.set_query("target", &update.version.to_string());
    let plan = fetch::plan(&opened, &update)?;
    context.events.tell(&Event::Plan { plan: &plan });

    let job =
        Job { context, repository, disk: &disk, running: status.active, set, update: &update, plan: &plan };
    let ready = job.prepare(targets)?;
    context.waiter.check()?;
    // From here on there is something to tell, also when this is cut short.
    context.evidence.keep();
    disk.apply(Command::ClearInactive)?;
    let read_back = job.fill(ready).map_err(|source| Error::AfterClear {
        version: update.version.clone(),
        set,
        source: Box::new(source),
    })?;
    if finish == Finish::Activated {
        apply::activate(&disk, Proof::ReadBack(&read_back))?;
    }
    Ok(Outcome::Installed { update, set, read_back, bytes_fetched: repository.bytes_fetched() })
}

/// The partitions of the inactive set, opened.
struct Targets {
    boot: Target,
    root: Target,
    hash: Target,
}

impl Targets {
    fn open(disk: &OsDisk, set: &Set) -> Result<Self, Error> {
        let open = |image: Role, partition: &Partition| -> Result<Target, Error> {
            let opened = disk.open_partition(set.name, image, Access::ReadWrite)?;
            Ok(Target { image, disk: opened, device: partition.node.display().to_string() })
        };
        Ok(Self {
            boot: open(Role::Boot, &set.boot)?,
            root: open(Role::Root, &set.root)?,
            hash: open(Role::Hash, &set.hash)?,
        })
    }
}

/// What is at hand before the clear: the tree that fits, the next boot's files stored beside the ones in use, and what
/// the running set holds, which nothing else will tell once it is the inactive one.
struct Ready {
    targets: Targets,
    tree: Arc<VerifiedTree>,
    cache: CacheId,
    running: Option<Entry>,
}

/// One chosen update on its way to one set.
struct Job<'a> {
    context: &'a Context,
    repository: &'a Repository,
    disk: &'a OsDisk,
    running: SetName,
    set: SetName,
    update: &'a Update,
    plan: &'a Plan,
}

impl Job<'_> {
    /// Everything that can be fetched and checked while nothing has changed.
    fn prepare(&self, targets: Targets) -> Result<Ready, Error> {
        let Self { context, repository, plan, .. } = *self;
        let tree = fetch::hash_tree(context, repository, plan, targets.hash.disk.len())?;
        tree.check_fit(&*targets.root.disk, &*targets.hash.disk)?;
        let cache = fetch::next_boot(context, repository, plan)?
            .write(&*context.fs, &context.paths.cache())
            .map_err(Error::Cache)?;
        let hash = self.disk.open_partition(self.running, Role::Hash, Access::Read)?;
        let os = context.host.os_release()?;
        let running = record::root_hash_of(&*hash)?
            .map(|root_hash| self.entry(os.variant_id, os.version_id, root_hash));
        Ok(Ready { targets, tree: Arc::new(tree), cache, running })
    }

    /// Fills the cleared set and ends with it marked valid.
    fn fill(&self, ready: Ready) -> Result<ReadBack, Error> {
        let Self { context, repository, plan, set, .. } = *self;
        let Context { waiter, events, .. } = context;
        let Ready { targets, tree, cache, running } = ready;
        make_current(&*context.fs, &context.paths, &cache).map_err(Error::Cache)?;
        // Before the first write: nothing may say any more that the old version is in there.
        let mut record = Record::load_or_empty(&*context.fs, &context.paths).without(set);
        if let Some(entry) = running {
            record = record.with(self.running, entry);
        }
        record.save(&*context.fs, &context.paths)?;

        repository.set_query("migrations", &staged_names(plan));
        let boot = write_boot(targets.boot, self.stream(Role::Boot)?, waiter, events)?;
        let root = write_root(targets.root, &tree, self.stream(Role::Root)?, waiter, events)?;
        let hash = write_hash(targets.hash, &tree, waiter, events)?;
        let read_back = Synced::new(boot, root, hash, events)?.read_back(waiter, events)?;

        let Update { variant, version, .. } = self.update;
        record
            .with(set, self.entry(variant.clone(), version.clone(), tree.root_hash()))
            .save(&*context.fs, &context.paths)?;
        waiter.check()?;
        apply::mark_valid(self.disk, &read_back)?;
        Ok(read_back)
    }

    fn stream(&self, image: Role) -> Result<Lz4Reader, Error> {
        let _inside = self.context.waiter.enter();
        Ok(Lz4Reader::new(self.repository.open_target(&self.plan.image(image).target)?))
    }

    fn entry(&self, variant: String, version: Version, root_hash: RootHash) -> Entry {
        let arch = self.context.host.arch().to_owned();
        Entry { variant, arch, version, root_hash, recorded: self.context.clock.now() }
    }
}

/// The value of the query parameter: the migrations, then the manifest.
fn staged_names(plan: &Plan) -> String {
    let names = plan.staged.iter().map(|file| file.target.as_str());
    let (manifest, migrations): (Vec<&str>, Vec<&str>) = names.partition(|name| *name == MANIFEST);
    [migrations, manifest].concat().join(",")
}
