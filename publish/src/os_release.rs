//! What a root image calls itself: its own `os-release`, read out of its file system.
//!
//! A host that boots an image under another name than it was installed under would install it again and again, so such
//! an image is refused before it is published. Squashfs (stored as it is, or packed with gzip, zstd or lz4) and ext4 are
//! read; of anything else, erofs among it, nothing can be told here, and the host finds out after one boot.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use backhand::{FilesystemReader, InnerNode};
use ext4_view::Ext4;
use semver::Version;

use crate::Error;

/// Where an image says what it is; the first is often a link to the second.
const PLACES: [&str; 2] = ["/usr/lib/os-release", "/etc/os-release"];
/// The most of such a file that is read, in bytes.
const LIMIT: u64 = 64 << 10;

/// Refuses the root image at `path` if it calls itself by another version or variant than it is published under.
///
/// # Errors
/// [`Error::Misnamed`]. An image that does not tell is taken.
pub(crate) fn check(path: &Path, variant: &str, version: &Version) -> Result<(), Error> {
    let told = match read(path) {
        Ok(Some(text)) => host_io::OsRelease::parse(&text, path.to_owned()),
        Ok(None) => {
            tracing::debug!("what {} calls itself cannot be told here", path.display());
            return Ok(());
        }
        Err(why) => {
            tracing::warn!("what {} calls itself is not known: {why}", path.display());
            return Ok(());
        }
    };
    match told {
        Ok(os) if os.version_id == *version && os.variant_id == variant => Ok(()),
        Ok(os) => Err(Error::Misnamed {
            path: path.to_owned(),
            found: format!("{} {}", os.variant_id, os.version_id),
            wanted: format!("{variant} {version}"),
        }),
        Err(error) => {
            tracing::warn!("what the image calls itself is not known: {}", host_io::report::chain(&error));
            Ok(())
        }
    }
}

/// The text of the image's `os-release`; `None` where its file system is none that is read here, or has no such file.
fn read(path: &Path) -> Result<Option<String>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(2048).read_to_end(&mut start).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    if start.starts_with(b"hsqs") {
        return squashfs(file);
    }
    // The superblock begins at 1024, and its magic number is at 56.
    if start.get(1080..1082) == Some(&[0x53, 0xef]) {
        return ext4(path);
    }
    if start.get(1024..1028) == Some(&[0xe2, 0xe1, 0xf5, 0xe0]) {
        return Err("it is an erofs, which is not read here; a host finds out after one boot".to_owned());
    }
    Ok(None)
}

fn squashfs(file: File) -> Result<Option<String>, String> {
    let image = FilesystemReader::from_reader(BufReader::new(file)).map_err(|error| error.to_string())?;
    for place in PLACES {
        let node = image.files().find(|node| node.fullpath == Path::new(place));
        if let Some(InnerNode::File(found)) = node.map(|node| &node.inner) {
            let mut bytes = Vec::new();
            let mut reader = image.file(found).reader().take(LIMIT);
            reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

fn ext4(path: &Path) -> Result<Option<String>, String> {
    let image = Ext4::load_from_path(path).map_err(|error| error.to_string())?;
    for place in PLACES {
        let is_there = image.metadata(place).is_ok_and(|found| found.len() <= LIMIT);
        if is_there {
            return image.read_to_string(place).map(Some).map_err(|error| error.to_string());
        }
    }
    Ok(None)
}
