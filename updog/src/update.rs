//! One update, from the choice to the flip. The order is the promise: until the inactive set is cleared nothing has
//! changed, and from then on, whatever happens, that set cannot boot until everything in it was read back
//! (`docs/design.md`, "Writing").

use host_io::{Access, OperationLock, guards};
use semver::Version;
use signpost::{Command, OsDisk, Set, SetName};
use trusted_repo::CacheId;
use update_metadata::Update;

use crate::config::{self, Config, VersionLock};
use crate::context::Context;
use crate::decide::choice::{Choice, NotOffered, Request, Wanted, Waves};
use crate::decide::choose::choose;
use crate::decide::guard;
use crate::decide::machine::Machine;
use crate::decide::standing::ChosenBy;
use crate::decide::why;
use crate::error::Error;
use crate::flip::apply::{self, Proof};
use crate::flip::record::{self, Entry, Record};
use crate::flip::review;
use crate::give_way;
use crate::look::fetch::{self, Opened, Purse};
use crate::look::partitions::{Running, Targets};
use crate::look::plan::Budget;
use crate::look::rehearsal;
use crate::look::survey::{Survey, Surveyor};
use crate::tell::events::Event;
use crate::tell::evidence;
use crate::write::fill::{self, Job};
use crate::write::install::ReadBack;

/// Files of metadata that are kept for the next boot, at most but for a long chain of roots.
const METADATA_FILES: u64 = 8;

/// What a person or the API asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// `--image`: this version and no other.
    pub image: Option<Version>,
    /// `--variant`: another flavour than the running one.
    pub variant: Option<String>,
    /// `--ignore-waves`.
    pub ignore_waves: bool,
    /// `--max-bytes`: the most that may be fetched.
    pub max_bytes: Option<u64>,
    /// `--offered`: the version that is named was chosen by the rule.
    pub by_rule: bool,
}

impl Asked {
    /// Who chooses.
    #[must_use]
    pub fn chosen_by(&self) -> ChosenBy {
        if self.image.is_some() && !self.by_rule { ChosenBy::Person } else { ChosenBy::Rule }
    }
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

/// An update that was chosen and looked at. Nothing has changed yet.
pub struct Prospect {
    /// The repository that offers it.
    pub opened: Opened,
    /// The update.
    pub update: Box<Update>,
    /// What it will take.
    pub survey: Survey,
    budget: Budget,
    chosen_by: ChosenBy,
    disk: OsDisk,
    inactive: Set,
    targets: Targets,
    running: Running,
}

/// What came of looking for an update.
pub enum Look {
    /// There is nothing to do.
    Nothing(Box<Outcome>),
    /// There is an update.
    Found(Box<Prospect>),
}

/// Updates the host.
///
/// # Errors
/// [`Error::AfterClear`] when the inactive set was cleared already and stays so. An error of the flip itself leaves the
/// update staged. With any other error nothing has changed.
pub fn run(context: &Context, asked: &Asked, finish: Finish) -> Result<Outcome, Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.evidence.begin();
    let result = known_to_be_allowed(context, asked).and_then(|()| {
        context.events.tell(&Event::Started);
        attempt(context, asked, finish)
    });
    let outcome = match &result {
        Ok(Outcome::Nothing { .. }) => evidence::Outcome::Nothing,
        Ok(Outcome::Installed { .. }) if finish == Finish::Staged => evidence::Outcome::Staged,
        Ok(Outcome::Installed { .. }) => evidence::Outcome::Activated,
        Err(error) if error.is_stop() => evidence::Outcome::Cancelled,
        Err(_) => evidence::Outcome::Failed,
    };
    context.evidence.end(outcome, result.as_ref().err().map(|error| error as _));
    result
}

/// Refuses a version that was named, where this machine alone can tell that it will not be installed now. Whoever waits
/// for the start of the work is told at once, and prepares nothing for an update that does not come. Without a name there
/// may be nothing to do, which is no refusal.
fn known_to_be_allowed(context: &Context, asked: &Asked) -> Result<(), Error> {
    let Some(version) = &asked.image else { return Ok(()) };
    let status = OsDisk::discover(&context.paths)?.status()?;
    guard::inactive_for_update(&status)?;
    let config = config::load(&*context.fs, &context.paths)?;
    Ok(guard::above_floor(version, config.minimum_version.as_ref())?)
}

