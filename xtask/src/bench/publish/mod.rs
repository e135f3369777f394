//! `cargo xtask bench publish`: what it costs to publish: a release added, beside the plain tools that compress the same
//! file; a rollout over a large fleet, played; a large manifest, explained.
//!
//! - [`image`]: a root image of the size of a real one
//! - [`add`]: a release, and the plain tools
//! - [`rollout`]: a fleet of a million hosts
//! - [`manifest`]: a manifest with thousands of updates
//! - [`report`]: the figures, for people and for programs

mod add;
mod image;
mod manifest;
mod report;
mod rollout;

use std::path::PathBuf;

use clap::Parser;

use crate::Outcome;
use crate::cargo::{cargo, workspace};
use report::Figures;

/// Arguments of `cargo xtask bench publish`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How often the release is added and compressed, in turn; the medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How large the root image is that is packed from this machine's /usr, in MB
    #[arg(long, value_name = "MB", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    root_size: u64,
    /// Take this root image instead
    #[arg(long, value_name = "FILE", conflicts_with = "root_size")]
    root: Option<PathBuf>,
}

/// Builds the programs as they ship, measures, and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let packages = ["-p", "publish", "-p", "update-metadata"];
    let status = cargo().args(["build", "--release", "--quiet", "--bins"]).args(packages).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    // On the disk that holds the target folder: images in a memory file system would count as memory.
    let dir = tempfile::tempdir_in(workspace().join("target"))?;
    let root = match &args.root {
        Some(path) => image::Image::given(path)?,
        None => image::Image::packed(&dir.path().join("root.img"), args.root_size)?,
    };
    let figures = Figures {
        rollouts: rollout::measure()?,
        explained: manifest::measure(dir.path())?,
        rounds: add::measure(dir.path(), &root, args.rounds)?,
        root,
    };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}
