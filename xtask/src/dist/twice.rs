//! All of it made again from a copy of the source in another directory, and compared byte for byte.

use std::error::Error;

use super::packages::{Made, digests};
use super::release::{Release, place};
use super::sbom;
use crate::Outcome;
use crate::cargo::cargo;

/// Builds the copy with its own target directory and holds the two against each other.
pub(super) fn run(made: &Made, release: &Release) -> Outcome {
    let dir = tempfile::Builder::new().prefix("another-place-").tempdir()?;
    let copy = dir.path().join("source");
    sbom::copy_source(&copy)?;
    // It is no repository, so it cannot tell the time of the commit; and fetching the tools again proves nothing.
    let tools = copy.join("target/dist");
    std::fs::create_dir_all(&tools)?;
    std::os::unix::fs::symlink(place().join("tools"), tools.join("tools"))?;
    git_init(&copy)?;
    println!("\nbuilding once more, in {}", copy.display());
    let mut call = cargo();
    call.current_dir(&copy).env_remove("CARGO_TARGET_DIR");
    call.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    call.args(["xtask", "dist", "--only-make"]);
    if release.quick {
        call.arg("--quick");
    }
    if let Some(maintainer) = &release.maintainer {
        call.args(["--maintainer", maintainer]);
    }
    let status = call.status()?;
    if !status.success() {
        return Err(format!("build the copy: cargo xtask dist ended with {status}").into());
    }
    let (here, there) = (digests(&made.out)?, digests(&copy.join("target/dist/out"))?);
    let mut same = !here.is_empty();
    for name in here.keys().chain(there.keys().filter(|name| !here.contains_key(*name))) {
        let equal = here.get(name) == there.get(name);
        println!("{}  {name}", if equal { "same bytes" } else { "DIFFERENT " });
        same &= equal;
    }
    if !same {
        let kept = dir.keep();
        println!("the other one is kept in {}; diffoscope tells what differs", kept.display());
    }
    Ok(same)
}

/// The copy's list of files is asked of git.
fn git_init(copy: &std::path::Path) -> Result<(), Box<dyn Error>> {
    use crate::bench::tools::{command, said};
    said(command("git").current_dir(copy).args(["init", "--quiet"]))?;
    Ok(())
}
