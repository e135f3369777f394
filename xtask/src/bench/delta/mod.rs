//! `cargo xtask bench delta`: bytes on the wire for the whole update from one real release to the next, by `updog`
//! through a real web server, beside what other tools would fetch for the same images.
//!
//! - [`ours`]: `updog`, and what the server sent it for
//! - [`others`]: whole images, casync, and two tools that know both images
//! - [`report`]: the figures, for people and for programs

mod others;
mod ours;
mod report;

use std::error::Error;

use clap::Parser;

use super::field::{self, host, repository::Repository, web::Web};
use super::images;
use super::images::catalog::{Catalog, Kind};
use super::images::release::{Extent, Pair};
use super::tools::{Tool, all_there, tool};
use crate::Outcome;
use report::{Case, Figures};

/// The other tools.
pub(super) const TOOLS: [Tool; 3] =
    [tool("casync", "casync"), tool("zstd", "zstd"), tool("xdelta3", "xdelta3")];

/// Arguments of `cargo xtask bench delta`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Only this pair of releases: security or kernel
    #[arg(long, value_name = "PAIR", value_parser = pair)]
    pair: Option<Pair>,
    /// Only this kind of file system: ext4 or erofs
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Only tools with this in their name, beside ours; may be repeated. The others take minutes on real images
    #[arg(long, value_name = "TOOL", value_parser = beside)]
    beside: Vec<String>,
    /// Images that are much smaller, for trying this out
    #[arg(long)]
    little: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

fn pair(name: &str) -> Result<Pair, String> {
    Pair::ALL.into_iter().find(|pair| pair.name() == name).ok_or_else(|| "security or kernel".to_owned())
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| "ext4 or erofs".to_owned())
}

fn beside(name: &str) -> Result<String, String> {
    let known = others::names().any(|tool| tool.contains(name));
    known.then(|| name.to_owned()).ok_or_else(|| others::names().collect::<Vec<_>>().join(", or "))
}

/// Measures and prints. What other tools made of the same images before is not made again.
pub(crate) fn run(args: &Args) -> Outcome {
    all_there(&TOOLS)?;
    all_there(&field::TOOLS)?;
    let extent = Extent::little(args.little);
    let catalog = images::there_or_built(extent)?;
    field::build_programs()?;
    let mut cases = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| args.kind.is_none_or(|only| only == *kind)) {
        for pair in Pair::ALL.into_iter().filter(|pair| args.pair.is_none_or(|only| only == *pair)) {
            eprintln!("{} as {}: {} …", pair.name(), kind.name(), catalog.difference(pair));
            cases.push(case(extent, &catalog, pair, kind, &args.beside)?);
        }
    }
    let figures = Figures { cases };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}

fn case(
    extent: Extent,
    catalog: &Catalog,
    pair: Pair,
    kind: Kind,
    beside: &[String],
) -> Result<Case, Box<dyn Error>> {
    let (before, new) = pair.releases();
    let (old, new) = (Catalog::paths(extent, before, kind), Catalog::paths(extent, new, kind));
    let dir = images::dir(extent).join("field");
    let repository = Repository::make(extent, kind, &dir)?;
    let web = Web::start(&repository.dir, &dir.join("web"))?;
    let host = host::Host::make(&dir.join("host"), host::Running::Release(&old), &new, &repository, &web)?;
    let ours = ours::update(&host, &web)?;
    let kept = dir.join(format!("others-{}-{}", pair.name(), kind.name()));
    let wanted = |tool: &str| beside.is_empty() || beside.iter().any(|name| tool.contains(name.as_str()));
    let others = others::all(&old, &new, &kept, wanted)?;
    let whole = ["boot", "root", "hash"].map(|image| repository.length(&repository.lz4(image)));
    let packs = repository.packs(before);
    Ok(Case { pair, kind, difference: catalog.difference(pair), ours, whole, packs, others })
}
