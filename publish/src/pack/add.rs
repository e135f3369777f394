//! Packs for a release that is being published, or that is published already.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Serialize;
use trusted_repo::TargetInfo;
use trusted_repo::author::Editor;
use update_metadata::{Manifest, Packs, Update};

use super::Bases;
use super::make::{ASKED, Bench, Made, PackReport, WORTH};
use super::raw::Raw;
use crate::boot::initramfs;
use crate::layout::RepoLayout;
use crate::progress::Progress;
use crate::session::Session;
use crate::worker::work;
use crate::{Desk, Error, ImagePaths, Lifetimes};

/// A release whose other targets are made.
pub(crate) struct Release {
    /// As the manifest will have it.
    pub(crate) update: Update,
    /// Its raw images.
    pub(crate) images: ImagePaths,
    /// Its hash image.
    pub(crate) hash: Vec<u8>,
    /// Its targets that are not signed yet.
    pub(crate) fresh: Vec<TargetInfo>,
    /// What was worked through so far, in bytes.
    pub(crate) done: u64,
}

/// What was made for a release.
#[derive(Default)]
pub(crate) struct Added {
    /// What its manifest entry says of packs from now on, newest base first.
    pub(crate) packs: Vec<Packs>,
    /// Targets that are new.
    pub(crate) targets: Vec<TargetInfo>,
    /// What came of each.
    pub(crate) reports: Vec<PackReport>,
    /// What is worth a word.
    pub(crate) notes: Vec<String>,
}

/// Makes the packs that lead to a release from those in `bases`. What it has from any of them already stays.
pub(crate) async fn add(
    bases: &Bases,
    manifest: &Manifest,
    release: Release,
    editor: &Editor,
    layout: &RepoLayout,
    progress: &Arc<dyn Progress>,
) -> Result<Added, Error> {
    let Update { variant, arch, version, extensions, .. } = &release.update;
    let mut wanted = bases.of(manifest, variant, arch, version)?;
    let added = Added { packs: extensions.packs.clone(), ..Added::default() };
    wanted.retain(|base| added.packs.iter().all(|packs| packs.from != base.version));
    if wanted.is_empty() {
        return Ok(added);
    }
    // Who named a base wants it; one that was taken because it is new may be gone or rotten.
    let must = matches!(bases, Bases::These(_));
    let (editor, layout, progress) = (editor.clone(), layout.clone(), Arc::clone(progress));
    let made = work("the packs", move || {
        let mut added = added;
        let Release { update, images, hash, fresh, done } = &release;
        let new = Raw::given(&update.version, images, hash)?;
        let bench = Bench {
            layout: &layout,
            editor: &editor,
            update,
            new: &new,
            fresh,
            below: WORTH,
            progress: &progress,
        };
        let mut total = *done;
        let mut first = true;
        for base in &wanted {
            match Raw::published(base, &layout, &editor, &progress) {
                Ok(base) => {
                    total += base.len() + bench.work(&base);
                    progress.total(total);
                    added.take(bench.from(&base)?);
                    // What is true of the newest one is true of all, and not worth the time again.
                    if std::mem::take(&mut first) {
                        // It is advice: where it cannot be worked out the release is none the worse.
                        let advice = initramfs::advice(base.boot_file(), new.boot_file());
                        added.notes.extend(advice.ok().flatten());
                    }
                }
                Err(error @ Error::PackBase { .. }) if !must => {
                    added.notes.push(format!("no pack: failed to {}", host_io::report::chain(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(added)
    });
    made.await
}

impl Added {
    fn take(&mut self, made: Made) {
        let Made { packs, targets, reports } = made;
        if packs.named().next().is_some() {
            self.packs.push(packs);
            self.packs.sort_by(|one, other| other.from.cmp(&one.from));
        }
        self.targets.extend(targets);
        self.reports.extend(reports);
    }
}

/// A pack between two releases that are published.
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// The repository and the keys.
    pub desk: Desk,
    /// The release that it leads on from.
    pub from: Version,
    /// The release that it leads to.
    pub to: Version,
    /// How long the signed roles hold.
    pub lifetimes: Lifetimes,
}

/// What `pack` published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PacksReport {
    /// The release that it leads to.
    pub version: Version,
    /// What came of the packs.
    pub packs: Vec<PackReport>,
    /// The version of the timestamp role; null when nothing was published.
    pub timestamp_version: Option<u64>,
}

/// Makes packs between two releases that are published, and publishes those that hosts will take.
///
/// # Errors
/// When there are no such releases, their files are not what is signed, or files cannot be written.
pub async fn pack(
    options: &PackOptions,
    now: DateTime<Utc>,
    progress: Arc<dyn Progress>,
) -> Result<PacksReport, Error> {
    let PackOptions { desk, from, to, lifetimes } = options;
    let mut session = Session::open(desk).await?;
    let mut manifest = session.manifest()?;
    let is_to =
        |update: &Update| update.variant == desk.variant && update.arch == desk.arch && update.version == *to;
    let found = manifest.updates.iter().find(|update| is_to(update)).cloned();
    let reason = "the manifest does not offer this version".to_owned();
    let update = found.ok_or(Error::PackBase { version: to.clone(), reason })?;
    if update.extensions.packs.iter().any(|packs| packs.from == *from) {
        let reason = format!("it has one from {from} already");
        return Err(Error::PackBase { version: to.clone(), reason });
    }
    let base = Bases::These(vec![from.clone()]).of(&manifest, &desk.variant, &desk.arch, to)?.remove(0);
    let (editor, layout) = (session.editor.clone(), session.layout.clone());
    let bar = Arc::clone(&progress);
    let Made { packs, targets, reports } = work("the packs", move || {
        let new = Raw::published(&update, &layout, &editor, &bar)?;
        let base = Raw::published(&base, &layout, &editor, &bar)?;
        let bench = Bench {
            layout: &layout,
            editor: &editor,
            update: &update,
            new: &new,
            fresh: &[],
            below: ASKED,
            progress: &bar,
        };
        bar.total(new.len() + base.len() + bench.work(&base));
        bench.from(&base)
    })
    .await?;
    let mut timestamp_version = None;
    if !targets.is_empty() {
        for target in targets {
            session.editor.add_target(target)?;
        }
        let update = manifest.updates.iter_mut().find(|update| is_to(update)).expect("it was there");
        update.extensions.packs.push(packs);
        update.extensions.packs.sort_by(|one, other| other.from.cmp(&one.from));
        session.put_manifest(&manifest)?;
        timestamp_version = Some(session.commit(&lifetimes.from(now)).await?.versions().timestamp);
    }
    progress.finish();
    Ok(PacksReport { version: to.clone(), packs: reports, timestamp_version })
}

impl fmt::Display for PacksReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pack in &self.packs {
            writeln!(f, "{pack}")?;
        }
        match self.timestamp_version {
            Some(timestamp) => write!(f, "published with timestamp version {timestamp}"),
            None => write!(f, "nothing was published: hosts would fetch less without"),
        }
    }
}
