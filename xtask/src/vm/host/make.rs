//! Packages, releases, a repository and a disk, by the scripts of the example and our programs.
//!
//! Releases are made once for all scenarios of a run, as a build takes longer than what most of them wait for. Each
//! scenario has a repository and a disk of its own.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::machine::REPOSITORY;
use super::super::signer::Signer;
use super::health::Health;
use super::watch;
use crate::bench::tools::{command, said};
use crate::cargo::workspace;
use crate::dist;

/// Of the example, as its os-release has it.
const VARIANT: &str = "container-host";
const ARCH: &str = "x86_64";
const IMAGES: [&str; 3] = ["boot", "root", "hash"];

/// Where the tree of all packages comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// From the packages.
    Anew,
    /// As the first release of this place has left it.
    Kept,
}

/// A place to make releases at.
pub(in crate::vm) struct Workbench {
    dir: PathBuf,
    store: PathBuf,
    bootpick: PathBuf,
    signer: Signer,
}

/// Whether the boot program and the unified images are signed, for firmware that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    No,
}

impl Workbench {
    /// Fetches Debian's packages as they are locked, packs our programs, and makes keys and an empty repository, in the
    /// directory `dir`. What takes long to fetch is kept in `cache`.
    pub(super) fn set_up(dir: &Path, cache: &Path, bootpick: PathBuf) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(dir)?;
        let signer = Signer::prepare(dir)?;
        let bench = Self { dir: dir.to_owned(), store: fetch(cache)?, bootpick, signer };
        dist::try_out(&dir.join("debs"))?;
        for health in Health::ALL {
            watch::lay(&dir.join(more(health)), health)?;
        }
        said(bench.ours("pubrepo").args(["init", "--repo", "repo", "--keys", "keys"]).args(about()))?;
        Ok(bench)
    }

    /// The images of a release, as a directory; whether they had to be made.
    pub(super) fn release(
        &self,
        version: &str,
        health: Health,
        signed: Signed,
    ) -> Result<(PathBuf, bool), Box<dyn Error>> {
        let out = self.dir.join(images_of(version, signed));
        if out.exists() {
            return Ok((out, false));
        }
        self.make(version, health, signed, &out, Base::Kept)?;
        Ok((out, true))
    }

    /// Makes the images of a release, in the directory `out`.
    fn make(
        &self,
        version: &str,
        health: Health,
        signed: Signed,
        out: &Path,
        base: Base,
    ) -> Result<(), Box<dyn Error>> {
        let mut build = self.here(command(&example("build")));
        build.env("VERSION", version).env("TRUST", "keys/root.json").env("MORE", more(health));
        build.env("UPDATES", format!("http://{REPOSITORY}"));
        if base == Base::Kept {
            build.env("BASE", "base.tar");
        }
        if signed == Signed::Yes {
            build.envs(self.signer.variables());
        }
        said(build.arg(&self.store).arg("debs").arg(out).args(watch::WORDS)).map(drop)
    }

    /// An empty repository, in the directory `repo`.
    pub(super) fn repository(&self, repo: &Path) -> Result<(), Box<dyn Error>> {
        said(self.here(command("cp")).args(["-r", "repo"]).arg(repo)).map(drop)
    }

    /// Adds a release to a repository.
    pub(super) fn publish(
        &self,
        version: &str,
        signed: Signed,
        repo: &Path,
        words: &[&str],
    ) -> Result<(), Box<dyn Error>> {
        let mut add = self.ours("pubrepo");
        add.arg("add").arg("--repo").arg(repo).args(["--keys", "keys", "--version", version]).args(about());
        for image in IMAGES {
            add.arg(format!("--{image}")).arg(format!("{}/{image}.img", images_of(version, signed)));
        }
        // What a pack saves is another matter, and it takes its time.
        said(add.args(["--no-migrations", "--no-packs"]).args(words)).map(drop)
    }

    /// Makes a release again, of its packages and of the tree that was kept of them, and names the images that are not the
    /// same.
    pub(super) fn different(
        &self,
        version: &str,
        health: Health,
    ) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let (one, _) = self.release(version, health, Signed::No)?;
        let other = self.dir.join(format!("{version}-again"));
        let mut different = Vec::new();
        for base in [Base::Anew, Base::Kept] {
            self.make(version, health, Signed::No, &other, base)?;
            different.extend(self.compared(&one, &other)?);
            fs::remove_dir_all(&other)?;
        }
        Ok(different)
    }

    /// The images that are not the same in two such directories.
    fn compared(&self, one: &Path, other: &Path) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let mut different = Vec::new();
        for image in IMAGES {
            let digest = |out: &Path| {
                let told = said(command("sha256sum").arg(out.join(format!("{image}.img"))))?;
                Ok::<_, Box<dyn Error>>(told.split(' ').next().unwrap_or_default().to_owned())
            };
            if digest(one)? != digest(other)? {
                different.push(image);
            }
        }
        Ok(different)
    }

    /// Lays a disk out and installs what a repository has.
    pub(super) fn disk(&self, disk: &Path, repo: &Path, signed: Signed) -> Result<(), Box<dyn Error>> {
        let own = disk.with_file_name("BOOTX64.EFI");
        fs::copy(&self.bootpick, &own)?;
        if signed == Signed::Yes {
            self.signer.sign(&own)?;
        }
        let signpost = || {
            let mut call = self.ours("signpost");
            call.arg("--disk").arg(disk);
            call
        };
        said(signpost().args(["create", "--size", "4G", "--for", "uefi"]))?;
        said(signpost().arg("install-bootpick").arg(&own))?;
        let format = workspace().join("dist/image/format-data");
        said(command(&format.to_string_lossy()).arg(disk))?;
        let mut install = self.ours("updog");
        install.args(["install", "--set", "A", "--trusted-root", "keys/root.json", "--repo"]).arg(repo);
        said(install.args(["--variant", VARIANT, "--disk"]).arg(disk)).map(drop)
    }

    fn ours(&self, program: &str) -> Command {
        self.here(command(&testdata::program(program).to_string_lossy()))
    }

    fn here(&self, mut call: Command) -> Command {
        call.current_dir(&self.dir);
        call
    }
}

/// Fetches what is not here yet of the packages that the host is made of, and checks all: the directory with them.
pub(super) fn fetch(cache: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let store = store(cache);
    said(command(&example("fetch")).arg(&store))?;
    Ok(store)
}

/// How many of them are not here yet.
pub(super) fn missing_packages(cache: &Path) -> usize {
    let store = store(cache);
    let lock = fs::read_to_string(example("packages.lock")).unwrap_or_default();
    let files = lock.lines().filter_map(|line| line.split("  ").nth(1));
    files.filter(|file| !store.join(file).exists()).count()
}

fn store(cache: &Path) -> PathBuf {
    cache.join("host-packages")
}

/// The directory with the images of a release.
fn images_of(version: &str, signed: Signed) -> String {
    match signed {
        Signed::Yes => format!("{version}-signed"),
        Signed::No => version.to_owned(),
    }
}

/// What every release says of itself.
fn about() -> [&'static str; 4] {
    ["--variant", VARIANT, "--arch", ARCH]
}

/// What is laid over the tree of such a release.
fn more(health: Health) -> &'static str {
    match health {
        Health::Good => "more",
        Health::Unhealthy => "more-unhealthy",
        Health::Filling => "more-filling",
    }
}

/// A file of the example.
fn example(name: &str) -> String {
    workspace().join("examples/container-host").join(name).to_string_lossy().into_owned()
}
