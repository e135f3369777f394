//! The hash image of a root image, before anything is published: the root hash has to be in BOOT's command line first.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::{SystemFs, swap};
use serde::Serialize;
use verity::Salt;

use crate::Error;
use crate::add::new_salt;
use crate::image::build_hash;
use crate::progress::Progress;

/// What was computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HashReport {
    /// The root hash, as hexadecimal digits.
    pub root_hash: String,
    /// The salt, as hexadecimal digits.
    pub salt: String,
    /// Where the salt comes from.
    pub salt_from: String,
    /// The length of the hash image in bytes.
    pub length: u64,
    /// The file that was written.
    pub out: Option<PathBuf>,
}

/// Builds the hash image over `root`, and writes it to `out`. `name` decides the identity in its superblock, so that
/// `add` builds the same bytes for the same release.
///
/// # Errors
/// When the image cannot be read or used, or the file not be written.
pub fn hash(
    root: &Path,
    salt: Option<(Salt, String)>,
    name: &str,
    out: Option<&Path>,
    progress: &Arc<dyn Progress>,
) -> Result<HashReport, Error> {
    let length = crate::image::root_length(root)?;
    progress.total(length);
    let (salt, salt_from) = match salt {
        Some(known) => known,
        None => (
            new_salt()?,
            "made up now: give it to \"pubrepo add\" with --salt, or --out's file with --hash".to_owned(),
        ),
    };
    let hash = build_hash(root, salt, name, progress)?;
    if let Some(out) = out {
        swap::replace_file(&SystemFs, out, &hash.bytes, 0o644)
            .map_err(|error| Error::file("write", out, error))?;
    }
    progress.finish();
    Ok(HashReport {
        root_hash: hash.root_hash.to_string(),
        salt: hash.salt.to_string(),
        salt_from,
        length: hash.bytes.len() as u64,
        out: out.map(Path::to_owned),
    })
}

impl fmt::Display for HashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "root hash: {}", self.root_hash)?;
        writeln!(f, "salt:      {} ({})", self.salt, self.salt_from)?;
        if let Some(out) = &self.out {
            writeln!(f, "written:   {} ({} bytes)", out.display(), self.length)?;
        }
        write!(f, "for BOOT:  roothash={}", self.root_hash)
    }
}
