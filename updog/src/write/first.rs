//! The first release of a disk that nothing runs from: into one set, proven by its read-back, as a factory leaves it.
//!
//! There is no running set to fall back to and no trust to go on from. So the root role must be given, the disk is
//! claimed for as long as this takes, and neither set boots before everything was read back (`docs/operating.md`, "The
//! first release on a disk").

mod refused;

pub use refused::Refused;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::redacted::redacted;
use host_io::swap;
use semver::Version;
use signpost::{IdleDisk, OsDisk, Role, SetName};
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::memory::view;
use trusted_repo::{Address, Fault, Repository, Source};
use update_metadata::{Manifest, Update, manifest};

use crate::context::Context;
use crate::decide::withheld::Withheld;
use crate::error::Error;
use crate::flip::record::Record;
use crate::look::fetch;
use crate::look::plan::target_of;
use crate::write::fill;
use crate::write::install::durable::Synced;
use crate::write::install::plain::{write_boot, write_hash, write_root};
use crate::write::install::target::WriteCount;
use crate::write::install::{Crew, ReadBack, Target, scan};

/// What to install, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The disk, or an image file of one.
    pub disk: PathBuf,
    /// The set that takes the release.
    pub set: SetName,
    /// The address or directory that has `VARIANT/ARCH/` and `targets/`.
    pub repo: String,
    /// The root role to start from.
    pub trusted_root: PathBuf,
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Which version; the newest without one.
    pub version: Option<Version>,
    /// Where the new system's persistent partition is mounted, for the record and the pinned metadata.
    pub persistent: Option<PathBuf>,
    /// What becomes of a disk with a proven set.
    pub proven: Proven,
}

/// What becomes of a disk with a set that counts as proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// It is refused.
    Refuse,
    /// It does not boot any more (`--force`).
    Overwrite,
}

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    /// The release.
    pub update: Update,
    /// Its verity root hash.
    pub root_hash: String,
    /// What it took, and what was read back.
    pub read_back: ReadBack,
    /// Bytes received over the network.
    pub bytes_fetched: u64,
}

/// Installs, in the order that is safe: everything is verified on the way to the disk, both sets are out of the boot
/// meanwhile, and the bits come last.
///
/// # Errors
/// [`Error::First`] when nothing was changed. After the sets were taken out of the boot they stay so, and the same
/// command goes on.
pub fn install(context: &Context, order: &Order) -> Result<Installed, Error> {
    not_our_own(context, &order.disk)?;
    let disk = IdleDisk::claim(&order.disk)?;
    if let (Some(&set), Proven::Refuse) = (disk.proven().first(), order.proven) {
        return Err(Refused::Proven { disk: order.disk.clone(), set }.into());
    }
    if let Some(dir) = &order.persistent {
        let usable = std::fs::metadata(dir).and_then(|found| match found.is_dir() {
            true => Ok(()),
            false => Err(std::io::ErrorKind::NotADirectory.into()),
        });
        usable.map_err(|source| Refused::Persistent { dir: dir.clone(), source })?;
    }
    // What is trusted of the repository is remembered where the new system will look for it, or nowhere.
    let nowhere;
    let trust = match &order.persistent {
        Some(dir) => dir.join("update/trust"),
        None => {
            nowhere = tempfile::tempdir().map_err(Error::Start)?;
            nowhere.path().to_owned()
        }
    };
    let repository = open(context, order, &trust)?;
    let (manifest, signed_manifest) = context.waiter.wait(repository.manifest_for(&order.variant))??;
    let withheld = Withheld::of(context.waiter.wait(repository.holds())??);
    let update = choose(&manifest, &withheld, order)?.clone();

    let target = |image: Role| -> Result<Target, Error> {
        let opened = disk.partition(order.set, image)?;
        let device = format!("{image} of set {} on {}", order.set, order.disk.display());
        Ok(Target { image, disk: opened.into(), device, count: WriteCount::default() })
    };
    let (boot, root, hash) = (target(Role::Boot)?, target(Role::Root)?, target(Role::Hash)?);
    let signed = |image| fetch::signed(context, &repository, target_of(&update, image));
    let tree = Arc::new(fetch::hash_tree(context, &repository, &signed(Role::Hash)?, hash.disk.len())?);
    tree.check_fit(&*root.disk, &*hash.disk)?;
    let root_hash = tree.root_hash().to_string();
    if let Some(by) = withheld.release(&order.variant, &order.arch, &update.version, &root_hash) {
        return Err(Refused::withheld(&update.version, by).into());
    }
    for image in [Role::Boot, Role::Root] {
        signed(image)?;
    }
    // The last moment at which nothing was changed.
    context.waiter.check()?;
    disk.clear()?;

    let write = || -> Result<ReadBack, Error> {
        let crew = Crew::new(&context.waiter, &context.events);
        let stream = |image| -> Result<Lz4Reader, Error> {
            let signed = signed(image)?;
            let _inside = context.waiter.enter();
            Ok(Lz4Reader::new(repository.open_target(&signed)?))
        };
        let hash = write_hash(hash, &tree, crew)?;
        let boot = write_boot(boot, stream(Role::Boot)?, crew)?;
        let there = scan::blocks_in_place(&*root.disk, tree.tree(), crew)?;
        let root = write_root(root, &tree, &there, stream(Role::Root)?, crew)?;
        let read_back = Synced::new(boot, root, hash, crew)?.read_back(crew)?;
        if let Some(dir) = &order.persistent {
            keep(context, &repository, &signed_manifest.name, order, &update, tree.root_hash(), dir)?;
        }
        Ok(read_back)
    };
    let read_back = write().map_err(|source| Error::AfterClearOfIdle {
        version: update.version.clone(),
        set: order.set,
        disk: order.disk.clone(),
        source: Box::new(source),
    })?;
    leave(&disk, order.set, &read_back)?;
    let bytes_fetched = repository.bytes_fetched();
    Ok(Installed { root_hash: tree.root_hash().to_string(), update, read_back, bytes_fetched })
}

