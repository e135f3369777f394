//! A signed target in the directory of a repository, read and verified.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use trusted_repo::author::Editor;
use trusted_repo::{Digesting, TargetInfo};

use crate::layout::RepoLayout;

/// A target under its published name. What was read of it is worth something after [`Published::finish`].
pub(crate) struct Published {
    info: TargetInfo,
    file: File,
    digests: Digesting,
}

impl Published {
    /// Opens a target. The failure is a fragment.
    pub(crate) fn open(layout: &RepoLayout, editor: &Editor, name: &str) -> Result<Self, String> {
        let info = editor.target(name).ok_or_else(|| format!("no target {name} is signed"))?;
        Self::of(layout, info)
    }

    /// Opens a target that is signed, or about to be.
    pub(crate) fn of(layout: &RepoLayout, info: &TargetInfo) -> Result<Self, String> {
        let path: PathBuf = layout.targets.join(format!("{}.{}", info.hashes.hex(), info.name));
        let file =
            File::open(&path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
        Ok(Self { digests: Digesting::new(&info.hashes), info: info.clone(), file })
    }

    /// Reads the rest and holds all of it against what is signed.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        let name = self.info.name.clone();
        io::copy(&mut self, &mut io::sink()).map_err(|error| format!("failed to read {name}: {error}"))?;
        if self.digests.agree() { Ok(()) } else { Err(format!("the file of {name} is not what is signed")) }
    }

    /// All of a target that is small.
    pub(crate) fn whole(mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let name = self.info.name.clone();
        self.read_to_end(&mut bytes).map_err(|error| format!("failed to read {name}: {error}"))?;
        self.finish()?;
        Ok(bytes)
    }
}

impl Read for Published {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.digests.update(&into[..count]);
        Ok(count)
    }
}
