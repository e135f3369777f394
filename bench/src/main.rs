//! The plain ways to write images to a disk: tough gives a verified stream, an LZ4 decoder unpacks it, a buffered writer
//! writes it. That is all; with `--durable` it is synced and read back as well.
//!
//! - [`transport`]: HTTP for tough, without the pause that its own makes before each request
//! - [`write`]: one image, from the stream to the disk

mod transport;
mod write;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tough::RepositoryLoader;
use url::Url;

use crate::transport::Http;
use crate::write::{Durability, Place};

/// Writes targets of a repository, each decoded, to places on a disk.
#[derive(Parser)]
struct Args {
    /// The trusted root role
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Where metadata lies
    #[arg(long, value_name = "URL")]
    metadata: Url,
    /// Where targets lie
    #[arg(long, value_name = "URL")]
    targets: Url,
    /// The disk, or an image file
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// A target and where it goes; once for each
    #[arg(long = "image", value_name = "NAME@OFFSET", required = true)]
    images: Vec<Place>,
    /// Sync, and read back what was written
    #[arg(long)]
    durable: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plain: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let root = std::fs::read(&args.root)?;
    let repository = runtime.block_on(
        RepositoryLoader::new(&root, args.metadata.clone(), args.targets.clone())
            .transport(Http::new()?)
            .load(),
    )?;
    let durability = if args.durable { Durability::SyncedAndReadBack } else { Durability::None };
    for place in &args.images {
        write::image(&runtime, &repository, &args.disk, place, durability)?;
    }
    Ok(())
}
