//! Where status and memory are kept: the status for whoever reads its known place, the memory for the next start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use api_model::UpdateStatus;
use host_io::{Fs, Paths, swap};

use super::memory::Memory;

/// The files of the update state. What cannot be written is logged and kept in memory: a full partition must not stop
/// an update, nor a boot.
pub struct Files {
    fs: Arc<dyn Fs>,
    memory: PathBuf,
    status: PathBuf,
}

impl Files {
    /// The files of this host.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, paths: &Paths) -> Self {
        Self { fs, memory: paths.record().join("status.json"), status: paths.update_status() }
    }

    /// What was remembered. A file that cannot be understood is as none: it holds nothing that the disk and the next
    /// refresh do not bring back.
    #[must_use]
    pub fn load(&self) -> Memory {
        match self.fs.read(&self.memory) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!("forgot the state of updates: {} is broken: {error}", self.memory.display());
                Memory::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
            Err(error) => {
                tracing::warn!("forgot the state of updates: {}: {error}", self.memory.display());
                Memory::default()
            }
        }
    }

    /// Keeps the memory over restarts and reboots.
    pub fn keep_memory(&self, memory: &Memory) {
        let bytes = serde_json::to_vec_pretty(memory).expect("a memory is plain data");
        self.replace(&self.memory, &bytes);
    }

    /// Keeps the status where other programs look for it.
    pub fn keep_status(&self, status: &UpdateStatus) {
        let bytes = serde_json::to_vec_pretty(status).expect("a status is plain data");
        self.replace(&self.status, &bytes);
    }

    fn replace(&self, path: &std::path::Path, bytes: &[u8]) {
        if let Err(error) = swap::replace_file(self.fs.as_ref(), path, bytes, 0o644) {
            tracing::error!("failed to write {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use semver::Version;

    use super::*;

    #[test]
    fn a_memory_is_found_again_and_a_broken_one_is_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let files = Files::new(Arc::new(SystemFs), &paths);
        assert_eq!(files.load(), Memory::default());
        let memory = Memory { available_updates: vec![Version::new(1, 1, 0)], ..Memory::default() };
        files.keep_memory(&memory);
        assert_eq!(files.load(), memory);
        std::fs::write(paths.record().join("status.json"), b"{\"chosen").unwrap();
        assert_eq!(files.load(), Memory::default());
    }

    #[test]
    fn a_place_that_cannot_be_written_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.record().parent().unwrap()).unwrap();
        std::fs::write(paths.record(), b"in the way").unwrap();
        let files = Files::new(Arc::new(SystemFs), &paths);
        files.keep_memory(&Memory::default());
        assert_eq!(files.load(), Memory::default());
    }
}
