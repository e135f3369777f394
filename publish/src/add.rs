//! A release: plan it, make its targets, sign it.
//!
//! Targets come first, then the roles, the timestamp last: until then a reader sees the repository as it was, and a
//! publisher that dies in the middle leaves files that nobody asks for.

mod options;

pub use options::{AddOptions, MissingMigrations};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::SystemFs;
use ring::rand::{SecureRandom as _, SystemRandom};
use semver::Version;
use trusted_repo::TargetInfo;
use trusted_repo::author::{self, Editor};
use update_metadata::author::{self as change, Selector};
use update_metadata::{Images, Manifest, ReleaseConfig, Update, UpdateExtensions};
use verity::{Salt, Superblock};

use crate::boot::{self, Named};
use crate::doubts::{self, Doubt, Ways};
use crate::framing::{Cut, Framing};
use crate::image::{Hash, build_hash, check_hash, publish_file, publish_frame};
use crate::layout::{RepoLayout, image_target};
use crate::pack::{self, Bases, PackReport};
use crate::progress::{Progress, Silent};
use crate::release::Release;
use crate::report::TargetReport;
use crate::session::{Desk, Session};
use crate::worker::work;
use crate::{AddReport, Error, os_release};

/// The length of a new salt in bytes; the one that `veritysetup` uses.
const SALT: usize = 32;

/// Publishes a release. Other releases stay as they are.
///
/// # Errors
/// When something about the release is wrong, or files cannot be written; the published repository is then unchanged.
pub async fn add(options: &AddOptions, now: DateTime<Utc>) -> Result<AddReport, Error> {
    add_with(options, now, MissingMigrations::Refuse, Arc::new(Silent)).await
}

/// [`add`], with a choice on missing migrations, and somebody to be told how far it is.
///
/// # Errors
/// As [`add`].
pub async fn add_with(
    options: &AddOptions,
    now: DateTime<Utc>,
    missing: MissingMigrations,
    progress: Arc<dyn Progress>,
) -> Result<AddReport, Error> {
    let desk = Desk {
        repo: options.repo.clone(),
        keys: options.keys.clone(),
        variant: options.variant.clone(),
        arch: options.arch.clone(),
    };
    let mut session = Session::open(&desk).await?;
    let manifest = session.manifest()?;
    let release = Release::plan(options, &session.editor, missing)?;
    // A team learns at once that something is not for it to list.
    let images = image_names(options);
    let programs = release.programs.keys().cloned();
    let wanted = [images.boot, images.root, images.hash].into_iter().chain(programs);
    let new = wanted.filter(|name| session.editor.target(name).is_none());
    for name in new.chain([session.manifest_name()]) {
        session.editor.may_list(&name)?;
    }
    // Also what a dry run never reads has to be an image.
    options.images.work(0)?;
    os_release::check(&options.images.root, &options.variant, &options.version)?;
    // Refused before images are worked through, if that can be told already.
    let mut draft = change_manifest(options, &release, manifest.clone(), now)?;
    // So are bases that nobody has.
    options.bases.of(&manifest, &options.variant, &options.arch, &options.version)?;
    let mut notes = Vec::new();
    match doubts::ways(&draft, &options.variant, &options.arch, &options.version) {
        Ways::All => {}
        Ways::Some(note) => notes.push(note),
        Ways::None(doubt) => options.doubts.weigh(&mut notes, doubt)?,
    }
    if let Some(doubt) = doubts::strays(&release.programs, &draft) {
        options.doubts.weigh(&mut notes, doubt)?;
    }
    // Of what is in the wrong place it need not be said that it cannot run.
    for (name, path) in release.programs.iter().filter(|(name, _)| doubts::is_named(name, &draft)) {
        match doubts::program(name, path, &options.arch)? {
            None => {}
            Some(Ok(note)) => notes.push(note),
            Some(Err(doubt)) => options.doubts.weigh(&mut notes, doubt)?,
        }
    }
    let salt = match (&options.salt, &options.images.hash) {
        (Some(salt), _) => salt.clone(),
        (None, Some(_)) => Salt::default(),
        (None, None) => {
            let drawn = salt_for(options, &session.editor, &manifest, &session.layout.targets)?;
            if let (Drawn::Now(salt), true) = (&drawn, options.dry_run) {
                notes.push(format!(
                    "this root hash is that of a salt which was drawn just now, and publishing draws another one: for this one give --salt {salt}"
                ));
            }
            drawn.salt()
        }
    };
    let named = boot::named(&options.images.boot)
        .map_err(|error| Error::file("read the image", &options.images.boot, error))?;
    match &named {
        Named::These(_) => {}
        Named::None => notes.push(
            "no command line in the boot image names a root hash (roothash=): what hosts boot is not verified by it"
                .to_owned(),
        ),
        Named::Unreadable(why) => {
            notes.push(format!("whether the boot image names this root hash is not known: {why}"));
        }
    }
    // Where the boot image names a root hash it has to be this one, and that is known before anything is compressed.
    if options.dry_run || matches!(named, Named::These(_)) {
        let hash = hash_of(options, salt.clone(), &progress)?;
        if let Named::These(hashes) = &named
            && !hashes.contains(&hash.root_hash.to_string())
        {
            options.doubts.weigh(&mut notes, other_root(hashes, &hash))?;
        }
        if options.dry_run {
            progress.finish();
            return Ok(report(options, &draft, &hash, Made::default(), &release, notes, None));
        }
    }

    let (hash, mut made) =
        make_targets(options, &release, &session.editor, salt, &session.layout, &progress).await?;
    let pack::add::Added { packs, targets: of_packs, reports, notes: told } =
        make_packs(options, &draft, &hash, &made, &session, &progress).await?;
    made.extend(of_packs);
    notes.extend(told);
    added(&mut draft, &selector(options)).extensions.packs = packs;
    for target in &made {
        session.editor.add_target(target.clone()).map_err(|error| republished(options, error))?;
    }
    let manifest = session.put_manifest(&draft)?;
    let signed = session.commit(&options.lifetimes.from(now)).await?;
    progress.finish();

    let made = Made { targets: made.iter().chain([&manifest]).map(Into::into).collect(), packs: reports };
    Ok(report(options, &draft, &hash, made, &release, notes, Some(signed.versions().timestamp)))
}

