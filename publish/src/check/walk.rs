//! The whole repository, from its first root role to the last byte of its targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use semver::Version;
use trusted_repo::manifest::is_one;
use trusted_repo::{Error as RepoError, Repository, TargetInfo, TargetReader, author};
use update_metadata::{Frames, Manifest, PackedImage, Update, safe_target_name, validate};
use verity::RootHash;

use super::finding::{CheckReport, role_reports};
use super::once::{Once, Seen};
use super::{Sizes, delegated, frames, images, migrations, packs, rules};
use crate::Error;
use crate::layout::MANIFEST;
use crate::place::Place;
use crate::progress::Progress;

/// What to check, and what for.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The repository.
    pub place: Place,
    /// The partitions of its hosts.
    pub sizes: Sizes,
    /// The oldest version that hosts may come from, where that is older than all that is offered.
    pub oldest: Option<Version>,
    /// How long the root role has to hold from now on.
    pub root_margin: Duration,
}

/// Walks the repository as hosts do, and tells everything that they would stumble over.
///
/// # Errors
/// When it cannot be opened at all: not there, or not signed as the trusted root asks for.
pub async fn check(
    options: &CheckOptions,
    now: DateTime<Utc>,
    progress: Arc<dyn Progress>,
) -> Result<CheckReport, Error> {
    let opened = options.place.open_expired().await?;
    let repository = Arc::new(opened.repository);
    let roles = repository.roles();
    let mut report = CheckReport {
        roles: role_reports(&roles),
        versions: Vec::new(),
        targets: 0,
        bytes: 0,
        errors: Vec::new(),
        advice: Vec::new(),
    };
    rules::expiry(&mut report, &roles, now, options.root_margin);
    check_roots(&mut report, &repository, roles.root.version).await?;
    let mut listed = repository.target_names();
    rules::names(&mut report, &listed);
    let found = delegated::check(&mut report, &repository, now).await;
    listed.extend(found.all);
    let mut infos = Vec::new();
    for name in &listed {
        infos.extend(repository.target(name).await.ok());
    }
    progress.total(infos.iter().map(|info| info.length).sum());

    let mut once = Once::default();
    let mut manifests = Vec::new();
    // That of all hosts has to be there; others are those of teams.
    let of_teams = listed.iter().map(String::as_str).filter(|name| is_one(name) && *name != MANIFEST);
    for name in std::iter::once(MANIFEST).chain(of_teams) {
        once.targets.insert(name.to_owned());
        let Some(manifest) = check_manifest(&mut report, &repository, name, &listed, options).await else {
            continue;
        };
        let mut known = Vec::new();
        for update in &manifest.updates {
            let seen =
                check_update(&mut report, &repository, update, options.sizes, &mut once, &progress).await?;
            known.push(Known { update, root: seen.tree.map(|tree| tree.root_hash()), boot: seen.boot });
        }
        for update in &known {
            check_packs(&mut report, &repository, update, &known, &mut once, &progress).await?;
        }
        check_migrations(&mut report, &repository, &manifest, &options.place, &mut once, &progress).await?;
        manifests.push(manifest);
    }
    delegated::check_holds(&mut report, &repository, &manifests).await;
    // Each of them was read just now, or is told of as what it is.
    listed.retain(|name| !found.of_holds.contains(name));
    if !manifests.is_empty() {
        rules::unused(&mut report, &manifests, &listed);
    }
    for name in listed.iter().filter(|name| safe_target_name(name) && !once.targets.contains(*name)) {
        let progress = Arc::clone(&progress);
        if let Err(what) = streamed(&repository, name, move |target| images::drain(target, &progress)).await?
        {
            report.error("target", what);
        }
    }
    for info in &infos {
        report.targets += 1;
        report.bytes += info.length;
    }
    progress.finish();
    Ok(report)
}

