//! Packages, releases, a repository and a disk, by the scripts of the example and our programs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::machine::REPOSITORY;
use super::watch;
use crate::bench::tools::{command, said};
use crate::cargo::workspace;
use crate::dist;

/// Of the example, as its os-release has it.
const VARIANT: &str = "container-host";
const ARCH: &str = "x86_64";
const IMAGES: [&str; 3] = ["boot", "root", "hash"];

/// A place to make releases at.
pub(super) struct Workbench {
    dir: PathBuf,
    store: PathBuf,
    bootpick: PathBuf,
}

impl Workbench {
    /// Fetches Debian's packages as they are locked, packs our programs, and makes keys and an empty repository.
    pub(super) fn set_up(dir: &Path, cache: &Path, bootpick: PathBuf) -> Result<Self, Box<dyn Error>> {
        let bench = Self { dir: dir.to_owned(), store: cache.join("host-packages"), bootpick };
        said(command(&example("fetch")).arg(&bench.store))?;
        dist::try_out(&dir.join("debs"))?;
        watch::lay(&dir.join("more"))?;
        said(bench.ours("pubrepo").args(["init", "--repo", "repo", "--keys", "keys"]).args(about()))?;
        Ok(bench)
    }

    /// Makes the images of a release, in the directory `out`.
    pub(super) fn release(&self, version: &str, out: &str) -> Result<(), Box<dyn Error>> {
        let mut build = self.here(command(&example("build")));
        build.env("VERSION", version).env("TRUST", "keys/root.json").env("MORE", "more");
        build.env("UPDATES", format!("http://{REPOSITORY}"));
        said(build.arg(&self.store).arg("debs").arg(out).args(watch::WORDS)).map(drop)
    }

    /// Adds them to the repository.
    pub(super) fn publish(&self, version: &str) -> Result<(), Box<dyn Error>> {
        let mut add = self.ours("pubrepo");
        add.args(["add", "--repo", "repo", "--keys", "keys", "--version", version]).args(about());
        for image in IMAGES {
            add.arg(format!("--{image}")).arg(format!("{version}/{image}.img"));
        }
        // What a pack saves is another matter, and it takes its time.
        said(add.args(["--no-migrations", "--no-packs"])).map(drop)
    }

    /// The images that are not the same in two such directories.
    pub(super) fn different(&self, one: &str, other: &str) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let mut different = Vec::new();
        for image in IMAGES {
            let digest = |out: &str| {
                let told = said(self.here(command("sha256sum")).arg(format!("{out}/{image}.img")))?;
                Ok::<_, Box<dyn Error>>(told.split(' ').next().unwrap_or_default().to_owned())
            };
            if digest(one)? != digest(other)? {
                different.push(image);
            }
        }
        Ok(different)
    }

    /// A text in base64.
    pub(super) fn base64(&self, text: &str) -> Result<String, Box<dyn Error>> {
        fs::write(self.dir.join("text"), text)?;
        Ok(said(self.here(command("base64")).args(["--wrap=0", "text"]))?.trim().to_owned())
    }

    /// Lays a disk out and installs what the repository has.
    pub(super) fn disk(&self, disk: &Path) -> Result<(), Box<dyn Error>> {
        let signpost = || {
            let mut call = self.ours("signpost");
            call.arg("--disk").arg(disk);
            call
        };
        said(signpost().args(["create", "--size", "4G", "--for", "uefi"]))?;
        said(signpost().arg("install-bootpick").arg(&self.bootpick))?;
        let format = workspace().join("dist/image/format-data");
        said(command(&format.to_string_lossy()).arg(disk))?;
        let mut install = self.ours("updog");
        install.args(["install", "--set", "A", "--repo", "repo", "--trusted-root", "keys/root.json"]);
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

/// What every release says of itself.
fn about() -> [&'static str; 4] {
    ["--variant", VARIANT, "--arch", ARCH]
}

/// A script of the example.
fn example(name: &str) -> String {
    workspace().join("examples/container-host").join(name).to_string_lossy().into_owned()
}