fn attempt(context: &Context, asked: &Asked, finish: Finish) -> Result<Outcome, Error> {
    match look(context, asked, Access::ReadWrite)? {
        Look::Nothing(outcome) => Ok(*outcome),
        Look::Found(prospect) => prospect.install(context, finish),
    }
}

/// Chooses, looks at the disk and plans. The operation lock must be held. `access` is for the inactive set.
///
/// # Errors
/// When there is something to do and it cannot be done. Nothing has changed.
pub fn look(context: &Context, asked: &Asked, access: Access) -> Result<Look, Error> {
    let opened = {
        let _timer = context.evidence.time("metadata");
        fetch::open(context, asked.variant.as_deref(), Purse::OfUpdate(asked.max_bytes))?
    };
    let Opened { repository, manifest, machine, config, .. } = &opened;
    give_way::to_others(config.nice);
    context.evidence.note(|evidence| {
        evidence.from = Some(machine.version.clone());
        evidence.metadata = Some(repository.roles().into());
    });
    if let Err(unknown) = opened.all_known() {
        review_if(context, &opened, access)?;
        return Err(unknown);
    }
    let choice = choose(manifest, machine, &request(asked, config), context.clock.now());
    context.seen.chose(&choice);
    let update = match choice {
        Choice::Update(update) => update,
        choice @ (Choice::UpToDate | Choice::Held(_) | Choice::NotOffered { .. }) => {
            return nothing(context, &opened, choice, access);
        }
    };
    guard::above_floor(&update.version, config.minimum_version.as_ref())?;
    guard::checks_can_run(&context.paths)?;

    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    let inactive = guard::inactive_for_update(&status)?.clone();
    context.evidence.note(|evidence| {
        evidence.to = Some(update.version.clone());
        (evidence.variant, evidence.arch) = (Some(update.variant.clone()), Some(update.arch.clone()));
        evidence.set = Some(inactive.name.to_string());
    });
    let targets = Targets::open(&disk, &inactive, access, &context.written)?;
    let running = Running::open(&disk, &status)?;
    repository.set_query("target", &update.version.to_string());
    let budget = Budget::smallest(asked.max_bytes, config.data_budget);
    let survey = {
        let _timer = context.evidence.time("survey");
        Surveyor { context, opened: &opened, update: &update, budget, access }.survey(&targets, &running)?
    };
    // Now its root is known, under whatever version it is offered.
    let Update { variant, arch, version, .. } = &*update;
    let root_hash = survey.recipes.system.root_hash().to_string();
    if let Some(by) = machine.withheld.release(variant, arch, version, &root_hash) {
        let reason = NotOffered::Withheld(Box::new(by.clone()));
        return nothing(context, &opened, Choice::NotOffered { version: version.clone(), reason }, access);
    }
    context.events.tell(&Event::Plan { plan: &survey.plan, begins: access == Access::ReadWrite });
    Ok(Look::Found(Box::new(Prospect {
        opened,
        update,
        survey,
        budget,
        chosen_by: asked.chosen_by(),
        disk,
        inactive,
        targets,
        running,
    })))
}

/// What boots next may be what there is no update to any more. A dry run changes nothing.
fn review_if(context: &Context, opened: &Opened, access: Access) -> Result<(), Error> {
    if access == Access::ReadWrite {
        review::review(context, opened)?;
    }
    Ok(())
}

fn nothing(context: &Context, opened: &Opened, choice: Choice, access: Access) -> Result<Look, Error> {
    review_if(context, opened, access)?;
    if let Choice::NotOffered { reason: NotOffered::Withheld(_), .. } = &choice {
        let why = why::not(&choice, &opened.machine);
        context.evidence.note(|evidence| evidence.notes.push(why));
    }
    let (machine, bytes_fetched) = (opened.machine.clone(), opened.repository.bytes_fetched());
    Ok(Look::Nothing(Box::new(Outcome::Nothing { choice, machine, bytes_fetched })))
}

