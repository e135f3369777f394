//! Whether there is room.

use std::path::Path;

use host_io::Fs;

use crate::amount::Amount;
use crate::error::Error;

/// Whether so much is free where `place` lies, and how many bytes are.
///
/// # Errors
/// [`Error::NoRoom`] when it is not; also when the file system does not say.
pub fn is_free(wanted: Amount, fs: &dyn Fs, place: &Path) -> Result<u64, Error> {
    let unknown = |source| Error::FreeSpace { base: place.to_owned(), source };
    let (bytes, files) = (fs.free_bytes(place).map_err(unknown)?, fs.free_files(place).map_err(unknown)?);
    let short = |of, needed, free| Error::NoRoom { base: place.to_owned(), of, needed, free };
    if bytes < wanted.bytes {
        return Err(short("bytes", wanted.bytes, bytes));
    }
    if files < wanted.files {
        return Err(short("files", wanted.files, files));
    }
    Ok(bytes)
}
