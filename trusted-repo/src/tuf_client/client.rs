//! Begin with a trusted root, refresh, open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::fs::Kind;
use host_io::{DirLock, Fs, report, swap};

use super::picture;
use crate::memory::roots::KnownRoot;
use crate::memory::store::{Remembered, Store};
use crate::open::online::open_online_as;
use crate::open::repository::Repository;
use crate::place::source::Source;
use crate::transport::Pacing;
use crate::{Error, Role};

/// What the memory is filed under: a client of this kind has one repository, wherever it is served.
const REPOSITORY: &str = "tuf-client";

/// A client with its metadata directory.
pub struct TufClient {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    state: PathBuf,
}

impl TufClient {
    /// The client whose trusted metadata lies in `metadata_dir`.
    ///
    /// # Errors
    /// When the path is not one of a directory with a name.
    pub fn new(fs: Arc<dyn Fs>, metadata_dir: &Path) -> Result<Self, Error> {
        let failed = |error| Error::cache("find the metadata directory", metadata_dir, error);
        let dir = std::path::absolute(metadata_dir).map_err(failed)?;
        let Some(name) = dir.file_name() else {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::InvalidInput)));
        };
        let mut beside = name.to_owned();
        beside.push(".state");
        let state = dir.with_file_name(beside);
        Ok(Self { fs, dir, state })
    }

    /// Begins with a trusted root. The same root again changes nothing; another one begins anew.
    ///
    /// # Errors
    /// When it is no root role that a threshold of its own keys has signed, or cannot be kept.
    pub fn init(&self, trusted_root: &[u8]) -> Result<Role, Error> {
        let root = KnownRoot::parse(trusted_root).map_err(|reason| Error::Anchor { reason })?;
        let failed = |error| Error::cache("keep the trusted root in", &self.state, error);
        swap::make_dirs(&*self.fs, &self.dir, 0o755).map_err(failed)?;
        swap::make_dirs(&*self.fs, &self.state, 0o755).map_err(failed)?;
        if self.anchor()?.is_none_or(|before| before != trusted_root) {
            // In this order a power cut leaves a client that has not begun, and never an old memory of a new root.
            swap::discard(&*self.fs, &self.anchor_path()).map_err(failed)?;
            self.fs.sync_dir(&self.state).map_err(failed)?;
            swap::discard(&*self.fs, &self.trust()).map_err(failed)?;
            swap::replace_file(&*self.fs, &self.anchor_path(), trusted_root, 0o644).map_err(failed)?;
        }
        self.draw(trusted_root)?;
        Ok(Role {
            version: root.version(),
            expires: crate::metadata::now::from_jiff(root.role.signed.expires),
        })
    }

    /// Opens the repository at `source`: the whole workflow from the next root to the targets role. The metadata
    /// directory then shows what is trusted; after a failure that is every role up to the one that failed.
    ///
    /// # Errors
    /// [`Error::NotBegun`] before [`TufClient::init`], else as [`crate::open_online`].
    pub async fn refresh(&self, source: Source, now: DateTime<Utc>) -> Result<Repository, Error> {
        self.refresh_paced(source, now, Pacing::default()).await
    }

    /// [`TufClient::refresh`] with another patience.
    ///
    /// # Errors
    /// As [`TufClient::refresh`].
    pub async fn refresh_paced(
        &self,
        source: Source,
        now: DateTime<Utc>,
        pacing: Pacing,
    ) -> Result<Repository, Error> {
        let anchor = self.anchor()?.ok_or_else(|| Error::NotBegun { dir: self.dir.clone() })?;
        let fs = Arc::clone(&self.fs);
        let opened = open_online_as(fs, source, &anchor, &self.trust(), REPOSITORY, now, pacing).await;
        // A failure to draw is told only where there is nothing worse to tell.
        let drawn = self.draw(&anchor);
        let repository = opened?;
        drawn.map(|()| repository)
    }

    /// Shows what is trusted by now, where delegated roles were needed since the directory was drawn.
    ///
    /// # Errors
    /// [`Error::NotBegun`] before [`TufClient::init`]; else when the directory cannot be written.
    pub fn show(&self) -> Result<(), Error> {
        let anchor = self.anchor()?.ok_or_else(|| Error::NotBegun { dir: self.dir.clone() })?;
        self.draw(&anchor)
    }

    /// Makes the metadata directory a picture of the memory.
    fn draw(&self, anchor: &[u8]) -> Result<(), Error> {
        let _alone = DirLock::acquire(&self.state)
            .map_err(|error| Error::Unsaved { path: self.state.clone(), reason: report::chain(&error) })?;
        let remembered = Store::new(&self.trust(), anchor, REPOSITORY).load(&*self.fs)?;
        let remembered = remembered.map_or_else(Remembered::default, |found| found.remembered);
        picture::draw(&*self.fs, &self.dir, anchor, &remembered)
            .map_err(|error| Error::cache("show what is trusted in", &self.dir, error))
    }

    /// The root that it all began with.
    fn anchor(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.anchor_path();
        let failed = |error| Error::cache("read the trusted root", &path, error);
        match self.fs.kind(&path).map_err(failed)? {
            Some(Kind::File) => self.fs.read(&path).map(Some).map_err(failed),
            _ => Ok(None),
        }
    }

    fn anchor_path(&self) -> PathBuf {
        self.state.join("root.json")
    }

    fn trust(&self) -> PathBuf {
        self.state.join("trust")
    }
}
