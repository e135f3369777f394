//! `cargo xtask bench images`: root file systems of Debian packages that apt offers today, as a builder would make them,
//! for the benches that move images. They are kept below `target/bench/images`.
//!
//! - [`release`]: the three releases, and the pairs that are compared
//! - [`packages`]: which versions apt offers, and fetching them
//! - [`tree`]: packages unpacked, without anything that differs from run to run
//! - [`image`]: file systems with fixed identities, and the hash image over them
//! - [`place`]: where they lie
//! - [`catalog`]: what is there, for the other benches

pub(super) mod catalog;
mod image;
mod packages;
mod place;
pub(super) mod release;
mod tree;

use std::error::Error;
use std::fs;

use clap::Parser;

use super::tools::{Tool, all_there, tool};
use crate::Outcome;
use catalog::{Catalog, Images, RECIPE};
pub(super) use image::ext4;
pub(super) use place::dir;
use release::{Extent, Release};

/// Everything that is called here.
pub(super) const TOOLS: [Tool; 9] = [
    tool("apt-get", "apt"),
    tool("dpkg-deb", "dpkg"),
    tool("tar", "tar"),
    tool("mkfs.ext4", "e2fsprogs"),
    tool("debugfs", "e2fsprogs"),
    tool("mkfs.erofs", "erofs-utils"),
    tool("cpio", "cpio"),
    tool("zstd", "zstd"),
    tool("find", "findutils"),
];

/// Arguments of `cargo xtask bench images`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Build anew what is there, from what apt offers now
    #[arg(long)]
    again: bool,
    /// Much smaller ones, for trying the benches out
    #[arg(long)]
    little: bool,
    /// Print the catalogue as JSON
    #[arg(long)]
    json: bool,
}

/// Builds what is missing, and tells what is there.
pub(crate) fn run(args: &Args) -> Outcome {
    let extent = Extent::little(args.little);
    let catalog = if args.again { build(extent)? } else { there_or_built(extent)? };
    println!("{}", if args.json { catalog.json() } else { catalog.table() });
    Ok(true)
}

/// The images, built first where there are none.
pub(super) fn there_or_built(extent: Extent) -> Result<Catalog, Box<dyn Error>> {
    match Catalog::load(&dir(extent))? {
        Some(catalog) => Ok(catalog),
        None => build(extent),
    }
}

fn build(extent: Extent) -> Result<Catalog, Box<dyn Error>> {
    all_there(&TOOLS)?;
    let dir = dir(extent);
    let work = dir.join("work");
    match fs::remove_dir_all(&work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(&work)?;
    let mut trees = Vec::new();
    for release in Release::ALL {
        eprintln!("{}: {} …", release.name(), release.what());
        let packages = packages::fetch(release, extent, &dir.join("packages"))?;
        let tree =
            tree::unpack(&packages, extent, &dir.join("packages/archives"), &work.join(release.name()))?;
        trees.push((release, packages, tree));
    }
    // As for a fleet: one size of ROOT, whatever the release.
    let largest = trees.iter().map(|(_, _, tree)| tree.bytes).max().unwrap_or_default();
    let mut images = Vec::new();
    for (release, packages, tree) in trees {
        eprintln!("{}: file systems …", release.name());
        let files = image::build(&tree, &dir.join(release.name()), largest)?;
        fs::remove_dir_all(&tree.root)?;
        images.push(Images { release, packages, files });
    }
    fs::remove_dir_all(&work)?;
    let catalog = Catalog { recipe: RECIPE, images };
    catalog.save(&dir)?;
    Ok(catalog)
}
