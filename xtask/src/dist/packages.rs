//! The packages, by cargo-deb of the trees that lie ready; a tarball with the same tree; the sums of all of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::needs::cargo_tool;
use super::release::{Release, place};
use super::sbom;
use super::stage::{PACKAGES, Package};
use crate::bench::tools::{command, said};
use crate::cargo::workspace;

/// What was made.
pub(super) struct Made {
    /// The directory with everything.
    pub(super) out: PathBuf,
    /// The packages, in the order of [`PACKAGES`].
    pub(super) debs: Vec<PathBuf>,
}

/// Makes all of it, in place of what an earlier run left.
pub(super) fn make(release: &Release) -> Result<Made, Box<dyn Error>> {
    let out = place().join("out");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let packed = if release.quick { Packed::Fast } else { Packed::Well };
    let mut debs = Vec::new();
    for package in PACKAGES {
        debs.push(deb(package, release, &release.debian(), packed, &out)?);
    }
    tarball(release, packed, &debs, &out)?;
    sbom::write(release, &out)?;
    fs::write(out.join("SHA256SUMS"), sums(&out)?)?;
    Ok(Made { out, debs })
}

/// How well a package is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// As small as can be: it is sent to many.
    Well,
    /// In a moment: it is installed here and thrown away.
    Fast,
}

/// One package, as `version`, in the directory `out`.
pub(super) fn deb(
    package: &Package,
    release: &Release,
    version: &str,
    packed: Packed,
    out: &Path,
) -> Result<PathBuf, Box<dyn Error>> {
    let mut call = command(cargo_tool("cargo-deb").to_str().ok_or("say where cargo-deb is")?);
    call.current_dir(workspace()).env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    call.args(["deb", "--no-build", "--no-strip", "--locked", "--quiet", "--manifest-path"]);
    call.arg(workspace().join(package.described_by).join("Cargo.toml"));
    call.args(["--deb-version", version]).arg("--output").arg(out);
    if packed == Packed::Fast {
        call.arg("--fast");
    }
    if let Some(maintainer) = &release.maintainer {
        call.args(["--maintainer", maintainer]);
    }
    let told = said(&mut call).map_err(|error| format!("make the package {}: {error}", package.name))?;
    let path = told.lines().last().map(PathBuf::from).filter(|path| path.is_file());
    Ok(path.ok_or(format!("make the package {}: cargo-deb names no file: {told}", package.name))?)
}

/// All packages' files in one tree.
fn tarball(release: &Release, packed: Packed, debs: &[PathBuf], out: &Path) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let name = format!("update-stack-{}-{}", release.debian(), std::env::consts::ARCH);
    let root = dir.path().join(&name);
    for deb in debs {
        said(command("dpkg-deb").arg("--extract").arg(deb).arg(&root))?;
    }
    let mut tar = command("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    tar.arg(format!("--mtime=@{}", release.epoch)).arg("--directory").arg(dir.path());
    // One thread: several cut the stream up as they please.
    let xz = if packed == Packed::Well { "xz -T1" } else { "xz -T1 -0" };
    tar.arg(format!("--use-compress-program={xz}"))
        .arg("--file")
        .arg(out.join(format!("{name}.tar.xz")))
        .arg(&name);
    said(&mut tar)?;
    Ok(())
}

/// The digests of all files of a directory, as sha256sum checks them.
pub(super) fn sums(dir: &Path) -> Result<String, Box<dyn Error>> {
    Ok(digests(dir)?.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect())
}

/// The digest of each file of a directory, by its name.
pub(super) fn digests(dir: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut digests = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "SHA256SUMS" {
            let told = said(command("sha256sum").current_dir(dir).arg(&name))?;
            let digest = told.split(' ').next().unwrap_or_default().to_owned();
            digests.insert(name, digest);
        }
    }
    Ok(digests)
}
