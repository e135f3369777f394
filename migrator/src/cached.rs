//! The cached repository: which migrations lead to the target, and their verified programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use host_io::Fs;
use migration_helpers::declared::Declaration;
use semver::Version;
use trusted_repo::{Repository, lz4};
use update_metadata::{migration_path, safe_target_name};

use crate::args::Request;
use crate::error::Error;
use crate::exec::Sealed;

/// The largest migration, as it is stored and as it is run, in bytes.
const LARGEST_MIGRATION: u64 = 64 * 1024 * 1024;

/// One migration.
#[derive(Debug)]
pub enum Program {
    /// A list of steps, which are taken here: they hold no code of others.
    Listed(Declaration),
    /// A program.
    Sealed(Sealed),
}

/// The migrations of one way through versions, all of them signed and listed.
#[derive(Debug)]
pub struct Cached {
    repository: Arc<Repository>,
    names: Vec<String>,
}

impl Cached {
    /// Opens the repository that was cached for this boot and looks up the migrations from `from` to the wanted
    /// version. Expiry does not count: the cache was in force when the update was staged.
    ///
    /// # Errors
    /// When it cannot be trusted, has no manifest, knows no way, or lacks a migration of the way.
    pub async fn open(fs: Arc<dyn Fs>, request: &Request, from: &Version) -> Result<Self, Error> {
        let to = &request.target;
        let anchor = fs
            .read(&request.root_role)
            .map_err(|source| Error::Anchor { path: request.root_role.clone(), source })?;
        let unusable = |source| Error::Cache {
            metadata: request.metadata.clone(),
            from: from.clone(),
            to: to.clone(),
            source: Box::new(source),
        };
        let repository = trusted_repo::open_offline(fs, &anchor, &request.metadata, &request.migrations)
            .await
            .map_err(unusable)?;
        let manifest = repository.manifest().await.map_err(unusable)?;
        let names = migration_path(&manifest.migrations, from, to)
            .map_err(|no_path| Error::NoPath(Box::new(no_path)))?;
        let cached = Self { repository: Arc::new(repository), names };
        // Before the first of them runs: a way that cannot be walked to its end is not begun.
        for name in &cached.names {
            let missing = |source| Error::MissingMigration {
                name: name.clone(),
                step: step_of(&manifest.migrations, name),
                to: to.clone(),
                source: Box::new(source),
            };
            if safe_target_name(name) {
                let listed = cached.repository.target(name).await.map_err(missing)?;
                cached.repository.open_target(&listed).map(drop).map_err(missing)?;
            } else {
                return Err(Error::UnsafeName { name: name.clone() });
            }
        }
        Ok(cached)
    }

    /// The same migrations the other way round.
    #[must_use]
    pub fn back(&self) -> Self {
        let names = self.names.iter().rev().cloned().collect();
        Self { repository: Arc::clone(&self.repository), names }
    }

    /// The names of the migrations, in the order in which they run.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// One migration: all of its bytes were checked, then decoded, then understood or sealed.
    ///
    /// # Errors
    /// When the bytes are not the signed ones, or too many, or a list in them is none.
    pub async fn program(&self, name: &str) -> Result<Program, Error> {
        let refused = |source| Error::Verify { name: name.to_owned(), source: Box::new(source) };
        let bytes = self.repository.fetch(name, LARGEST_MIGRATION).await.map_err(refused)?;
        let program = lz4::decode(&bytes, LARGEST_MIGRATION).map_err(refused)?;
        let list = Declaration::embedded(&program);
        match list.map_err(|source| Error::Steps { name: name.to_owned(), source })? {
            Some(list) => Ok(Program::Listed(list)),
            None => Sealed::new(name, &program)
                .map(Program::Sealed)
                .map_err(|source| Error::Seal { name: name.to_owned(), source }),
        }
    }
}

/// The step that a migration belongs to, for a person who looks for it.
fn step_of(migrations: &BTreeMap<(Version, Version), Vec<String>>, name: &str) -> String {
    migrations
        .iter()
        .find(|(_, names)| names.iter().any(|other| other == name))
        .map_or_else(String::new, |((from, to), _)| format!("{from} to {to}"))
}