/// What was made.
#[derive(Default)]
struct Made {
    targets: Vec<TargetReport>,
    packs: Vec<PackReport>,
}

/// This release in a manifest that has it.
fn added<'a>(draft: &'a mut Manifest, selector: &Selector) -> &'a mut Update {
    draft.updates.iter_mut().find(|update| selector.matches(update)).expect("it was added")
}

async fn make_packs(
    options: &AddOptions,
    draft: &Manifest,
    hash: &Hash,
    made: &[TargetInfo],
    session: &Session,
    progress: &Arc<dyn Progress>,
) -> Result<pack::add::Added, Error> {
    let bases = if options.framing == Framing::Plain { &Bases::None } else { &options.bases };
    let release = pack::add::Release {
        update: added(&mut draft.clone(), &selector(options)).clone(),
        images: options.images.clone(),
        hash: hash.bytes.clone(),
        fresh: made.to_vec(),
        done: options.images.work(options.framing.passes())?,
    };
    pack::add::add(bases, draft, release, &session.editor, &session.layout, progress).await
}

fn report(
    options: &AddOptions,
    draft: &Manifest,
    hash: &Hash,
    made: Made,
    release: &Release,
    notes: Vec<String>,
    timestamp_version: Option<u64>,
) -> AddReport {
    let selector = selector(options);
    let update = draft.updates.iter().find(|update| selector.matches(update)).expect("it was added");
    AddReport {
        variant: options.variant.clone(),
        arch: options.arch.clone(),
        version: options.version.clone(),
        max_version: update.max_version.clone(),
        root_hash: hash.root_hash.to_string(),
        salt: hash.salt.to_string(),
        targets: made.targets,
        packs: made.packs,
        waves: update.waves.len(),
        missing_migrations: release.missing.clone(),
        notes,
        published: timestamp_version.is_some(),
        timestamp_version: timestamp_version.unwrap_or_default(),
    }
}

/// The hash image of this release, built or checked.
fn hash_of(options: &AddOptions, salt: Salt, progress: &Arc<dyn Progress>) -> Result<Hash, Error> {
    crate::image::root_length(&options.images.root)?;
    match &options.images.hash {
        Some(path) => check_hash(path, &options.images.root, progress),
        None => build_hash(&options.images.root, salt, &image_names(options).hash, progress),
    }
}

fn other_root(named: &BTreeSet<String>, hash: &Hash) -> Doubt {
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    Doubt {
        what: format!(
            "the boot image's command line names the root hash {}, and this root image has {}",
            named.join(", "),
            hash.root_hash
        ),
        then: "no host gets past the first boot of it".to_owned(),
        instead: "take the root hash from \"pubrepo hash\", put it into the command line, and build the boot image again"
            .to_owned(),
    }
}

