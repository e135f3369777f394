//! From the repository: its metadata, and everything that must be at hand before a set is cleared.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use host_io::guards;
use semver::Version;
use signpost::Role;
use trusted_repo::manifest::is_one;
use trusted_repo::{KnownHolds, Proxy, Repository, Source, StagedCache, TargetInfo, VerifiedBytes};
use update_metadata::{Manifest, Update, manifest, migration_path, safe_target_name};

use crate::after::observe::{self, Keep};
use crate::config::{self, Config};
use crate::context::Context;
use crate::decide::machine::Machine;
use crate::decide::withheld::Withheld;
use crate::error::Error;
use crate::look::plan::{self, Budget, FilePlan, Plan};
use crate::tell::events::{Meter, Phase};
use crate::write::install::{self, VerifiedTree};

/// The largest migration that is taken, in bytes, compressed and as it runs.
const MIGRATION_LIMIT: u64 = 64 << 20;

/// A repository whose metadata was verified, with what the choice needs.
pub struct Opened {
    /// The repository.
    pub repository: Repository,
    /// What it offers to hosts of the wanted variant.
    pub manifest: Manifest,
    /// What is signed of that manifest.
    pub signed: TargetInfo,
    /// What runs here.
    pub machine: Machine,
    /// How this host takes updates.
    pub config: Config,
    /// Why nobody knows what a role for holds withholds. By all else that was said a release can be taken back; as long as
    /// this is not known none is chosen.
    pub unknown: Option<trusted_repo::Error>,
}

impl Opened {
    /// That everything is known that is withheld: to be asked before anything is chosen.
    ///
    /// # Errors
    /// When nobody knows what a role for holds withholds.
    pub fn all_known(&self) -> Result<(), Error> {
        self.unknown.clone().map_or(Ok(()), |error| Err(error.into()))
    }
}

/// How much may be fetched from a repository that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purse {
    /// As much as it takes: a question.
    Open,
    /// As much as one update may take: what was asked for, or what the configuration says if that is less.
    OfUpdate(Option<u64>),
}

/// Opens the repository of this host. `variant` takes the place of the running one.
///
/// # Errors
/// When the host's own files, the repository or its manifest cannot be used.
pub fn open(context: &Context, variant: Option<&str>, purse: Purse) -> Result<Opened, Error> {
    context.waiter.wait(Box::pin(opened(context, variant, purse)))?
}

/// [`open`], for whoever waits in another way.
///
/// # Errors
/// As [`open`].
pub async fn opened(context: &Context, variant: Option<&str>, purse: Purse) -> Result<Opened, Error> {
    let begun = context.seen.took();
    let opened = ask(context, variant, purse).await;
    let known = opened.as_ref().map(|opened| {
        let of_here = |update: &&Update| opened.machine.withheld.update(update).is_some();
        u64::try_from(opened.manifest.updates.iter().filter(of_here).count()).unwrap_or(u64::MAX)
    });
    context.seen.asked(context.clock.now(), begun, known);
    opened
}

async fn ask(context: &Context, variant: Option<&str>, purse: Purse) -> Result<Opened, Error> {
    let config = config::load(&*context.fs, &context.paths)?;
    context.account.limit(match purse {
        Purse::Open => None,
        Purse::OfUpdate(asked) => Budget::smallest(asked, config.data_budget).bytes(),
    });
    let os = context.host.os_release()?;
    let path = context.paths.trusted_root();
    let anchor = context.fs.read(&path).map_err(|source| Error::Anchor { path, source })?;
    let source = Source {
        query: vec![
            ("version".to_owned(), os.version_id.to_string()),
            ("seed".to_owned(), config.seed.to_string()),
        ],
        proxy: Proxy {
            https_proxy: config.https_proxy.clone(),
            no_proxy: config.no_proxy.clone(),
            ..Proxy::default()
        },
        mirrors: config.mirrors.clone(),
        tls: config.tls(&*context.fs, &context.paths)?,
        bandwidth_limit: config.bandwidth_limit,
        account: context.account.clone(),
        ..Source::new(config.metadata_base_url.clone(), config.targets_base_url.clone())
    };
    let trust = context.paths.trust();
    let fs = Arc::clone(&context.fs);
    let repository = trusted_repo::open_online(fs, source, &anchor, &trust, context.clock.now()).await?;
    let variant = variant.map_or_else(|| os.variant_id.clone(), str::to_owned);
    let (manifest, signed) = repository.manifest_for(&variant).await?;
    let KnownHolds { signed: holds, unknown } = repository.known_holds().await;
    let mut withheld = Withheld::of(holds);
    withheld.in_part = !unknown.is_empty();
    // What is published that way says more than a network that is poor today.
    let unknown = unknown.into_iter().min_by_key(trusted_repo::Error::is_of_the_way);
    context.evidence.note(|evidence| {
        evidence.from = Some(os.version_id.clone());
        evidence.metadata = Some(repository.roles().into());
        evidence.manifest_sha256 = signed.hashes.get_sha256().map(hex::encode);
        evidence.holds = withheld.files().to_vec();
    });
    let machine = Machine {
        variant,
        arch: context.host.arch().to_owned(),
        version: os.version_id,
        seed: config.seed,
        barred: match guards::stands("failed-releases-are-held") {
            true => observe::attempts(context, Keep::Yes).bars(context.clock.now()),
            false => Vec::new(),
        },
        withheld,
    };
    Ok(Opened { repository, manifest, signed, machine, config, unknown })
}

