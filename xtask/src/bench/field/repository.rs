//! A repository with the newest release, made by `pubrepo` as it ships, once for each kind of ROOT.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::images::catalog::{Catalog, Kind};
use crate::bench::images::release::{Extent, Release};
use crate::bench::tools::{command, said, shipped};

const ARCH: &str = std::env::consts::ARCH;
/// The version that hosts run, and the one on offer.
pub(crate) const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";

/// A repository on disk.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// What is served.
    pub(crate) dir: PathBuf,
    keys: PathBuf,
    variant: String,
    /// Lengths of targets by name.
    pub(crate) targets: BTreeMap<String, u64>,
}

impl Repository {
    /// The repository for a kind of ROOT; made if it is not there, else only dated anew.
    pub(crate) fn make(extent: Extent, kind: Kind, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let variant = format!("bench-{}", kind.name());
        let dir = dir.join(&variant);
        let (repo, keys, about) = (dir.join("repo"), dir.join("keys"), dir.join("added.json"));
        let pubrepo = |verb: &str| {
            let mut pubrepo = command(&shipped("pubrepo").to_string_lossy());
            pubrepo.args([verb, "--json", "--variant", &variant, "--arch", ARCH]);
            pubrepo.arg("--repo").arg(&repo).arg("--keys").arg(&keys);
            pubrepo
        };
        let added = match fs::read_to_string(&about) {
            Ok(added) => {
                said(&mut pubrepo("refresh"))?;
                added
            }
            Err(_) => {
                let _half = fs::remove_dir_all(&dir);
                said(&mut pubrepo("init"))?;
                let images = Catalog::paths(extent, Release::After, kind);
                let config = dir.join("Release.toml");
                fs::write(&config, format!("version = \"{NEW}\"\n[migrations]\n\"({OLD}, {NEW})\" = []\n"))?;
                let mut add = pubrepo("add");
                add.arg("--release-config").arg(config);
                add.args(["--version", NEW]).arg("--boot").arg(images.boot);
                let added = said(add.arg("--root").arg(images.root).arg("--hash").arg(images.hash))?;
                fs::write(&about, &added)?;
                added
            }
        };
        let targets = lengths(&added).ok_or("read what pubrepo says")?;
        Ok(Self { dir: repo, keys, variant, targets })
    }

    /// The flavour that its hosts have.
    pub(crate) fn variant(&self) -> &str {
        &self.variant
    }

    /// The root role that its hosts ship.
    pub(crate) fn trusted_root(&self) -> PathBuf {
        self.keys.join("root.json")
    }

    /// Where metadata lies, below what is served.
    pub(crate) fn metadata(&self) -> String {
        format!("{}/{ARCH}/", self.variant)
    }

    /// The target of an image as one LZ4 frame.
    pub(crate) fn lz4(&self, image: &str) -> String {
        format!("ours-{}-{ARCH}-{NEW}-{image}.lz4", self.variant)
    }

    /// How long a target is.
    pub(crate) fn length(&self, name: &str) -> u64 {
        self.targets.get(name).copied().unwrap_or_default()
    }

    /// The file of a target.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf, Box<dyn Error>> {
        let ending = format!(".{name}");
        let found = fs::read_dir(self.dir.join("targets"))?
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().ends_with(&ending));
        Ok(found.ok_or_else(|| format!("find the target {name}"))?.path())
    }
}

/// The lengths of targets in a report of `pubrepo add --json`.
fn lengths(added: &str) -> Option<BTreeMap<String, u64>> {
    let report: Value = serde_json::from_str(added).ok()?;
    let one = |target: &Value| Some((target["name"].as_str()?.to_owned(), target["length"].as_u64()?));
    report["targets"].as_array()?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_from_the_report_of_add() {
        let report = r#"{"targets": [{"name": "a.lz4", "length": 7, "sha256": "00"}]}"#;
        assert_eq!(lengths(report), Some(BTreeMap::from([("a.lz4".to_owned(), 7)])));
        assert_eq!(lengths(r#"{"targets": [{"name": "a.lz4"}]}"#), None);
        assert_eq!(lengths("published"), None);
    }
}
