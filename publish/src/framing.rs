//! Images once more, as frames with an index, so that a host fetches only what it does not have (`docs/formats.md`).

use std::path::Path;
use std::sync::Arc;

use blocks::encode::{EncodeError, Options, all_threads};
use blocks::{FrameSize, Level, RawDigests, encode};
use host_io::{Fs as _, SystemFs};
use semver::Version;
use trusted_repo::TargetInfo;
use trusted_repo::author::{Editor, TargetWriter};
use update_metadata::{FramedImage, Frames};

use crate::Error;
use crate::image::settle;
use crate::layout::{RepoLayout, frames_target, index_target};
use crate::progress::Progress;

/// Boot is a kernel and an initrd for the most part. Each of them changes as a whole and has been compressed before, so
/// smaller frames would make a longer index and save nothing.
const SMALLEST_OF_BOOT: FrameSize = FrameSize::KIB_64;

/// Whether a release has frames beside its whole images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It has none: only what every reader of the common format knows.
    Plain,
    /// It has frames of boot and root.
    Frames {
        /// How much of an image a frame has; those of boot have 64 KiB at least.
        size: FrameSize,
        /// How hard they are compressed.
        level: Level,
    },
}

impl Default for Framing {
    fn default() -> Self {
        Self::Frames { size: FrameSize::default(), level: Level::default() }
    }
}

impl Framing {
    /// What the manifest says of the frames of a release.
    pub(crate) fn extension(self, variant: &str, arch: &str, version: &Version) -> Option<Frames> {
        let image = |image| {
            let data = frames_target(variant, arch, version, image);
            let index = index_target(variant, arch, version, image);
            Some(FramedImage { data, index, ..FramedImage::default() })
        };
        match self {
            Self::Plain => None,
            Self::Frames { .. } => {
                Some(Frames { boot: image("boot"), root: image("root"), ..Frames::default() })
            }
        }
    }

    /// How often the images are read for it.
    pub(crate) fn passes(self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Frames { .. } => 1,
        }
    }
}

/// One image that is to be cut up: under which names, and what is signed under these already.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    options: Options,
    image: FramedImage,
    known: [Option<TargetInfo>; 2],
}

impl Cut {
    /// The boot and the root image of a release. Boot has no hash tree, so its index says what the raw bytes are.
    pub(crate) fn plan(framing: Framing, frames: Option<&Frames>, editor: &Editor) -> Option<[Self; 2]> {
        let Framing::Frames { size: frame_size, level } = framing else { return None };
        let cut = |image: &FramedImage, frame_size, raw_digests| Self {
            options: Options { frame_size, level, raw_digests, threads: all_threads() },
            known: [&image.data, &image.index].map(|name| editor.target(name).cloned()),
            image: image.clone(),
        };
        let Frames { boot: Some(boot), root: Some(root), .. } = frames? else { return None };
        let of_boot = frame_size.max(SMALLEST_OF_BOOT);
        Some([cut(boot, of_boot, RawDigests::Keep), cut(root, frame_size, RawDigests::LeaveOut)])
    }

    /// Publishes the frames of the image in `path`, then their index.
    pub(crate) fn publish(
        &self,
        path: &Path,
        layout: &RepoLayout,
        progress: &Arc<dyn Progress>,
    ) -> Result<[TargetInfo; 2], Error> {
        let targets = &layout.targets;
        let [known_data, known_index] = &self.known;
        let mut file = SystemFs.open(path).map_err(|error| Error::file("read", path, error))?;
        let mut writer = TargetWriter::create(&SystemFs, targets, &self.image.data)?;
        let cut = encode(&mut *file, &mut writer, &self.options, &mut |bytes| progress.done(bytes));
        let index = match cut {
            Ok(index) => index,
            Err(error) => {
                writer.discard()?;
                return Err(failed(error, path, &targets.join(&self.image.data)));
            }
        };
        let data = settle(writer, targets, known_data.as_ref())?;
        let mut writer = TargetWriter::create(&SystemFs, targets, &self.image.index)?;
        if let Err(error) = std::io::Write::write_all(&mut writer, &index.encode()) {
            writer.discard()?;
            return Err(Error::file("write", targets.join(&self.image.index), error));
        }
        Ok([data, settle(writer, targets, known_index.as_ref())?])
    }
}

fn failed(error: EncodeError, from: &Path, to: &Path) -> Error {
    match error {
        EncodeError::Read(error) => Error::file("read", from, error),
        EncodeError::Write(error) | EncodeError::Compress(error) => Error::file("compress into", to, error),
        source => Error::Frames { path: from.to_owned(), source },
    }
}