fn selector(options: &AddOptions) -> Selector {
    Selector {
        variant: options.variant.clone(),
        arch: options.arch.clone(),
        version: options.version.clone(),
    }
}

fn image_names(options: &AddOptions) -> Images {
    let name = |image| image_target(&options.variant, &options.arch, &options.version, image);
    Images { boot: name("boot"), root: name("root"), hash: name("hash") }
}

/// The manifest with this release in it.
fn change_manifest(
    options: &AddOptions,
    release: &Release,
    manifest: Manifest,
    now: DateTime<Utc>,
) -> Result<Manifest, Error> {
    let selector = selector(options);
    let images = image_names(options);
    let mut manifest = manifest;
    let mut waves = BTreeMap::new();
    let mut extensions = UpdateExtensions::default();
    if let Some(known) = manifest.updates.iter().find(|update| selector.matches(update)) {
        if known.images != images {
            return Err(Error::Republished {
                version: options.version.clone(),
                name: known.images.root.clone(),
            });
        }
        // Published again without a policy, a release keeps its pace, and whatever else was said of it.
        waves.clone_from(&known.waves);
        extensions.clone_from(&known.extensions);
        manifest = change::remove_update(manifest, &selector)?;
    } else if selector.is_known(&manifest) {
        return Err(Error::Paused { version: options.version.clone() });
    }
    extensions.barrier |= options.barrier;
    extensions.min_updater = options.min_updater.clone().or(extensions.min_updater);
    let frames = options.framing.extension(&options.variant, &options.arch, &options.version);
    extensions.frames = frames.or(extensions.frames);
    let max_version = options.max_version.clone().unwrap_or_else(|| {
        change::default_max_version(&manifest, &options.variant, &options.arch, &options.version)
    });
    let update = Update {
        variant: options.variant.clone(),
        arch: options.arch.clone(),
        version: options.version.clone(),
        max_version,
        waves,
        images,
        extensions,
    };
    manifest = change::add_update(manifest, update);
    if let Some(waves) = &release.waves {
        let start = options.start_at.unwrap_or(now);
        manifest = change::set_paced_waves(manifest, &selector, waves, options.pace, start)?;
    }
    if let Some(config) = &release.config {
        manifest = change::merge_migrations(manifest, config)?;
    }
    if options.no_migrations {
        manifest = change::merge_migrations(manifest.clone(), &step_without_migrations(options, &manifest))?;
    }
    Ok(manifest)
}

/// One step without a migration, from the newest release below this one.
fn step_without_migrations(options: &AddOptions, manifest: &Manifest) -> ReleaseConfig {
    let below = manifest.updates.iter().filter(|update| {
        update.variant == options.variant && update.arch == options.arch && update.version < options.version
    });
    let newest = below.map(|update| update.version.clone()).max();
    let step = newest.map(|from| ((from, options.version.clone()), Vec::new()));
    // Published again, a release keeps the step that it has.
    let step = step.filter(|(edge, _)| !manifest.migrations.contains_key(edge));
    ReleaseConfig { version: options.version.clone(), migrations: step.into_iter().collect() }
}