/// The small files that the next boot needs to get to `update` and back. Nothing is fetched; what an earlier set has is
/// not to be.
///
/// # Errors
/// When the manifest knows no migrations for the way, or the repository does not sign what it names.
pub fn staged(context: &Context, opened: &Opened, update: &Update) -> Result<Vec<FilePlan>, Error> {
    let Opened { repository, manifest, signed, machine, .. } = opened;
    let migrations = migrations(manifest, &machine.version, &update.version)?;
    let mut lengths = BTreeMap::new();
    lengths.insert(signed.name.clone(), signed.length);
    for name in &migrations {
        let target = signed_migration(context, repository, name)?;
        let length = if at_hand(context, &target).is_some() { 0 } else { target.length };
        lengths.insert(name.clone(), length);
    }
    Ok(plan::update::staged(&signed.name, &migrations, &lengths)?)
}

/// A migration that an earlier set for the next boot has: whoever prepares the same update again fetches it no more.
fn at_hand(context: &Context, signed: &TargetInfo) -> Option<VerifiedBytes> {
    trusted_repo::cache::at_hand(&*context.fs, &context.paths.cache(), signed)
}

/// The migrations between the running and the chosen version, in the order in which they run. The way back is the same
/// chain, so these are all that either way needs.
fn migrations(manifest: &Manifest, from: &Version, to: &Version) -> Result<Vec<String>, Error> {
    let names = migration_path(&manifest.migrations, from, to)?;
    match names.iter().find(|name| !safe_target_name(name)) {
        Some(name) => Err(Error::UnsafeMigration { name: name.clone() }),
        None => Ok(names),
    }
}

/// Fetches the hash image, the block index of root, wholly into memory and checks it. `partition_len` is the size of
/// its partition in bytes.
///
/// # Errors
/// When it is larger than the partition, is not what was signed, or is no sound tree.
pub fn hash_tree(
    context: &Context,
    repository: &Repository,
    signed: &TargetInfo,
    partition_len: u64,
) -> Result<VerifiedTree, Error> {
    // What a frame may add to bytes that cannot be compressed; more than that holds more than the partition.
    let limit = partition_len + partition_len / 1024 + 4096;
    if signed.length > limit {
        return Err(Error::from(install::Error::NoFit {
            image: Role::Hash,
            need: None,
            have: partition_len,
        }));
    }
    let mut meter = context.events.meter(Phase::Fetch, Role::Hash.as_str(), Some(signed.length));
    let target = wait(context, repository.fetch_pieces(&signed.name, signed.length))?;
    meter.add(signed.length);
    meter.finish();
    Ok(VerifiedTree::decode(target, partition_len)?)
}

/// Fetches a target that fits into memory, as long as it is signed to be.
///
/// # Errors
/// When it does not come, or is not what was signed.
pub fn small(
    context: &Context,
    repository: &Repository,
    signed: &TargetInfo,
    phase: Phase,
    name: &'static str,
) -> Result<VerifiedBytes, Error> {
    let mut meter = context.events.meter(phase, name, Some(signed.length));
    let target = fetch(context, repository, &signed.name, signed.length, &mut meter)?;
    meter.finish();
    Ok(target)
}

/// Fetches what the next boot's migrator needs: the manifest and the migrations. Nothing is written yet.
///
/// # Errors
/// When one of them cannot be fetched or is not what was signed.
pub fn next_boot(context: &Context, repository: &Repository, plan: &Plan) -> Result<StagedCache, Error> {
    let total = plan.staged.iter().map(|file| file.fetch_bytes).sum();
    let mut meter = context.events.meter(Phase::Fetch, "migrations", Some(total));
    let mut targets = Vec::with_capacity(plan.staged.len());
    for file in &plan.staged {
        let name = file.target.as_str();
        targets.push(if is_one(name) {
            fetch(context, repository, name, manifest::MAX_LEN as u64, &mut meter)?
        } else {
            let signed = signed_migration(context, repository, name)?;
            let migration = match at_hand(context, &signed) {
                Some(migration) => Ok(migration),
                None => fetch(context, repository, name, MIGRATION_LIMIT, &mut meter),
            };
            let migration = migration.map_err(|error| match error {
                Error::Repository(source) => missing_migration(source),
                other => other,
            })?;
            // The next boot would refuse it, and that is too late to find out.
            trusted_repo::lz4::check(&migration, MIGRATION_LIMIT)?;
            migration
        });
    }
    meter.finish();
    context.waiter.wait(repository.find_older_roots())?;
    Ok(repository.staged(targets))
}

fn fetch(
    context: &Context,
    repository: &Repository,
    name: &str,
    limit: u64,
    meter: &mut Meter<'_>,
) -> Result<VerifiedBytes, Error> {
    let target = wait(context, repository.fetch(name, limit))?;
    meter.add(target.bytes().len() as u64);
    Ok(target)
}

/// What the repository signs of a target.
///
/// # Errors
/// When it is not listed, or a role that may list it cannot be had or trusted.
pub fn signed(context: &Context, repository: &Repository, name: &str) -> Result<TargetInfo, Error> {
    wait(context, repository.target(name))
}

fn signed_migration(context: &Context, repository: &Repository, name: &str) -> Result<TargetInfo, Error> {
    context.waiter.wait(repository.target(name))?.map_err(missing_migration)
}

/// Without a migration that the manifest names, the next boot would fail; that is more than a missing file.
fn missing_migration(error: trusted_repo::Error) -> Error {
    match error {
        error @ trusted_repo::Error::MissingTarget { .. } => Error::MissingMigration(error),
        other => Error::Repository(other),
    }
}

fn wait<T>(
    context: &Context,
    future: impl Future<Output = Result<T, trusted_repo::Error>>,
) -> Result<T, Error> {
    Ok(context.waiter.wait(future)??)
}
