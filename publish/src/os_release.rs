//! What a root image calls itself: its own `os-release`, read out of its file system.
//!
//! A host that boots an image under another name than it was installed under would install it again and again, so such
//! an image is refused before it is published. Where its files cannot be read here, the host finds out after one boot.

use std::path::Path;

use semver::Version;

use crate::Error;
use crate::root_files::RootFiles;

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
    let Some(image) = RootFiles::open(path)? else { return Ok(None) };
    for place in PLACES {
        if let Some(bytes) = image.read(Path::new(place), LIMIT)? {
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}
