//! A root image of the size of a real one: this machine's own programs and libraries, one after another.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;
/// What it is packed from.
const FROM: &str = "/usr";
/// Larger files are rare in a root image, and one would be most of it.
const LARGEST: u64 = 64 << 20;

/// An image, and what is in it.
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// In words, for the report.
    pub(super) what: String,
}

impl Image {
    /// An image that is there.
    pub(super) fn given(path: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = fs::metadata(path).map_err(|error| format!("read {}: {error}", path.display()))?.len();
        Ok(Self { path: path.canonicalize()?, bytes, what: path.display().to_string() })
    }

    /// The files below `/usr` in the order of their names, each from the beginning of a block, until there are
    /// `megabytes` million bytes; zeros if there are not enough of them.
    pub(super) fn packed(path: &Path, megabytes: u64) -> Result<Self, Box<dyn Error>> {
        let bytes = (megabytes * 1_000_000).div_ceil(BLOCK) * BLOCK;
        let mut to = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let (mut at, mut files) = (0, 0u64);
        let mut folders = vec![PathBuf::from(FROM)];
        while let Some(folder) = folders.pop().filter(|_| at < bytes) {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && entry.metadata().is_ok_and(|data| data.len() <= LARGEST)
                    && at < bytes
                {
                    let Ok(file) = File::open(entry.path()) else { continue };
                    let count = io::copy(&mut file.take(bytes - at), &mut to)?;
                    let padding = count.next_multiple_of(BLOCK) - count;
                    io::copy(&mut io::repeat(0).take(padding), &mut to)?;
                    at += count + padding;
                    files += 1;
                }
            }
        }
        io::copy(&mut io::repeat(0).take(bytes - at), &mut to)?;
        to.flush()?;
        to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        let what =
            format!("{files} files of {FROM}, {} % of it zeros behind them", (bytes - at) * 100 / bytes);
        Ok(Self { path: path.to_owned(), bytes, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_whole_blocks_of_files_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let image = Image::packed(&dir.path().join("image"), 1).unwrap();
        assert_eq!(image.bytes, 1_003_520);
        assert_eq!(fs::metadata(&image.path).unwrap().len(), image.bytes);
        assert!(!image.what.starts_with("0 files"), "{}", image.what);
    }
}
