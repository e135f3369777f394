//! From the repository: its metadata, and everything that must be at hand before a set is cleared.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use semver::Version;
use signpost::Role;
use trusted_repo::{Proxy, Repository, Source, StagedCache, VerifiedBytes};
use update_metadata::{Manifest, Update, manifest, migration_path, safe_target_name};

use crate::choose::Machine;
use crate::config::{self, Config};
use crate::context::Context;
use crate::error::Error;
use crate::events::{Meter, Phase};
use crate::install::{self, VerifiedTree};
use crate::plan::update::ImageBytes;
use crate::plan::{self, ImagePlan, MANIFEST, Plan, Way, target_of};

/// The largest migration that is taken, compressed, in bytes.
const MIGRATION_LIMIT: u64 = 64 << 20;

/// A repository whose metadata was verified, with what the choice needs.
pub struct Opened {
    /// The repository.
    pub repository: Repository,
    /// What it offers.
    pub manifest: Manifest,
    /// What runs here.
    pub machine: Machine,
    /// How this host takes updates.
    pub config: Config,
}

/// Opens the repository of this host. `variant` takes the place of the running one.
///
/// # Errors
/// When the host's own files, the repository or its manifest cannot be used.
pub fn open(context: &Context, variant: Option<&str>) -> Result<Opened, Error> {
    let config = config::load(&*context.fs, &context.paths)?;
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
        ..Source::new(config.metadata_base_url.clone(), config.targets_base_url.clone())
    };
    let trust = context.paths.trust();
    let repository = wait(
        context,
        trusted_repo::open_online(Arc::clone(&context.fs), source, &anchor, &trust, context.clock.now()),
    )?;
    let manifest = wait(context, repository.manifest())?;
    let manifest_sha256 = repository.target(MANIFEST)?.sha256;
    context.evidence.note(|evidence| {
        evidence.from = Some(os.version_id.clone());
        evidence.metadata = Some(repository.roles().into());
        evidence.manifest_sha256 = Some(hex::encode(manifest_sha256));
    });
    let machine = Machine {
        variant: variant.map_or(os.variant_id, str::to_owned),
        arch: context.host.arch().to_owned(),
        version: os.version_id,
        seed: config.seed,
    };
    Ok(Opened { repository, manifest, machine, config })
}

/// Plans the update of this host to `update`, from signed lengths alone. Nothing is fetched.
///
/// # Errors
/// When the manifest knows no migrations for the way, or the repository does not sign what it names.
pub fn plan(opened: &Opened, update: &Update) -> Result<Plan, Error> {
    let Opened { repository, manifest, machine, .. } = opened;
    let migrations = migrations(manifest, &machine.version, &update.version)?;
    let images = Role::ALL.into_iter().map(|image| {
        let target = target_of(update, image).to_owned();
        let bytes = ImageBytes::FetchOnly { fetch_bytes: repository.target(&target)?.length };
        Ok(ImagePlan { image, target, way: Way::PlainStream, bytes, note: None })
    });
    let images = images.collect::<Result<Vec<_>, Error>>()?;
    let mut lengths = BTreeMap::new();
    lengths.insert(MANIFEST.to_owned(), repository.target(MANIFEST)?.length);
    for name in &migrations {
        let target = repository.target(name).map_err(missing_migration)?;
        lengths.insert(name.clone(), target.length);
    }
    let staged = plan::update::staged(&migrations, &lengths)?;
    Ok(Plan::new(&machine.version, &update.version, images, Vec::new(), staged))
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
    plan: &Plan,
    partition_len: u64,
) -> Result<VerifiedTree, Error> {
    let planned = plan.image(Role::Hash);
    // What a frame may add to bytes that cannot be compressed; more than that holds more than the partition.
    let limit = partition_len + partition_len / 1024 + 4096;
    if planned.bytes.fetch() > limit {
        return Err(Error::from(install::Error::NoFit {
            image: Role::Hash,
            need: None,
            have: partition_len,
        }));
    }
    let mut meter = context.events.meter(Phase::Fetch, Role::Hash.as_str(), Some(planned.bytes.fetch()));
    let target = fetch(context, repository, &planned.target, limit, &mut meter)?;
    meter.finish();
    Ok(VerifiedTree::decode(&target, partition_len)?)
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
        targets.push(if name == MANIFEST {
            fetch(context, repository, name, manifest::MAX_LEN as u64, &mut meter)?
        } else {
            fetch(context, repository, name, MIGRATION_LIMIT, &mut meter).map_err(|error| match error {
                Error::Repository(source) => missing_migration(source),
                other => other,
            })?
        });
    }
    meter.finish();
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
