//! `cargo xtask bench rates`: how fast this machine does each thing that an update consists of, one core each. The
//! bench of installing takes its bound from them.
//!
//! - [`bound`]: what an update could take at best

pub(super) mod bound;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;

use super::field::repository::Repository;
use super::field::web::Web;
use super::field::{self};
use super::images;
use super::images::catalog::{Catalog, Kind};
use super::images::release::{Extent, Release};
use super::measure::measured;
use super::tools::{Tool, all_there, command, tool};
use crate::Outcome;
use crate::cargo::{cargo, workspace};
use bound::Rates;

/// The plain ways, which this and the bench of publishing call.
pub(super) const TOOLS: [Tool; 4] =
    [tool("curl", "curl"), tool("lz4", "lz4"), tool("zstd", "zstd"), tool("dd", "coreutils")];

/// Arguments of `cargo xtask bench rates`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Images that are much smaller, for trying this out
    #[arg(long)]
    little: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let extent = Extent::little(args.little);
    ready(extent)?;
    let repository = Repository::make(extent, Kind::Ext4, &images::dir(extent).join("field"))?;
    let web = Web::start(&repository.dir, &images::dir(extent).join("field/web"))?;
    eprintln!("measuring …");
    let rates = measure(extent, Kind::Ext4, &repository, &web)?;
    println!("{}", if args.json { serde_json::to_string(&rates)? } else { rates.table() });
    Ok(true)
}

/// Images, programs of ours, and the plain ways.
pub(super) fn ready(extent: Extent) -> Result<(), Box<dyn Error>> {
    all_there(&field::TOOLS)?;
    all_there(&TOOLS)?;
    images::there_or_built(extent)?;
    field::build_programs()?;
    build_ways()
}

/// The plain ways, as they are measured.
pub(super) fn build_ways() -> Result<(), Box<dyn Error>> {
    // Its own lockfile, and its own folder: nothing of it is shared with the product's builds.
    let status = cargo()
        .args(["build", "--release", "--quiet", "--locked", "--manifest-path"])
        .arg(workspace().join("bench/Cargo.toml"))
        .arg("--target-dir")
        .arg(ways())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("build the plain ways: cargo ended with {status}").into())
    }
}

fn ways() -> PathBuf {
    workspace().join("target/bench-ways")
}

/// A program of the plain ways.
pub(super) fn way(name: &str) -> Command {
    Command::new(ways().join("release").join(name))
}

/// All rates, in one run.
pub(super) fn measure(
    extent: Extent,
    kind: Kind,
    repository: &Repository,
    web: &Web,
) -> Result<Rates, Box<dyn Error>> {
    let lz4 = repository.file(&repository.lz4("root"))?;
    let mut rates = way("rates");
    let root = Catalog::paths(extent, Release::After, kind).root;
    // As much as an install writes and reads back: a cache on the way may hold less than that.
    rates.arg("--bytes").arg(fs::metadata(&root)?.len().to_string());
    rates.arg("--root").arg(root).arg("--lz4").arg(&lz4);
    let frames = repository.targets.keys().find(|name| name.ends_with("-root.zst"));
    if let Some(frames) = frames {
        rates.arg("--zstd").arg(repository.file(frames)?);
    }
    let scratch = images::dir(extent).join("field/scratch");
    let (output, _) = measured(rates.arg("--scratch").arg(&scratch))?;
    let mut rates = Rates::parse(&String::from_utf8_lossy(&output.stdout)).ok_or("read what rates says")?;
    let served = lz4.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (_, spent) =
        measured(command("curl").args(["-sf", "-o", "/dev/null", &web.url(&format!("targets/{served}"))]))?;
    rates.add("http", fs::metadata(&lz4)?.len(), spent.wall);
    Ok(rates)
}
