//! The raw images of a release: as they were given, or unpacked again from what was published.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use blocks::pack::Image;
use lz4_flex::frame::FrameDecoder;
use semver::Version;
use trusted_repo::author::Editor;
use update_metadata::Update;
use verity::HashTree;

use super::target::Published;
use crate::layout::RepoLayout;
use crate::progress::Progress;
use crate::{Error, ImagePaths};

/// What is read at once.
const PIECE: usize = 1 << 20;

/// The raw images of one release.
pub(crate) struct Raw {
    pub(crate) version: Version,
    boot: (File, u64),
    root: (File, u64),
    pub(crate) tree: HashTree,
}

impl Raw {
    /// Images in files, and the hash image over root.
    pub(crate) fn given(version: &Version, images: &ImagePaths, hash: &[u8]) -> Result<Self, Error> {
        let open = |path: &Path| {
            let open = || {
                let file = File::open(path)?;
                let len = file.metadata()?.len();
                Ok((file, len))
            };
            open().map_err(|error| Error::file("read the image", path, error))
        };
        let tree =
            HashTree::parse(hash).map_err(|source| Error::HashImage { path: images.root.clone(), source })?;
        Ok(Self { version: version.clone(), boot: open(&images.boot)?, root: open(&images.root)?, tree })
    }

    /// The images of a published release, unpacked into files without a name beside the targets: a publisher that dies
    /// leaves nothing behind. They are as long as the images are.
    pub(crate) fn published(
        update: &Update,
        layout: &RepoLayout,
        editor: &Editor,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, Error> {
        let unusable = |reason| Error::PackBase { version: update.version.clone(), reason };
        let target = |name: &str| Published::open(layout, editor, name).map_err(unusable);
        let file = |name: &str| {
            let into = tempfile::tempfile_in(&layout.targets)
                .map_err(|error| Error::file("make a temporary file in", &layout.targets, error))?;
            unpack(target(name)?, &layout.targets, into, progress, &unusable)
        };
        let mut hash = Vec::new();
        let mut decoder = FrameDecoder::new(target(&update.images.hash)?);
        decoder.read_to_end(&mut hash).map_err(|error| unusable(error.to_string()))?;
        decoder.into_inner().finish().map_err(unusable)?;
        let tree = HashTree::parse(&hash).map_err(|error| unusable(host_io::report::chain(&error)))?;
        let (boot, root) = (file(&update.images.boot)?, file(&update.images.root)?);
        if root.1 != tree.data_len() {
            return Err(unusable("its hash image is over another root image".to_owned()));
        }
        Ok(Self { version: update.version.clone(), boot, root, tree })
    }

    /// How many bytes the images have.
    pub(crate) fn len(&self) -> u64 {
        self.boot.1 + self.root.1
    }

    /// The boot image.
    pub(crate) fn boot(&self) -> Image<'_> {
        Image { data: &self.boot.0, len: self.boot.1, tree: None }
    }

    /// The file of the boot image.
    pub(crate) fn boot_file(&self) -> &File {
        &self.boot.0
    }

    /// The root image with its tree.
    pub(crate) fn root(&self) -> Image<'_> {
        Image { data: &self.root.0, len: self.root.1, tree: Some(&self.tree) }
    }
}

fn unpack(
    from: Published,
    dir: &Path,
    mut into: File,
    progress: &Arc<dyn Progress>,
    unusable: &dyn Fn(String) -> Error,
) -> Result<(File, u64), Error> {
    let mut decoder = FrameDecoder::new(from);
    let mut piece = vec![0; PIECE];
    let mut len = 0;
    loop {
        let count = decoder.read(&mut piece).map_err(|error| unusable(error.to_string()))?;
        if count == 0 {
            break;
        }
        into.write_all(&piece[..count])
            .map_err(|error| Error::file("write a temporary file in", dir, error))?;
        len += count as u64;
        progress.done(count as u64);
    }
    decoder.into_inner().finish().map_err(unusable)?;
    Ok((into, len))
}
