//! One publisher at a time, and never on top of something that was not seen.
//!
//! A publisher holds a lock on the repository's directory while it works. Where the lock does not reach (two machines,
//! one shared directory) the timestamp role is compared again before anything is signed. Whoever comes second is
//! refused; a publisher that dies leaves files that nobody asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::lock::DirLock;
use host_io::{Fs as _, SystemFs};
use trusted_repo::TargetInfo;
use trusted_repo::author::{Editor, Expiries, KeySources, SignedMetadata, targets};
use update_metadata::Manifest;

use crate::Error;
use crate::ground::{check_apart, check_name, load_root};
use crate::hold;
use crate::keys::Keys;
use crate::layout::RepoLayout;
use crate::release::{current_manifest, manifest_name};

/// The role whose file says which snapshot is the published one.
const TIMESTAMP: &str = "timestamp.json";

/// Which repository, and with which keys.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The repository.
    pub repo: PathBuf,
    /// The keys.
    pub keys: Keys,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
}

/// A repository that this process alone is changing.
pub(crate) struct Session {
    pub(crate) layout: RepoLayout,
    pub(crate) editor: Editor,
    team: Option<String>,
    variant: String,
    sources: Arc<KeySources>,
    seen: Vec<u8>,
    _lock: DirLock,
}

impl Session {
    /// Takes the repository for this process, and loads and verifies its metadata.
    pub(crate) async fn open(desk: &Desk) -> Result<Self, Error> {
        check_name("the variant", &desk.variant)?;
        check_name("the architecture", &desk.arch)?;
        check_apart(&desk.repo, desk.keys.dir())?;
        let layout = RepoLayout::new(&desk.repo, &desk.variant, &desk.arch);
        if !layout.metadata.join(TIMESTAMP).exists() {
            return Err(Error::NoRepository { metadata: layout.metadata });
        }
        // First: a terminal may be asked, and nobody else shall wait for that.
        let sources = desk.keys.open()?;
        let lock = alone(&desk.repo)?;
        let seen = timestamp(&layout.metadata)?;
        let root = load_root(&desk.keys.layout())?;
        let team = desk.keys.team();
        let editor = Editor::load_as(&SystemFs, &layout.metadata, &root, team).await?;
        let (team, variant) = (team.map(str::to_owned), desk.variant.clone());
        Ok(Self { layout, team, variant, editor, sources, seen, _lock: lock })
    }

    /// The manifest as it is published.
    pub(crate) fn manifest(&self) -> Result<Manifest, Error> {
        current_manifest(&self.editor, &self.layout.targets, self.team.as_deref(), &self.variant)
    }

    /// Refuses where hosts could not read what the role says that is changed.
    pub(crate) fn check_readable(&self) -> Result<(), Error> {
        if self.editor.is_for_holds() {
            hold::file::read(&self.editor, &self.layout, self.role())?;
        } else {
            self.manifest()?;
        }
        Ok(())
    }

    /// Writes another manifest. Nobody asks for it before [`Session::commit`].
    pub(crate) fn put_manifest(&mut self, manifest: &Manifest) -> Result<TargetInfo, Error> {
        let (targets, name) = (&self.layout.targets, self.manifest_name());
        let info = targets::publish(&SystemFs, targets, &name, manifest.to_json().as_bytes())?;
        self.editor.replace_target(info.clone())?;
        Ok(info)
    }

    /// The target name of the manifest that is changed.
    pub(crate) fn manifest_name(&self) -> String {
        manifest_name(self.team.as_deref(), &self.variant)
    }

    /// The role that is changed.
    pub(crate) fn role(&self) -> &str {
        self.team.as_deref().unwrap_or("targets")
    }

    /// When the newest root role expires.
    pub(crate) fn root_expires(&self) -> Option<DateTime<Utc>> {
        let root: serde_json::Value = serde_json::from_slice(self.editor.newest_root().bytes()).ok()?;
        root["signed"]["expires"].as_str()?.parse().ok()
    }

    /// Signs and publishes, the timestamp last.
    pub(crate) async fn commit(&self, expiries: &Expiries) -> Result<SignedMetadata, Error> {
        let signed = self.editor.sign_from(&self.sources, expiries).await?;
        if timestamp(&self.layout.metadata)? != self.seen {
            return Err(Error::Overtaken { metadata: self.layout.metadata.clone() });
        }
        signed.write(&SystemFs, &self.layout.metadata)?;
        Ok(signed)
    }
}

/// Keeps other publishers of this machine away from the repository.
pub(crate) fn alone(repo: &Path) -> Result<DirLock, Error> {
    DirLock::acquire(repo).map_err(Error::Busy)
}

fn timestamp(metadata: &Path) -> Result<Vec<u8>, Error> {
    let path = metadata.join(TIMESTAMP);
    SystemFs.read(&path).map_err(|error| Error::file("read", path, error))
}
