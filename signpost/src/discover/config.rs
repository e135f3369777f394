//! The optional file `/etc/signpost.toml`: for hosts where the running system cannot tell.
//!
//! ```toml
//! disk = "/dev/disk/by-id/virtio-os"  # a block device or an image file, taken as written
//! active = "A"                        # for tests and image builders: wrong after the next flip
//! sector_size = 4096                  # only for image files; found out by itself otherwise
//! ```

use std::io;
use std::path::{Path, PathBuf};

use host_io::{Fs, SystemFs};
use serde::Deserialize;

use crate::error::Error;
use crate::set::SetName;

/// The configuration, every part of it optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The disk that carries the sets. Not below `--root`.
    pub disk: Option<PathBuf>,
    /// The set that is running.
    #[serde(default, deserialize_with = "set_name")]
    pub active: Option<SetName>,
    /// Bytes per sector of an image file.
    pub sector_size: Option<u32>,
}

impl Config {
    /// Reads the file at `path`. A file that is not there says nothing.
    ///
    /// # Errors
    /// When it cannot be read, or says what it cannot mean.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Config { path: path.to_owned(), source };
        let text = match SystemFs.read(path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(io::Error::other).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
        };
        let config: Self = toml::from_str(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, host_io::report::toml(&text, &error)))
            .map_err(failed)?;
        match config.sector_size {
            None | Some(512 | 1024 | 2048 | 4096) => Ok(config),
            Some(bytes) => Err(failed(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no disk has sectors of {bytes} bytes"),
            ))),
        }
    }
}

fn set_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SetName>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signpost.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn an_absent_file_says_nothing() {
        assert_eq!(Config::load(Path::new("/nowhere/signpost.toml")).unwrap(), Config::default());
    }

    #[test]
    fn all_parts_are_optional() {
        assert_eq!(load("").unwrap(), Config::default());
        let config = load("disk = \"disk.img\"\nactive = \"B\"\nsector_size = 4096\n").unwrap();
        assert_eq!(config.disk.as_deref(), Some(Path::new("disk.img")));
        assert_eq!((config.active, config.sector_size), (Some(SetName::B), Some(4096)));
    }

    #[test]
    fn what_it_cannot_mean_is_an_error_that_says_so() {
        for (text, said) in [
            ("active = \"C\"", "named A or B"),
            ("sector_size = 513", "513"),
            ("dsk = \"x\"", "dsk"),
            ("disk = 7", "string"),
        ] {
            let error = load(text).unwrap_err();
            let chain = host_io::report::chain(&error);
            assert!(chain.contains(said), "{text}: {chain}");
        }
    }
}
