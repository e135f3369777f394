//! One release to another: packs made, proven, weighed and published.

use std::fmt;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;

use blocks::Index;
use blocks::encode::all_threads;
use blocks::pack::make::work;
use blocks::pack::{Image, MakeError, PackOptions, ReadAt, make};
use host_io::SystemFs;
use host_io::bar::mib;
use semver::Version;
use serde::Serialize;
use trusted_repo::TargetInfo;
use trusted_repo::author::{Editor, TargetWriter};
use update_metadata::{FramedImage, PackedImage, Packs, Update};
use verity::HashTree;

use super::instead::{self, Whole};
use super::prove::prove;
use super::raw::Raw;
use super::target::Published;
use crate::Error;
use crate::image::settle;
use crate::layout::{RepoLayout, body_target, pack_target};
use crate::progress::Progress;

/// What a pack has to stay below, in tenths of what hosts would fetch otherwise: less is not worth the files.
pub(crate) const WORTH: u64 = 7;
/// The same for one that somebody asked for.
pub(crate) const ASKED: u64 = 10;

/// What came of one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackReport {
    /// The release that it leads on from.
    pub from: Version,
    /// `boot` or `root`.
    pub image: &'static str,
    /// Its length in bytes: header and body.
    pub bytes: u64,
    /// What a host fetches without it.
    pub instead_of: u64,
    /// Whether it was published: it saves enough.
    pub published: bool,
}

/// What all packs of a release have in common.
pub(crate) struct Bench<'a> {
    pub(crate) layout: &'a RepoLayout,
    pub(crate) editor: &'a Editor,
    /// The release that packs lead to, as the manifest has it.
    pub(crate) update: &'a Update,
    /// Its images.
    pub(crate) new: &'a Raw,
    /// Targets of it that are not signed yet.
    pub(crate) fresh: &'a [TargetInfo],
    /// In tenths, see [`WORTH`].
    pub(crate) below: u64,
    pub(crate) progress: &'a Arc<dyn Progress>,
}

/// Packs from one release, their targets, and what came of each.
pub(crate) struct Made {
    pub(crate) packs: Packs,
    pub(crate) targets: Vec<TargetInfo>,
    pub(crate) reports: Vec<PackReport>,
}

/// The names of one pack's targets, and what they are.
type Targets = (PackedImage, [TargetInfo; 2]);

