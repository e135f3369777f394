//! A repository as others see it: over the network or in a directory, opened from a root role that one trusts already.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::SystemFs;
use host_io::address::read_as_written;
use host_io::redacted::redacted;
use tempfile::TempDir;
use trusted_repo::memory::view;
use trusted_repo::{Address, Repository, Source, open_online};
use url::Url;

use crate::Error;

/// Which repository, and what is trusted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address or directory that has `VARIANT/ARCH/` and `targets/`.
    pub base: String,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The root role to start from, as an image ships it.
    pub trusted_root: PathBuf,
    /// Where targets lie, if that is not `targets/`.
    pub targets: Option<String>,
}

/// An open repository, with the memory that was made for it and goes with it.
pub(crate) struct Opened {
    pub(crate) repository: Repository,
    _memory: TempDir,
}

impl Place {
    /// Opens it as a host does that meets it for the first time. Expiry is judged at `now`.
    pub(crate) async fn open(&self, now: DateTime<Utc>) -> Result<Opened, Error> {
        let base = url(&self.base)?;
        // A query stays where it is: it is the same for all that lies below.
        let below = |path: &str| {
            let mut below = base.clone();
            below.set_path(&format!("{}{path}", base.path()));
            below
        };
        let address = |url: &Url| Address::from_url(url).map_err(|reason| refused(url.as_str(), &reason));
        crate::ground::check_name("the variant", &self.variant)?;
        crate::ground::check_name("the architecture", &self.arch)?;
        let source = Source::new(
            address(&below(&format!("{}/{}/", self.variant, self.arch)))?,
            address(&self.targets.as_deref().map_or_else(|| Ok(below("targets/")), url)?)?,
        );
        let root = std::fs::read(&self.trusted_root)
            .map_err(|error| Error::file("read the root role", &self.trusted_root, error))?;
        if let Err(trusted_repo::Error::Anchor { reason }) = view::anchor(&root) {
            return Err(Error::NoRoot { path: self.trusted_root.clone(), reason });
        }
        let memory = tempfile::tempdir().map_err(|error| Error::file("make", std::env::temp_dir(), error))?;
        let repository = open_online(Arc::new(SystemFs), source, &root, memory.path(), now).await?;
        Ok(Opened { repository, _memory: memory })
    }

    /// Opens it whether it has expired or not.
    pub(crate) async fn open_expired(&self) -> Result<Opened, Error> {
        self.open(DateTime::UNIX_EPOCH).await
    }
}

/// An address as it is, a directory as an address.
fn url(text: &str) -> Result<Url, Error> {
    if text.contains("://") {
        read_as_written(text).map_err(|error| refused(text, &error))?;
        let mut url = Url::parse(text).map_err(|error| refused(text, &error))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        return Ok(url);
    }
    let path = std::path::absolute(Path::new(text)).map_err(|error| refused(text, &error))?;
    // What a person took for an address may have secrets in it, which a path would show.
    if !path.is_dir() {
        return Err(refused(text, &"it is neither an address nor a directory that is there"));
    }
    Url::from_directory_path(path).map_err(|()| refused(text, &"it is not the path of a directory"))
}

fn refused(text: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Address { text: redacted(text), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_directory_are_both_places() {
        assert_eq!(url("https://host/a").unwrap().as_str(), "https://host/a/");
        let dir = tempfile::tempdir().unwrap();
        let blank = dir.path().join("my updates");
        std::fs::create_dir(&blank).unwrap();
        let address = url(blank.to_str().unwrap()).unwrap();
        assert!(address.as_str().starts_with("file:///") && address.as_str().ends_with("/my%20updates/"));
        assert!(url("/srv/nobody/made/this").is_err());
        assert!(url("https://").is_err() && url("http:///host/a").is_err());
    }
}