/// Makes all targets but the manifest. Each image's whole frame is a stream on one core; the small frames fill the cores
/// that are left, and all of them at the end.
async fn make_targets(
    options: &AddOptions,
    release: &Release,
    editor: &Editor,
    salt: Salt,
    layout: &RepoLayout,
    progress: &Arc<dyn Progress>,
) -> Result<(Hash, Vec<TargetInfo>), Error> {
    progress.total(options.images.work(options.framing.passes())?);
    let names = image_names(options);
    let known = |name: &str| editor.target(name).cloned();
    let root = {
        let (path, targets, name) = (options.images.root.clone(), layout.targets.clone(), names.root.clone());
        let (known, progress) = (known(&names.root), Arc::clone(progress));
        move || publish_file(&path, &targets, &name, known.as_ref(), &progress)
    };
    let rest = {
        let (images, targets, names) = (options.images.clone(), layout.targets.clone(), names.clone());
        let (known_boot, known_hash) = (known(&names.boot), known(&names.hash));
        let programs: Vec<_> =
            release.programs.iter().map(|(name, path)| (name.clone(), path.clone(), known(name))).collect();
        let progress = Arc::clone(progress);
        move || {
            let hash = match &images.hash {
                Some(path) => check_hash(path, &images.root, &progress)?,
                None => build_hash(&images.root, salt, &names.hash, &progress)?,
            };
            let mut made = vec![
                publish_file(&images.boot, &targets, &names.boot, known_boot.as_ref(), &progress)?,
                publish_frame(&mut hash.bytes.as_slice(), &targets, &names.hash, known_hash.as_ref())?,
            ];
            for (name, path, known) in &programs {
                made.push(publish_file(path, &targets, name, known.as_ref(), &progress)?);
            }
            Ok((hash, made))
        }
    };
    let frames = {
        let frames = options.framing.extension(&options.variant, &options.arch, &options.version);
        let cuts = Cut::plan(options.framing, frames.as_ref(), editor);
        let (images, layout, progress) = (options.images.clone(), layout.clone(), Arc::clone(progress));
        move || {
            let mut made = Vec::new();
            for (cut, path) in cuts.iter().flatten().zip([&images.boot, &images.root]) {
                made.extend(cut.publish(path, &layout, &progress)?);
            }
            Ok(made)
        }
    };
    let (root, rest, frames) = tokio::join!(
        work("the root image", root),
        work("the other images", rest),
        work("the frames", frames)
    );
    let (hash, mut made) = rest?;
    made.insert(0, root?);
    made.extend(frames?);
    Ok((hash, made))
}

/// Where a salt is from.
enum Drawn {
    Before(Salt),
    Now(Salt),
}

impl Drawn {
    fn salt(self) -> Salt {
        match self {
            Self::Before(salt) | Self::Now(salt) => salt,
        }
    }
}

/// The salt of the newest published release of this variant and architecture, else a new one.
fn salt_for(
    options: &AddOptions,
    editor: &Editor,
    manifest: &Manifest,
    targets: &Path,
) -> Result<Drawn, Error> {
    match newest_salt(&options.variant, &options.arch, editor, manifest, targets) {
        Some((salt, _)) => Ok(Drawn::Before(salt)),
        None => new_salt().map(Drawn::Now),
    }
}

/// The salt of the newest release of a repository, and its version.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) async fn salt_of_newest(desk: &Desk) -> Result<Option<(Salt, Version)>, Error> {
    let layout = RepoLayout::new(&desk.repo, &desk.variant, &desk.arch);
    let root = crate::ground::load_root(&desk.keys.layout())?;
    let team = desk.keys.team();
    let editor = Editor::load_as(&SystemFs, &layout.metadata, &root, team).await?;
    let manifest = crate::release::current_manifest(&editor, &layout.targets, team, &desk.variant)?;
    Ok(newest_salt(&desk.variant, &desk.arch, &editor, &manifest, &layout.targets))
}

fn newest_salt(
    variant: &str,
    arch: &str,
    editor: &Editor,
    manifest: &Manifest,
    targets: &Path,
) -> Option<(Salt, Version)> {
    let siblings = manifest.updates.iter().filter(|update| update.variant == variant && update.arch == arch);
    let newest = siblings.max_by(|one, other| one.version.cmp(&other.version))?;
    let info = editor.target(&newest.images.hash)?;
    let salt = salt_of(&targets.join(format!("{}.{}", info.hashes.hex(), info.name)))?;
    Some((salt, newest.version.clone()))
}

/// A salt that nobody has.
pub(crate) fn new_salt() -> Result<Salt, Error> {
    let mut bytes = vec![0; SALT];
    SystemRandom::new().fill(&mut bytes).map_err(|_| author::Error::Random)?;
    Ok(Salt::new(bytes).expect("32 bytes are not too many"))
}

/// The salt in the superblock of a published hash image. One that cannot be read is no reason to stop: its salt only
/// helps later readers to find equal blocks.
fn salt_of(target: &Path) -> Option<Salt> {
    use std::io::Read as _;
    let mut first = Vec::new();
    let frame = lz4_flex::frame::FrameDecoder::new(std::fs::File::open(target).ok()?);
    frame.take(verity::BLOCK_SIZE as u64).read_to_end(&mut first).ok()?;
    Superblock::parse(&first).ok().map(|superblock| superblock.salt)
}

/// A target that would get other bytes is told as what it is for the release.
fn republished(options: &AddOptions, error: author::Error) -> Error {
    match error {
        author::Error::Republished { name } => Error::Republished { version: options.version.clone(), name },
        other => Error::Author(other),
    }
}
