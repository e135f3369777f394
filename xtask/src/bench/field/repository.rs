//! A repository with the newest release and packs to it, made by `pubrepo` as it ships, once for each kind of ROOT.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use publish::{FrameSize, Level};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bench::images::catalog::{Catalog, Kind};
use crate::bench::images::release::{Extent, Release};
use crate::bench::tools::{command, said, shipped};

const ARCH: &str = std::env::consts::ARCH;
/// The version that hosts run, and the one on offer.
pub(crate) const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";
/// The releases that packs lead on from. Hosts go by their root hash, so these versions are nobody's.
const BASES: [(&str, Release); 2] = [("0.8.0", Release::Before), ("0.9.0", Release::OldKernel)];

/// Counts the ways in which `pubrepo` made repositories: one that it would make in another way now is made anew.
const RECIPE: u32 = 3;

/// A repository on disk.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// What is served.
    pub(crate) dir: PathBuf,
    keys: PathBuf,
    variant: String,
    /// Lengths of targets by name.
    pub(crate) targets: BTreeMap<String, u64>,
    /// What came of its packs.
    packs: Vec<Pack>,
}

/// What came of one pack, as `pubrepo add` tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pack {
    from: String,
    /// BOOT or ROOT.
    pub(crate) image: String,
    /// Header and body.
    pub(crate) bytes: u64,
    /// What a host fetches without it.
    pub(crate) instead_of: u64,
    /// Whether it was worth it.
    pub(crate) published: bool,
}

impl Repository {
    /// The repository for a kind of ROOT. One that was made of the same images in the same way is only dated anew.
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
        let images = Catalog::paths(extent, Release::After, kind);
        let (size, level) = (FrameSize::default(), Level::default());
        let mut stamp = format!("{RECIPE} {size} {level} {}", images.stamp()?);
        for (_, release) in BASES {
            stamp += &format!(" {}", Catalog::paths(extent, release, kind).stamp()?);
        }
        let added = match from_before(&about, &stamp) {
            Some(added) => {
                said(&mut pubrepo("refresh"))?;
                added
            }
            None => {
                eprintln!("a repository, {} …", kind.name());
                let _half = fs::remove_dir_all(&dir);
                said(&mut pubrepo("init"))?;
                for (version, release) in BASES {
                    let base = Catalog::paths(extent, release, kind);
                    let mut add = pubrepo("add");
                    add.args(["--plain", "--no-migrations", "--version", version])
                        .arg("--boot")
                        .arg(base.boot);
                    said(add.arg("--root").arg(base.root).arg("--hash").arg(base.hash))?;
                }
                let config = dir.join("Release.toml");
                let steps = BASES.map(|(base, _)| base).into_iter().chain([OLD]);
                let steps: String = steps.map(|from| format!("\"({from}, {NEW})\" = []\n")).collect();
                fs::write(&config, format!("version = \"{NEW}\"\n[migrations]\n{steps}"))?;
                let mut add = pubrepo("add");
                add.arg("--release-config").arg(config);
                add.args(["--version", NEW]).arg("--boot").arg(images.boot);
                let added = said(add.arg("--root").arg(images.root).arg("--hash").arg(images.hash))?;
                fs::write(&about, serde_json::to_string(&(&stamp, &added))?)?;
                added
            }
        };
        let targets = lengths(&added).ok_or("read what pubrepo says")?;
        let packs = packs(&added).ok_or("read what pubrepo says of packs")?;
        Ok(Self { dir: repo, keys, variant, targets, packs })
    }

    /// What came of the packs that lead on from a release.
    pub(crate) fn packs(&self, from: Release) -> Vec<Pack> {
        let version = BASES.iter().find(|(_, release)| *release == from).map(|(version, _)| *version);
        self.packs.iter().filter(|pack| Some(pack.from.as_str()) == version).cloned().collect()
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

/// What was told when the repository was made, if it would be made in the same way now.
fn from_before(about: &Path, stamp: &str) -> Option<String> {
    let (of, added) = serde_json::from_str::<(String, String)>(&fs::read_to_string(about).ok()?).ok()?;
    (of == stamp).then_some(added)
}

/// The lengths of targets in a report of `pubrepo add --json`.
fn lengths(added: &str) -> Option<BTreeMap<String, u64>> {
    let report: Value = serde_json::from_str(added).ok()?;
    let one = |target: &Value| Some((target["name"].as_str()?.to_owned(), target["length"].as_u64()?));
    report["targets"].as_array()?.iter().map(one).collect()
}

/// What came of packs, in the same report.
fn packs(added: &str) -> Option<Vec<Pack>> {
    let mut report: Value = serde_json::from_str(added).ok()?;
    serde_json::from_value(report["packs"].take()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_other_images_is_made_anew() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let about = dir.path().join("added.json");
        assert_eq!(from_before(&about, "2 a"), None);
        fs::write(&about, r#"{"targets": []}"#).expect("as it was written once");
        assert_eq!(from_before(&about, "2 a"), None);
        fs::write(&about, r#"["2 a", "told"]"#).expect("written");
        assert_eq!((from_before(&about, "2 a").as_deref(), from_before(&about, "2 b")), (Some("told"), None));
    }

    #[test]
    fn lengths_are_read_from_the_report_of_add() {
        let report = r#"{"targets": [{"name": "a.lz4", "length": 7, "sha256": "00"}]}"#;
        assert_eq!(lengths(report), Some(BTreeMap::from([("a.lz4".to_owned(), 7)])));
        assert_eq!(lengths(r#"{"targets": [{"name": "a.lz4"}]}"#), None);
        assert_eq!(lengths("published"), None);
        let report = r#"{"packs": [{"from": "0.8.0", "image": "root", "bytes": 2, "instead_of": 9, "published": true}]}"#;
        assert_eq!(packs(report).map(|packs| packs[0].bytes), Some(2));
        assert_eq!(packs("{}"), None);
    }
}
