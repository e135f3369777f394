//! What is there, for the other benches.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::image::ImageFile;
pub(crate) use super::image::Kind;
use super::packages::{Package, changed};
use super::place::dir;
use super::release::{Extent, Pair, Release};

/// Counts the ways in which images were built: those of another one are built anew.
pub(super) const RECIPE: u32 = 1;
const FILE: &str = "catalog.json";

/// All images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    pub(super) recipe: u32,
    pub(super) images: Vec<Images>,
}

/// Those of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Images {
    pub(super) release: Release,
    pub(super) packages: Vec<Package>,
    pub(super) files: Vec<ImageFile>,
}

/// Where the three images of a release lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) boot: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) hash: PathBuf,
}

impl Paths {
    /// Which images these are: what was made of others is no use for them.
    pub(crate) fn stamp(&self) -> Result<String, Box<dyn Error>> {
        let one = |path: &Path| -> Result<String, Box<dyn Error>> {
            let about = fs::metadata(path)?;
            Ok(format!("{}:{:?}", about.len(), about.modified()?))
        };
        Ok(format!("{} {}", one(&self.boot)?, one(&self.root)?))
    }
}

impl Catalog {
    /// What was built before, if it was built as it would be now.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let text = match fs::read_to_string(dir.join(FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        Ok(serde_json::from_str::<Self>(&text).ok().filter(|catalog| catalog.recipe == RECIPE))
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), Box<dyn Error>> {
        fs::write(dir.join(FILE), self.json())?;
        Ok(())
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("a catalogue is plain data")
    }

    /// The images of a release.
    pub(crate) fn paths(extent: Extent, release: Release, kind: Kind) -> Paths {
        let dir = dir(extent).join(release.name());
        let of = |image: &str| dir.join(format!("{image}.{}", kind.name()));
        Paths { boot: dir.join("boot.img"), root: of("root"), hash: of("hash") }
    }

    /// How a pair differs, for people: `34 of 243 packages, kernel 6.1.176-1 to 6.1.192-2`.
    pub(crate) fn difference(&self, pair: Pair) -> String {
        let (old, new) = pair.releases();
        let packages = |release: Release| {
            let found = self.images.iter().find(|images| images.release == release);
            found.map_or(&[][..], |images| &images.packages)
        };
        let kernel = |release: Release| {
            let named = |package: &&Package| package.name == "linux-image-amd64";
            packages(release).iter().find(named).map_or("none", |package| &package.version)
        };
        format!(
            "{} of {} packages, kernel {} to {}",
            changed(packages(old), packages(new)),
            packages(new).len(),
            kernel(old),
            kernel(new)
        )
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for Images { release, packages, files } in &self.images {
            let _ = writeln!(text, "{}: {}, {} packages", release.name(), release.what(), packages.len());
            for ImageFile { name, bytes } in files {
                let _ = writeln!(text, "  {bytes:>12} {name}");
            }
        }
        for pair in Pair::ALL {
            let _ = writeln!(text, "{}: {}", pair.name(), self.difference(pair));
        }
        for Images { release, packages, .. } in &self.images {
            let names: Vec<String> =
                packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
            let _ = writeln!(text, "packages of {}: {}", release.name(), names.join(", "));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            file: format!("{name}_{version}_amd64.deb"),
        }
    }

    fn catalog() -> Catalog {
        let images = |release, kernel: &str| Images {
            release,
            packages: vec![package("apt", "1"), package("linux-image-amd64", kernel)],
            files: vec![ImageFile { name: "boot.img".to_owned(), bytes: 7 }],
        };
        let images = [(Release::Before, "6.1"), (Release::OldKernel, "6.1"), (Release::After, "6.2")]
            .map(|(release, kernel)| images(release, kernel));
        Catalog { recipe: RECIPE, images: images.into() }
    }

    #[test]
    fn a_catalogue_comes_back_unless_images_are_built_in_another_way_now() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert_eq!(Catalog::load(dir.path()).expect("read"), None);
        catalog().save(dir.path()).expect("written");
        assert_eq!(Catalog::load(dir.path()).expect("read"), Some(catalog()));
        Catalog { recipe: RECIPE + 1, ..catalog() }.save(dir.path()).expect("written");
        assert_eq!(Catalog::load(dir.path()).expect("read"), None);
    }

    #[test]
    fn a_report_names_the_versions() {
        assert_eq!(catalog().difference(Pair::Kernel), "1 of 2 packages, kernel 6.1 to 6.2");
        let table = catalog().table();
        assert!(table.contains("packages of after: apt 1, linux-image-amd64 6.2"), "{table}");
    }
}
