//! Debian's kernel for virtual machines, out of its package: it need not be installed here.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::tools::{command, said};

/// The package that depends on the present kernel.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// An unpacked kernel.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// Where `boot` and `lib/modules` lie.
    pub(super) dir: PathBuf,
    /// Its version, as its files and modules have it in their names.
    pub(super) version: String,
}

impl Kernel {
    /// The kernel that apt offers, below `cache`; fetched once. Where apt offers none, one that was fetched before.
    pub(super) fn fetch(cache: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(cache)?;
        let package = match offered() {
            Ok(package) => package,
            Err(error) => return Self::fetched(cache).ok_or(error),
        };
        let version = package.trim_start_matches("linux-image-").to_owned();
        let dir = cache.join(&package);
        if !dir.join("complete").exists() {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir)?;
            said(command("apt-get").args(["-q", "download", &package]).current_dir(&dir))?;
            let file = fs::read_dir(&dir)?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .ok_or("find the package that apt fetched")?;
            said(command("dpkg").arg("-x").args([&file, &dir]))?;
            said(command("depmod").arg("-b").arg(&dir).arg(&version))?;
            fs::remove_file(file)?;
            fs::write(dir.join("complete"), "")?;
        }
        Ok(Self { dir, version })
    }

    fn fetched(cache: &Path) -> Option<Self> {
        let dirs = fs::read_dir(cache).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let dir = dirs.filter(|dir| dir.join("complete").exists()).max()?;
        let version = dir.file_name()?.to_string_lossy().trim_start_matches("linux-image-").to_owned();
        Some(Self { dir, version })
    }

    /// The kernel itself.
    pub(super) fn image(&self) -> PathBuf {
        self.dir.join("boot").join(format!("vmlinuz-{}", self.version))
    }

    /// The modules' directory.
    pub(super) fn modules(&self) -> PathBuf {
        self.dir.join("lib/modules").join(&self.version)
    }
}

/// The package that the present kernel is in.
fn offered() -> Result<String, Box<dyn Error>> {
    let depends = said(command("apt-cache").args(["depends", PACKAGE]))?;
    dependency(&depends)
        .ok_or_else(|| format!("find the kernel behind {PACKAGE}: run \"apt-get update\" first").into())
}

fn dependency(depends: &str) -> Option<String> {
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "))?.trim();
    package.starts_with("linux-image-").then(|| package.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_what_the_package_depends_on() {
        let said =
            "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-57-cloud-amd64\n  Suggests: other\n";
        assert_eq!(dependency(said).as_deref(), Some("linux-image-6.1.0-57-cloud-amd64"));
        assert_eq!(dependency("N: Unable to locate package\n"), None);
    }
}
