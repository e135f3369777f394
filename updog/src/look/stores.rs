//! Which settings there are on this host: those in force, and those that are kept for a way back.
//!
//! Only the links of the datastore are looked at (`docs/compatibility.md`, "Files"). What is in the stores is for
//! `migrator` to say.

use std::path::Path;

use host_io::fs::Kind;
use host_io::{Fs, Paths};
use semver::Version;
use serde::Serialize;

/// The stores of a host, by the versions that their settings are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stores {
    /// The settings in force; null before the first boot, or where the links are broken.
    pub version: Option<Version>,
    /// The versions, sorted, whose settings are kept as they were when these versions were left.
    pub kept: Vec<Version>,
}

impl Stores {
    /// Looks at the links.
    #[must_use]
    pub fn find(fs: &dyn Fs, paths: &Paths) -> Self {
        let base = paths.datastore();
        let version = live(fs, &base);
        let mut kept: Vec<Version> = fs
            .list(&base)
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| entry.kind == Kind::Link)
            .filter_map(|entry| entry.name.strip_prefix('v')?.parse().ok())
            .filter(|found| Some(found) != version.as_ref() && leads(fs, &base, found))
            .collect();
        kept.sort();
        Self { version, kept }
    }

    /// Whether the settings are there that `version` had when it was left.
    #[must_use]
    pub fn has_kept(&self, version: &Version) -> bool {
        self.kept.contains(version)
    }
}

/// `current` leads to `vM`, that to `vM.m`, that to the version's own link.
fn live(fs: &dyn Fs, base: &Path) -> Option<Version> {
    let mut link = "current".to_owned();
    for _ in 0..3 {
        link = fs.read_link(&base.join(link)).ok()?.to_str()?.to_owned();
    }
    link.strip_prefix('v')?.parse().ok()
}

fn leads(fs: &dyn Fs, base: &Path, version: &Version) -> bool {
    let target = fs.read_link(&base.join(format!("v{version}"))).ok();
    target.is_some_and(|target| fs.kind(&base.join(target)).is_ok_and(|kind| kind == Some(Kind::Directory)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use host_io::SystemFs;

    use super::*;

    #[test]
    fn the_links_say_whose_settings_are_in_force_and_whose_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        assert_eq!(Stores::find(&SystemFs, &paths), Stores::default());
        let base = paths.datastore();
        fs::create_dir_all(base.join("v1.0.0_a")).unwrap();
        fs::create_dir(base.join("v1.1.0-rc1_b")).unwrap();
        for (target, link) in [
            ("v1", "current"),
            ("v1.0", "v1"),
            ("v1.0.0", "v1.0"),
            ("v1.0.0_a", "v1.0.0"),
            ("v1.1.0-rc1", "v1.1"),
            ("v1.1.0-rc1_b", "v1.1.0-rc1"),
            ("v0.9.0_gone", "v0.9.0"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let version = |text: &str| text.parse::<Version>().unwrap();
        let stores = Stores::find(&SystemFs, &paths);
        assert_eq!(stores, Stores { version: Some(version("1.0.0")), kept: vec![version("1.1.0-rc1")] });
        assert!(stores.has_kept(&version("1.1.0-rc1")) && !stores.has_kept(&version("0.9.0")));
    }
}