/// The only place where a set becomes proven without having booted: it asks for the proof of what it holds.
fn leave(disk: &IdleDisk, set: SetName, _proof: &ReadBack) -> Result<(), Error> {
    Ok(disk.leave_as_factory(set)?)
}

/// The disk that this host runs from has a running set, and installing is what `update` is for.
fn not_our_own(context: &Context, disk: &Path) -> Result<(), Refused> {
    let same = |other: &Path| match (std::fs::canonicalize(disk), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    let runs_from_it =
        OsDisk::discover(&context.paths).is_ok_and(|found| same(found.path()) && found.status().is_ok());
    if runs_from_it { Err(Refused::Running { disk: disk.to_owned() }) } else { Ok(()) }
}

fn open(context: &Context, order: &Order, trust: &Path) -> Result<Repository, Error> {
    let base = Address::of_place(&order.repo)
        .map_err(|source| Refused::Address { repo: redacted(&order.repo), source })?;
    let metadata = base.directory(&format!("{}/{}", order.variant, order.arch));
    let source = Source::new(metadata, base.directory("targets"));
    let anchor = std::fs::read(&order.trusted_root)
        .map_err(|source| Refused::Root { path: order.trusted_root.clone(), source })?;
    if let Err(trusted_repo::Error::Anchor { reason }) = view::anchor(&anchor) {
        return Err(Refused::NoRoot { path: order.trusted_root.clone(), reason }.into());
    }
    let (fs, now) = (Arc::clone(&context.fs), context.clock.now());
    let opened = context.waiter.wait(Box::pin(trusted_repo::open_online(fs, source, &anchor, trust, now)))?;
    opened.map_err(|error| match error {
        // Named here as it was typed, and not by the address that was made of it.
        trusted_repo::Error::Metadata { name, source: Fault::Missing | Fault::NoFile { .. }, .. }
            if name == "timestamp.json" =>
        {
            let (variant, arch) = (order.variant.clone(), order.arch.clone());
            Error::from(Refused::NoRepository { repo: redacted(&order.repo), variant, arch })
        }
        error => error.into(),
    })
}

/// The version that was named, or the newest that may run. No host waits for its turn here.
fn choose<'a>(manifest: &'a Manifest, withheld: &Withheld, order: &Order) -> Result<&'a Update, Refused> {
    let ours = |update: &&Update| {
        update.variant == order.variant && update.arch == order.arch && update.version <= update.max_version
    };
    let wanted = |update: &&Update| order.version.as_ref().is_none_or(|version| update.version == *version);
    let newest = |are_withheld: bool| {
        let open = move |update: &&Update| withheld.update(update).is_some() == are_withheld;
        let updates = manifest.updates.iter().filter(ours).filter(wanted).filter(open);
        updates.max_by(|a, b| a.version.cmp(&b.version))
    };
    if let (None, Some(update)) = (newest(false), newest(true))
        && let Some(by) = withheld.update(update)
    {
        return Err(Refused::withheld(&update.version, by));
    }
    newest(false).ok_or_else(|| {
        let mut versions: Vec<_> =
            manifest.updates.iter().filter(ours).map(|update| &update.version).collect();
        versions.sort();
        let versions: Vec<String> = versions.into_iter().map(ToString::to_string).collect();
        Refused::NotOffered {
            what: order
                .version
                .as_ref()
                .map_or_else(|| "a release".to_owned(), |version| format!("version {version}")),
            variant: order.variant.clone(),
            arch: order.arch.clone(),
            offered: if versions.is_empty() { "none".to_owned() } else { versions.join(", ") },
        }
    })
}

/// What the new system finds on its persistent partition: what its set holds, and the metadata that says so.
fn keep(
    context: &Context,
    repository: &Repository,
    manifest: &str,
    order: &Order,
    update: &Update,
    root_hash: verity::RootHash,
    dir: &Path,
) -> Result<(), Error> {
    let fs = &*context.fs;
    let manifest = context.waiter.wait(repository.fetch(manifest, manifest::MAX_LEN as u64))??;
    context.waiter.wait(repository.find_older_roots())?;
    let cache = dir.join("update/cache");
    let id = repository.staged(vec![manifest]).write(fs, &cache).map_err(Error::Cache)?;
    swap::replace_link(fs, Path::new(id.as_str()), &cache.join("current"))
        .map_err(|source| Refused::Persistent { dir: dir.to_owned(), source })?;
    let mut entry = fill::entry(context, update.variant.clone(), update.version.clone(), root_hash);
    entry.arch.clone_from(&order.arch);
    Ok(Record::default().with(order.set, entry).save_in(fs, &dir.join("update/record"))?)
}
