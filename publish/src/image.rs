//! Boot, root and hash image; the hash tree built, or checked.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::fs::Kind;
use host_io::{Fs, SystemFs};
use ring::digest::{SHA256, digest};
use trusted_repo::TargetInfo;
use trusted_repo::author::TargetWriter;
use verity::{BLOCK_SIZE, HashTree, RootHash, Salt, TreeBuilder};

use crate::progress::{Counted, Progress};
use crate::{Error, frame};

/// The raw images of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePaths {
    /// The boot file system.
    pub boot: PathBuf,
    /// The root file system; a multiple of 4096 bytes.
    pub root: PathBuf,
    /// The hash image over root; built when there is none.
    pub hash: Option<PathBuf>,
}

impl ImagePaths {
    /// Bytes to be worked through: root is read once for its tree and once for its LZ4 frame, and `passes` times more, as
    /// boot is.
    pub(crate) fn work(&self, passes: u64) -> Result<u64, Error> {
        let root = root_length(&self.root)?;
        let hash = self.hash.as_deref().map(|path| length("hash", path)).transpose()?;
        Ok((2 + passes) * root + (1 + passes) * length("boot", &self.boot)? + hash.unwrap_or_default())
    }
}

/// The length of a root image, which consists of whole blocks.
pub(crate) fn root_length(path: &Path) -> Result<u64, Error> {
    let root = length("root", path)?;
    if !root.is_multiple_of(BLOCK_SIZE as u64) {
        return Err(Error::Image {
            image: "root",
            path: path.to_owned(),
            reason: format!("its {root} bytes are no multiple of {BLOCK_SIZE}"),
        });
    }
    Ok(root)
}

/// The length of an image, which has to be a regular file that holds something.
fn length(image: &'static str, path: &Path) -> Result<u64, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::file("read the image", path, error))?;
    if !metadata.is_file() {
        let reason = "it is not a regular file".to_owned();
        return Err(Error::Image { image, path: path.to_owned(), reason });
    }
    if metadata.len() == 0 {
        let reason = "it has no bytes, and no host boots from nothing".to_owned();
        return Err(Error::Image { image, path: path.to_owned(), reason });
    }
    Ok(metadata.len())
}

/// A hash image that belongs to a root image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) bytes: Vec<u8>,
    pub(crate) root_hash: RootHash,
    pub(crate) salt: Salt,
}

/// Builds the hash image over `root`. The identity in its superblock follows from `name`, so that the same release gets
/// the same bytes each time.
pub(crate) fn build_hash(
    root: &Path,
    salt: Salt,
    name: &str,
    progress: &Arc<dyn Progress>,
) -> Result<Hash, Error> {
    let uuid = digest(&SHA256, name.as_bytes()).as_ref()[..16].try_into().expect("16 of 32 bytes");
    let mut builder = TreeBuilder::new(salt.clone(), uuid);
    each_block(root, progress, |block| {
        builder.push(block).map_err(|source| Error::HashImage { path: root.to_owned(), source })
    })?;
    let image = builder.finish();
    // What no reader accepts is not published.
    HashTree::parse(&image.bytes).map_err(|source| Error::Image {
        image: "root",
        path: root.to_owned(),
        reason: format!("no hash tree over it can be used: {}", host_io::report::chain(&source)),
    })?;
    Ok(Hash { bytes: image.bytes, root_hash: image.root_hash, salt })
}

/// Takes a hash image as it is, once every block of `root` was checked against it.
pub(crate) fn check_hash(hash: &Path, root: &Path, progress: &Arc<dyn Progress>) -> Result<Hash, Error> {
    let bytes = SystemFs.read(hash).map_err(|error| Error::file("read the image", hash, error))?;
    progress.done(bytes.len() as u64);
    let differs = |source| Error::HashImage { path: hash.to_owned(), source };
    let tree = HashTree::parse(&bytes).map_err(differs)?;
    let mut index = 0;
    each_block(root, progress, |block| {
        tree.check_block(index, block).map_err(differs)?;
        index += 1;
        Ok(())
    })?;
    if index != tree.data_blocks() {
        return Err(Error::Image {
            image: "hash",
            path: hash.to_owned(),
            reason: format!("it covers {} blocks, and root has {index}", tree.data_blocks()),
        });
    }
    Ok(Hash { root_hash: tree.root_hash(), salt: tree.superblock().salt.clone(), bytes })
}

fn each_block(
    path: &Path,
    progress: &Arc<dyn Progress>,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error| Error::file("read the image", path, error);
    let file = SystemFs.open(path).map_err(failed)?;
    let mut file = Counted { inner: file, progress: Arc::clone(progress) };
    let mut buffer = vec![0; 256 * BLOCK_SIZE];
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        buffer[..filled].chunks(BLOCK_SIZE).try_for_each(&mut take)?;
        if filled < buffer.len() {
            return Ok(());
        }
    }
}

/// Publishes a file as a target that is one LZ4 frame.
pub(crate) fn publish_file(
    path: &Path,
    targets: &Path,
    name: &str,
    known: Option<&TargetInfo>,
    progress: &Arc<dyn Progress>,
) -> Result<TargetInfo, Error> {
    let file = SystemFs.open(path).map_err(|error| Error::file("read", path, error))?;
    let mut file = Counted { inner: file, progress: Arc::clone(progress) };
    publish_frame(&mut file, targets, name, known)
}

/// Publishes `raw` as a target that is one LZ4 frame. Under a name that is `known` no other bytes come into being.
pub(crate) fn publish_frame(
    raw: &mut dyn Read,
    targets: &Path,
    name: &str,
    known: Option<&TargetInfo>,
) -> Result<TargetInfo, Error> {
    let mut writer = TargetWriter::create(&SystemFs, targets, name)?;
    if let Err(error) = frame::compress(raw, &mut writer) {
        writer.discard()?;
        return Err(Error::file("compress into", targets.join(name), error));
    }
    settle(writer, targets, known)
}

/// Ends a target. Under a name that is `known` no other bytes come into being.
pub(crate) fn settle(
    writer: TargetWriter<'_>,
    targets: &Path,
    known: Option<&TargetInfo>,
) -> Result<TargetInfo, Error> {
    match known {
        None => Ok(writer.publish()?),
        Some(known) => {
            let published = targets.join(format!("{}.{}", known.hashes.hex(), known.name));
            // A signed target whose file was lost is put back.
            let lost = matches!(SystemFs.kind(&published), Ok(None | Some(Kind::Other)));
            if lost && writer.info() == *known { Ok(writer.publish()?) } else { Ok(writer.discard()?) }
        }
    }
}