impl Prospect {
    /// The set that would take it.
    #[must_use]
    pub fn set(&self) -> SetName {
        self.inactive.name
    }

    /// Everything from here to the flip.
    fn install(self, context: &Context, finish: Finish) -> Result<Outcome, Error> {
        let (cache, leaving) = self.prepare(context)?;
        context.waiter.check()?;
        context.evidence.keep();
        let Self { opened, update, survey, budget, chosen_by, disk, inactive, targets, running, .. } = self;
        let Survey { plan, recipes } = survey;
        let (set, root_hash) = (inactive.name, recipes.system.root_hash());
        let job =
            Job { context, opened: &opened, update: &update, budget, set, plan: &plan, running: &running };
        let after_clear = |source| {
            let (fetched, written) = (context.account.settled(), context.written.bytes());
            let version = update.version.clone();
            Error::AfterClear { version, set, fetched, written, source: Box::new(source) }
        };
        // What is in place and waits to be booted stays valid all the time; if it turns out to be something else after all,
        // it is cleared like any other.
        let is_staged = job.is_staged(&inactive, root_hash);
        let read_back = if plan.is_in_place() && is_staged {
            match job.keep(&cache, leaving, recipes, targets) {
                Ok(read_back) => read_back,
                Err(error) if error.is_stop() => return Err(error),
                Err(error) => {
                    disk.apply(Command::ClearInactive)?;
                    return Err(after_clear(error));
                }
            }
        } else {
            if guards::stands("cleared-before-it-is-written") {
                disk.apply(Command::ClearInactive)?;
            }
            let filled = job.fill(&cache, leaving, recipes, targets);
            filled
                .and_then(|read_back| apply::mark_valid(&disk, &read_back).map(|_| read_back))
                .map_err(after_clear)?
        };
        // What was told of it before is told of it no more: it was chosen just now.
        let record = Record::load_or_empty(&*context.fs, &context.paths);
        if let Some(entry) = record.holds(set, Some(root_hash)) {
            let chosen = Entry { chosen_by, against: None, insisted: Vec::new(), ..entry.clone() };
            review::change(context, set, entry, chosen);
        }
        if finish == Finish::Activated && disk.status()?.next != Some(set) {
            apply::announce(context, &disk)?;
            apply::activate(&disk, Proof::ReadBack(&read_back))?;
        }
        let bytes_fetched = opened.repository.bytes_fetched();
        Ok(Outcome::Installed { update, set, read_back, bytes_fetched })
    }

    /// What can be fetched and checked while nothing has changed: the next boot's files, stored beside the ones in use,
    /// and what the running set holds, which nothing else will tell once it is the inactive one.
    fn prepare(&self, context: &Context) -> Result<(CacheId, Option<Entry>), Error> {
        let staged = fetch::next_boot(context, &self.opened.repository, &self.survey.plan)?;
        let cache = context.paths.cache();
        let missing = staged.missing(&*context.fs, &cache).map_err(Error::Cache)?;
        if missing > 0 {
            // What cut updates left must not stand in the way of this one.
            if let Err(error) = staged.discard_others(&*context.fs, &cache) {
                tracing::warn!("failed to {}", host_io::report::chain(&error));
            }
            let files = self.survey.plan.staged.len() as u64 + METADATA_FILES;
            guard::room_for(&*context.fs, &cache, missing, files)?;
        }
        let cache = staged.write(&*context.fs, &cache).map_err(Error::Cache)?;
        {
            let _timer = context.evidence.time("rehearsal");
            rehearsal::run(context, &self.update.version, cache.as_str())?;
        }
        let os = context.host.os_release()?;
        let root_hash = record::top_hash_if_known(&*self.running.hash);
        let running =
            root_hash.map(|root_hash| fill::entry(context, os.variant_id, os.version_id, root_hash));
        Ok((cache, running))
    }
}
