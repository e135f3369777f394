//! The tree of each package, as cargo-deb finds it: which file comes from where.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::programs::Built;
use super::release::{Release, place};
use super::{changelog, copyright, manuals};
use crate::bench::tools::{command, said};
use crate::cargo::workspace;

/// A package, and what of the workspace it is made of.
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The crate whose manifest describes it to cargo-deb.
    pub(super) described_by: &'static str,
    programs: &'static [manuals::Program],
    /// The crates whose libraries are linked into it.
    pub(super) crates: &'static [&'static str],
    /// Pages of `docs/` that go with it.
    pages: &'static [&'static str],
}

/// For a host.
pub(super) const HOST: Package = Package {
    name: "update-stack",
    described_by: "updog",
    programs: &manuals::HOST,
    crates: &["updog", "signpost", "migrator", "apiserver", "apiclient"],
    pages: &["operating", "settings", "persistent", "boot-bits", "errors-and-exit-codes"],
};

/// For whoever publishes.
pub(super) const PUBLISH: Package = Package {
    name: "update-stack-publish",
    described_by: "publish",
    programs: &manuals::PUBLISH,
    crates: &["publish", "update-metadata", "migration-helpers"],
    pages: &["publishing", "formats", "writing-migrations"],
};

/// The boot program and the initramfs of a set.
pub(super) const BOOT: Package = Package {
    name: "update-stack-boot",
    described_by: "bootpick",
    programs: &[],
    crates: &["bootpick"],
    pages: &["boot", "initramfs"],
};

pub(super) const PACKAGES: [&Package; 3] = [&HOST, &PUBLISH, &BOOT];

/// The tree of a package.
pub(super) fn tree(package: &Package) -> PathBuf {
    place().join("stage").join(package.name)
}

/// Puts all trees together, from nothing.
pub(super) fn lay(built: &Built, release: &Release) -> Result<(), Box<dyn Error>> {
    for dir in ["stage", "papers"] {
        let dir = place().join(dir);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
    }
    let source = workspace().join("dist");
    for package in PACKAGES {
        let root = tree(package);
        for program in package.programs {
            let from = built.programs.get(program.name).ok_or(format!("find {}: not built", program.name))?;
            copy(from, &root.join("usr/bin").join(program.name))?;
        }
        manuals::write(package.programs, &root, release.epoch)?;
        let doc = root.join("usr/share/doc").join(package.name);
        for page in package.pages {
            copy(&workspace().join(format!("docs/{page}.md")), &doc.join(format!("{page}.md")))?;
        }
        let overrides = source.join(format!("debian/{}.lintian-overrides", package.name));
        copy(&overrides, &root.join("usr/share/lintian/overrides").join(package.name))?;
        let papers = place().join("papers").join(package.name);
        fs::create_dir_all(&papers)?;
        fs::write(papers.join("changelog"), changelog::write(package.name, release)?)?;
        fs::write(papers.join("copyright"), copyright::write(package.crates)?)?;
    }
    let root = tree(&HOST);
    copy_tree(&source.join("usr"), &root.join("usr"))?;
    // A person who builds an image chooses one of them.
    copy_tree(&source.join("engines"), &root.join("usr/share/update-stack/engines"))?;
    let doc = root.join("usr/share/doc").join(HOST.name);
    copy(&source.join("etc/updog.toml.sample"), &doc.join("examples/updog.toml"))?;

    let root = tree(&BOOT);
    let name = built.bootpick.file_name().ok_or("name the boot program")?;
    copy(&built.bootpick, &root.join("usr/lib/signpost").join(name))?;
    copy_tree(&source.join("initramfs/initramfs-tools"), &root.join("usr/share/initramfs-tools"))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to.parent().ok_or("find a directory to copy to")?)?;
    fs::copy(from, to).map_err(|error| format!("copy {} to {}: {error}", from.display(), to.display()))?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    said(command("cp").arg("-r").arg(from.join(".")).arg(to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_takes_along_is_there() {
        let there = |path: String| assert!(workspace().join(&path).is_file(), "{path}");
        for package in PACKAGES {
            there(format!("dist/debian/{}.lintian-overrides", package.name));
            package.pages.iter().for_each(|page| there(format!("docs/{page}.md")));
        }
    }
}