impl Bench<'_> {
    /// How many bytes are worked through for packs from `base`.
    pub(crate) fn work(&self, base: &Raw) -> u64 {
        let of = |old: Image<'_>, new: Image<'_>| work(old.len, new.len);
        of(base.boot(), self.new.boot()) + of(base.root(), self.new.root())
    }

    /// Makes the packs that lead from `base` to this release.
    pub(crate) fn from(&self, base: &Raw) -> Result<Made, Error> {
        let base_hash = base.tree.root_hash().to_string();
        let mut packs = Packs {
            from: base.version.clone(),
            base: base_hash,
            root_hash: Some(self.new.tree.root_hash().to_string()),
            boot: None,
            root: None,
            other: serde_json::Map::new(),
        };
        let (mut targets, mut reports) = (Vec::new(), Vec::new());
        for (image, old, new) in
            [("boot", base.boot(), self.new.boot()), ("root", base.root(), self.new.root())]
        {
            let (report, made) = self.image(image, base, &old, &new)?;
            reports.push(report);
            let Some((named, infos)) = made else { continue };
            targets.extend(infos);
            let place = if image == "boot" { &mut packs.boot } else { &mut packs.root };
            *place = Some(named);
        }
        Ok(Made { packs, targets, reports })
    }

    fn image(
        &self,
        image: &'static str,
        base: &Raw,
        old: &Image<'_>,
        new: &Image<'_>,
    ) -> Result<(PackReport, Option<Targets>), Error> {
        let (from, to) = (&base.version, &self.new.version);
        let what = || format!("the {image} image from {from} to {to}");
        let scratch = |error| Error::file("write a temporary file in", &self.layout.targets, error);
        let file = tempfile::tempfile_in(&self.layout.targets).map_err(scratch)?;
        let mut body = BufWriter::new(file);
        let mut tell = |bytes| {
            self.progress.done(bytes);
            ControlFlow::Continue(())
        };
        let options = PackOptions::thorough(all_threads());
        let header = make(old, new, &options, &mut body, &mut tell).map_err(|error| match error {
            MakeError::Write(error) => scratch(error),
            error => Error::Pack { what: what(), source: Box::new(error) },
        })?;
        let mut body = body.into_inner().map_err(|error| scratch(error.into_error()))?;
        let bytes = header.encode();
        let hash = old.tree.map(HashTree::image);
        let hash = hash.as_ref().map(|bytes| bytes as &dyn ReadAt);
        let proven = prove(&bytes, &body, old.data, hash);
        let proven = proven.map_err(|reason| Error::PackProof { what: what(), reason })?;

        let instead_of = instead::of(self.whole(image), self.index(image)?.as_ref(), &proven);
        let length = bytes.len() as u64 + proven.body_len();
        let published = length * 10 < instead_of * self.below;
        let report = PackReport { from: from.clone(), image, bytes: length, instead_of, published };
        if !published {
            return Ok((report, None));
        }
        let Update { variant, arch, version, .. } = self.update;
        let name = PackedImage {
            header: pack_target(variant, arch, version, image, from),
            body: body_target(variant, arch, version, image, from),
            ..PackedImage::default()
        };
        body.rewind().map_err(scratch)?;
        let body = self.publish(&name.body, &mut body)?;
        let header = self.publish(&name.header, &mut &bytes[..])?;
        Ok((report, Some((name, [header, body]))))
    }

    fn publish(&self, name: &str, from: &mut dyn io::Read) -> Result<TargetInfo, Error> {
        let targets = &self.layout.targets;
        let mut writer = TargetWriter::create(&SystemFs, targets, name)?;
        if let Err(error) = io::copy(from, &mut writer).and_then(|_| writer.flush()) {
            writer.discard()?;
            return Err(Error::file("write", targets.join(name), error));
        }
        settle(writer, targets, self.editor.target(name))
    }

    /// A target of this release, signed or about to be.
    fn target(&self, name: &str) -> Option<&TargetInfo> {
        self.fresh.iter().find(|target| target.name == name).or_else(|| self.editor.target(name))
    }

    fn framed(&self, image: &str) -> Option<&FramedImage> {
        let frames = self.update.extensions.frames.as_ref()?;
        if image == "boot" { frames.boot.as_ref() } else { frames.root.as_ref() }
    }

    fn whole(&self, image: &str) -> Whole {
        let length = |name: &str| self.target(name).map_or(0, |target| target.length);
        let images = &self.update.images;
        Whole {
            stream: length(if image == "boot" { &images.boot } else { &images.root }),
            index: self.framed(image).map_or(0, |framed| length(&framed.index)),
            hash: if image == "boot" { 0 } else { length(&images.hash) },
        }
    }

    /// The index of an image's frames, where it has them.
    fn index(&self, image: &'static str) -> Result<Option<Index>, Error> {
        let Some(info) = self.framed(image).and_then(|framed| self.target(&framed.index)) else {
            return Ok(None);
        };
        let unusable = |reason| Error::PackBase { version: self.new.version.clone(), reason };
        let bytes = Published::of(self.layout, info).and_then(Published::whole).map_err(unusable)?;
        let index = Index::parse(&bytes).map_err(|error| unusable(host_io::report::chain(&error)))?;
        Ok(Some(index))
    }
}

impl fmt::Display for PackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, image, bytes, instead_of, published } = self;
        let (bytes, instead_of) = (mib(*bytes), mib(*instead_of));
        write!(f, "pack from {from}, {image}: {bytes} instead of {instead_of}")?;
        if *published { Ok(()) } else { write!(f, "; not published, it saves too little") }
    }
}