/// Every root role from the first on is there, and each follows from the one before: hosts with an old image need them.
async fn check_roots(report: &mut CheckReport, repository: &Repository, newest: u64) -> Result<(), Error> {
    let mut chain: BTreeMap<u64, Bytes> = BTreeMap::new();
    for version in 1..=newest {
        let name = format!("{version}.root.json");
        match repository.unverified_file(&name).await {
            Ok(bytes) => {
                chain.insert(version, bytes);
            }
            Err(RepoError::Metadata { source, .. }) if source.is_missing() => report.error(
                "root_chain",
                format!("{name} is missing: hosts whose image ships an older root role cannot follow"),
            ),
            Err(error) => return Err(error.into()),
        }
    }
    if chain.len() as u64 == newest
        && let Err(error) = author::check_chain(&chain)
    {
        report
            .error("root_chain", format!("the root roles are no chain: {}", host_io::report::chain(&error)));
    }
    Ok(())
}

/// A manifest, if there is one to go on with.
async fn check_manifest(
    report: &mut CheckReport,
    repository: &Repository,
    name: &str,
    listed: &[String],
    options: &CheckOptions,
) -> Option<Manifest> {
    let told = |error: RepoError| host_io::report::chain(&error);
    let bytes = match repository.fetch(name, update_metadata::manifest::MAX_LEN as u64).await {
        Ok(bytes) => bytes,
        Err(error) => {
            report.error("manifest", format!("failed to {}", told(error)));
            return None;
        }
    };
    for problem in validate::problems(bytes.bytes()) {
        report.error("manifest", format!("in {name}, {problem}"));
    }
    let manifest = Manifest::parse(bytes.bytes()).ok()?;
    rules::references(report, &manifest, &listed.iter().map(String::as_str).collect());
    let Place { variant, arch, .. } = &options.place;
    rules::ways(report, &manifest, variant, arch, options.oldest.as_ref());
    for Update { version, .. } in &manifest.updates {
        if !report.versions.contains(version) {
            report.versions.push(version.clone());
        }
    }
    Some(manifest)
}

/// The images of an update and their frames. What the frames are held against is known once hash and boot were read; root
/// takes the longest by far, and its frames as long, so these two go side by side.
async fn check_update(
    report: &mut CheckReport,
    repository: &Arc<Repository>,
    update: &Update,
    sizes: Sizes,
    once: &mut Once,
    progress: &Arc<dyn Progress>,
) -> Result<Seen, Error> {
    let names = rules::images(update).map(|(_, name)| name.to_owned());
    let known = once.images.get(&names).cloned();
    let is_known = known.is_some();
    let mut seen = known.unwrap_or_default();
    let mut root = None;
    for (image, name) in rules::images(update).into_iter().filter(|_| !is_known) {
        let Ok(info) = repository.target(name).await else { continue };
        once.targets.insert(name.to_owned());
        if image == "root" {
            root = Some(info);
            continue;
        }
        match check_image(repository, image, &info, seen.clone(), progress).await? {
            Err(what) => report.error("image", image_of(image, update, &what)),
            Ok((found, length)) => {
                seen = found;
                fits(report, image, update, length, sizes);
            }
        }
    }
    let whole = async {
        match root {
            Some(info) => check_image(repository, "root", &info, seen.clone(), progress).await.map(Some),
            None => Ok(None),
        }
    };
    let (whole, framed) = tokio::join!(whole, check_frames(repository, update, &seen, once, progress));
    match whole? {
        Some(Err(what)) => report.error("image", image_of("root", update, &what)),
        Some(Ok((_, length))) => fits(report, "root", update, length, sizes),
        None => {}
    }
    framed?.into_iter().for_each(|what| report.error("frames", what));
    once.images.insert(names, seen.clone());
    Ok(seen)
}

/// A release whose images were read.
struct Known<'a> {
    update: &'a Update,
    root: Option<RootHash>,
    boot: Option<[u8; 32]>,
}

