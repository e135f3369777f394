//! Packs applied to the release that they lead on from, where that is still published.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use blocks::pack::ReadAt;
use blocks::pack::header::MAX_LEN;
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::{Error as RepoError, TargetReader};
use verity::HashTree;

use crate::pack::prove::prove;

/// What is read at once.
const PIECE: usize = 1 << 18;

/// Reads a header. The failure is a fragment.
pub(crate) fn header(mut target: TargetReader) -> Result<Vec<u8>, String> {
    let name = target.name().to_owned();
    let mut bytes = Vec::new();
    // One byte more than the longest, to see that it is too long.
    (&mut target).take(MAX_LEN + 1).read_to_end(&mut bytes).map_err(|error| told(&name, error))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(format!("it has more than {MAX_LEN} bytes"));
    }
    target.finish().map_err(|error| host_io::report::chain(&error))?;
    Ok(bytes)
}

/// An image, unpacked into a file without a name, or the body of a pack, which is as it is.
pub(crate) fn into_file(target: TargetReader, packed: bool, dir: &Path) -> Result<File, String> {
    let name = target.name().to_owned();
    let mut file = tempfile::tempfile_in(dir)
        .map_err(|error| format!("failed to make a temporary file in {}: {error}", dir.display()))?;
    let mut write = |piece: &[u8]| {
        file.write_all(piece)
            .map_err(|error| format!("failed to write a temporary file in {}: {error}", dir.display()))
    };
    if packed {
        let mut reader = Lz4Reader::new(target);
        pieces(&mut reader, &name, &mut write)?;
        reader.finish().map_err(|error| host_io::report::chain(&error))?;
    } else {
        let mut target = target;
        pieces(&mut target, &name, &mut write)?;
        target.finish().map_err(|error| host_io::report::chain(&error))?;
    }
    Ok(file)
}

fn pieces(
    from: &mut dyn Read,
    name: &str,
    write: &mut dyn FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => write(&piece[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(told(name, error)),
        }
    }
}

/// What a pack has to lead to.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// A root image with this root hash.
    Root(verity::RootHash),
    /// A boot image with this SHA-256.
    Boot([u8; 32]),
}

/// Applies a pack to its base. `tree` is that of the base, for root.
pub(crate) fn apply(
    header: &[u8],
    body: &dyn ReadAt,
    base: &dyn ReadAt,
    tree: Option<&HashTree>,
    wanted: &Wanted,
) -> Result<(), String> {
    let hash = tree.map(HashTree::image);
    let hash = hash.as_ref().map(|bytes| bytes as &dyn ReadAt);
    // Groups are compared with the header; the header has to be about the release.
    let header = prove(header, body, base, hash)?;
    let is_it = match (&header.shape, wanted) {
        (blocks::pack::Shape::Tree { new_root, .. }, Wanted::Root(root)) => new_root == root,
        (blocks::pack::Shape::Flat { new_sha256, .. }, Wanted::Boot(sha256)) => new_sha256 == sha256,
        _ => false,
    };
    if is_it { Ok(()) } else { Err("it leads to another image than the release has".to_owned()) }
}

fn told(name: &str, error: io::Error) -> String {
    host_io::report::chain(&RepoError::from_read(name, error))
}
