//! Target files under their published names: `SHA256.NAME`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use host_io::fs::NewFile;
use host_io::{Fs, swap};
use ring::digest::{Context, SHA256};
use update_metadata::safe_target_name;

use super::Error;
use crate::metadata::hashes::Hashes;
use crate::target::proof::TargetInfo;

/// A target that is being written. Its published name is known only at its end, because it begins with its digest.
pub struct TargetWriter<'a> {
    fs: &'a dyn Fs,
    dir: PathBuf,
    name: String,
    new: PathBuf,
    file: Box<dyn NewFile>,
    digest: Context,
    length: u64,
}

impl<'a> TargetWriter<'a> {
    /// Begins a target below `dir`.
    ///
    /// # Errors
    /// When no host would take the name, or the file cannot be made.
    pub fn create(fs: &'a dyn Fs, dir: &Path, name: &str) -> Result<Self, Error> {
        if !safe_target_name(name) {
            return Err(Error::Name { name: name.to_owned() });
        }
        let new = swap::beside(&dir.join(name));
        let failed = |error| Error::file("begin the target", &new, error);
        swap::make_dirs(fs, dir, 0o755).map_err(failed)?;
        swap::discard(fs, &new).map_err(failed)?;
        let file = fs.create(&new, 0o644).map_err(failed)?;
        let digest = Context::new(&SHA256);
        Ok(Self { fs, dir: dir.to_owned(), name: name.to_owned(), new, file, digest, length: 0 })
    }

    /// What the target is, if nothing more is written.
    ///
    /// # Panics
    /// Never: a SHA-256 has 32 bytes.
    #[must_use]
    pub fn info(&self) -> TargetInfo {
        let digest = self.digest.clone().finish().as_ref().try_into().expect("a SHA-256 has 32 bytes");
        TargetInfo { name: self.name.clone(), length: self.length, hashes: Hashes::sha256(digest) }
    }

    /// Makes the target durable and gives it its published name. A file of that name has the same bytes already.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn publish(mut self) -> Result<TargetInfo, Error> {
        let info = self.info();
        let published = self.dir.join(format!("{}.{}", info.hashes.hex(), info.name));
        let failed = |error| Error::file("publish the target", &published, error);
        self.file.sync().map_err(failed)?;
        drop(self.file);
        self.fs.rename(&self.new, &published).map_err(failed)?;
        self.fs.sync_dir(&self.dir).map_err(failed)?;
        Ok(info)
    }

    /// Throws away what was written, and says what it would have been.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn discard(self) -> Result<TargetInfo, Error> {
        self.fs
            .remove_file(&self.new)
            .map_err(|error| Error::file("remove the unpublished target", &self.new, error))?;
        Ok(self.info())
    }
}

impl Write for TargetWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.file.write(buf)?;
        self.digest.update(&buf[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Publishes a target from memory.
///
/// # Errors
/// As [`TargetWriter::create`] and [`TargetWriter::publish`].
pub fn publish(fs: &dyn Fs, dir: &Path, name: &str, bytes: &[u8]) -> Result<TargetInfo, Error> {
    let mut writer = TargetWriter::create(fs, dir, name)?;
    writer.write_all(bytes).map_err(|error| Error::file("write the target", dir.join(name), error))?;
    writer.publish()
}