/// The packs of a release, each applied to the release that it leads on from if that is still on offer. Those of others
/// are read like any target.
async fn check_packs(
    report: &mut CheckReport,
    repository: &Arc<Repository>,
    to: &Known<'_>,
    known: &[Known<'_>],
    once: &mut Once,
    progress: &Arc<dyn Progress>,
) -> Result<(), Error> {
    for of in &to.update.extensions.packs {
        let base = known.iter().find(|known| known.root.is_some_and(|root| root.to_string() == of.base));
        if let Some(root) = to.root
            && of.root.is_some()
            && of.root_hash != Some(root.to_string())
        {
            let version = &to.update.version;
            let said = of.root_hash.as_ref().map_or("nothing", |_| "another root hash");
            report.error(
                "pack",
                format!(
                    "the pack of the root image of {version} from {}: the manifest says {said} of what it leads to, so no host takes it",
                    of.from
                ),
            );
        }
        let Some(base) = base else { continue };
        for (image, packed) in of.named() {
            let wanted = match (image, to.root, to.boot) {
                ("root", Some(root), _) => packs::Wanted::Root(root),
                ("boot", _, Some(sha256)) => packs::Wanted::Boot(sha256),
                _ => continue,
            };
            let name = |update: &Update| rules::image(update, image).to_owned();
            let (from, into) = (name(base.update), name(to.update));
            if !once.hold([&packed.header, &packed.body, &from, &into]) {
                continue;
            }
            let Ok(header) = repository.target(&packed.header).await else { continue };
            let Ok(body) = repository.target(&packed.body).await else { continue };
            if let Err(what) = apply_pack(repository, base.update, image, packed, wanted).await? {
                let (version, from) = (&to.update.version, &of.from);
                report
                    .error("pack", format!("the pack of the {image} image of {version} from {from}: {what}"));
            }
            once.targets.extend([packed.header.clone(), packed.body.clone()]);
            progress.done(header.length + body.length);
        }
    }
    Ok(())
}

async fn apply_pack(
    repository: &Arc<Repository>,
    base: &Update,
    image: &str,
    packed: &PackedImage,
    wanted: packs::Wanted,
) -> Result<Result<(), String>, Error> {
    let file = async |name: &str, packed| {
        let read = move |target| packs::into_file(target, packed, &std::env::temp_dir());
        streamed(repository, name, read).await
    };
    let old = if image == "root" { &base.images.root } else { &base.images.boot };
    let tree = match image {
        "root" => streamed(repository, &base.images.hash, images::tree).await?.map(|(tree, _)| Some(tree)),
        _ => Ok(None),
    };
    let header = streamed(repository, &packed.header, packs::header).await?;
    let (body, old) = (file(&packed.body, false).await?, file(old, true).await?);
    let (tree, header, body, old) = match (tree, header, body, old) {
        (Ok(tree), Ok(header), Ok(body), Ok(old)) => (tree, header, body, old),
        (Err(what), ..) | (_, Err(what), ..) | (_, _, Err(what), _) | (.., Err(what)) => {
            return Ok(Err(what));
        }
    };
    let apply = move || packs::apply(&header, &body, &old, tree.as_ref(), &wanted);
    tokio::task::spawn_blocking(apply).await.map_err(|_| Error::Worker { what: "a pack" })
}

fn image_of(image: &str, update: &Update, what: &str) -> String {
    format!("the {image} image of {}: {what}", update.version)
}

/// Told when an image is longer than its partition.
fn fits(report: &mut CheckReport, image: &str, update: &Update, length: u64, sizes: Sizes) {
    let most = match image {
        "boot" => sizes.boot,
        "root" => sizes.root,
        _ => sizes.hash,
    };
    if length > most {
        let version = &update.version;
        let what =
            format!("the {image} image of {version} has {length} bytes, and a host's partition {most}");
        report.error("size", what);
    }
}

/// One image: verified, decoded, measured, and root held against its tree.
async fn check_image(
    repository: &Arc<Repository>,
    image: &'static str,
    info: &TargetInfo,
    mut seen: Seen,
    progress: &Arc<dyn Progress>,
) -> Result<Result<(Seen, u64), String>, Error> {
    let read = streamed(repository, &info.name, move |target| {
        let length = match (image, &seen.tree) {
            ("hash", _) => {
                let (tree, length) = images::tree(target)?;
                seen.tree = Some(Arc::new(tree));
                length
            }
            ("root", Some(tree)) => images::against(target, tree)?,
            _ => {
                let (digest, length) = images::measure(target)?;
                seen.boot = Some(digest).filter(|_| image == "boot");
                length
            }
        };
        Ok((seen, length))
    });
    let read = read.await?;
    progress.done(info.length);
    Ok(read)
}

/// The frames of an update: the index read, every frame verified, decoded, and held against the whole image. The answer is
/// what is wrong.
async fn check_frames(
    repository: &Arc<Repository>,
    update: &Update,
    seen: &Seen,
    once: &mut Once,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for (image, framed) in update.extensions.frames.iter().flat_map(Frames::named) {
        // Those of root are held against its tree.
        let whole = rules::image(update, if image == "root" { "hash" } else { image });
        if !once.hold([&framed.index, &framed.data, whole]) {
            continue;
        }
        let (Ok(index), Ok(data)) =
            (repository.target(&framed.index).await, repository.target(&framed.data).await)
        else {
            continue;
        };
        let index_read = streamed(repository, &framed.index, frames::index).await?;
        let checked = match index_read {
            Err(what) => Err(format!("their index {}: {what}", framed.index)),
            Ok(index) => {
                let seen = seen.clone();
                streamed(repository, &framed.data, move |target| match (image, &seen.tree) {
                    ("root", Some(tree)) => frames::against_tree(target, &index, tree),
                    ("root", None) => Err("there is no sound hash image to hold them against".to_owned()),
                    _ => frames::against_digest(target, &index, seen.boot),
                })
                .await?
            }
        };
        if let Err(what) = checked {
            problems.push(format!("the frames of the {image} image of {}: {what}", update.version));
        }
        once.targets.extend([framed.index.clone(), framed.data.clone()]);
        progress.done(index.length + data.length);
    }
    Ok(problems)
}

/// The migrations of all steps, and the images that have something to do with them.
async fn check_migrations(
    report: &mut CheckReport,
    repository: &Arc<Repository>,
    manifest: &Manifest,
    place: &Place,
    once: &mut Once,
    progress: &Arc<dyn Progress>,
) -> Result<(), Error> {
    for name in manifest.migrations.values().flatten() {
        let Ok(info) = repository.target(name).await else { continue };
        if !once.targets.insert(name.clone()) {
            continue;
        }
        // What was looked into until now was not asked for what this one needs.
        once.roots.clear();
        let read = |target| images::decoded(target, migrations::LARGEST);
        match streamed(repository, name, read).await?.and_then(|program| migrations::understood(&program)) {
            Ok(migration) => drop(once.migrations.insert(name.clone(), migration)),
            Err(what) => report.error("target", format!("the migration {name}: {what}")),
        }
        progress.done(info.length);
    }
    let mut looked_at = BTreeMap::new();
    for version in migrations::looked_into(manifest, &once.migrations) {
        let of_host = |update: &&Update| {
            update.variant == place.variant && update.arch == place.arch && update.version == version
        };
        let Some(update) = manifest.updates.iter().find(of_host) else { continue };
        let key = (version.clone(), update.images.root.clone());
        let image = match once.roots.get(&key) {
            Some(image) => Arc::clone(image),
            None => match streamed(repository, &update.images.root, images::unpacked).await? {
                Ok(file) => Arc::new(migrations::Image::look(&file, &once.migrations)),
                Err(why) => Arc::new(migrations::Image::unknown(&why)),
            },
        };
        once.roots.insert(key, Arc::clone(&image));
        looked_at.insert(version, image);
    }
    // A team's manifest has all steps as well.
    let is_new = |((from, to), names): &(&(Version, Version), &Vec<String>)| {
        once.steps.insert((from.clone(), to.clone(), (*names).clone()))
    };
    let steps: Vec<_> = manifest.migrations.iter().filter(is_new).collect();
    migrations::judge_all(report, &steps, &once.migrations, &looked_at);
    Ok(())
}

/// Reads a target on a thread of its own. The inner failure is told as a fragment.
async fn streamed<T: Send + 'static>(
    repository: &Arc<Repository>,
    name: &str,
    read: impl FnOnce(TargetReader) -> Result<T, String> + Send + 'static,
) -> Result<Result<T, String>, Error> {
    let target = match repository.target(name).await.and_then(|info| repository.open_target(&info)) {
        Ok(target) => target,
        Err(error) => return Ok(Err(format!("failed to {}", host_io::report::chain(&error)))),
    };
    tokio::task::spawn_blocking(move || read(target)).await.map_err(|_| Error::Worker { what: "a target" })
}
