//! `cargo xtask circles`: which files within a crate use one another in circles.
//!
//! A reader who opens a file should be able to understand those below it first: then the graph of who names whose items, file
//! by file, has no cycle. Test code is left out, and a `mod.rs` or `lib.rs` that only declares and re-exports is no node:
//! what is named through it counts as named where it is defined.
//!
//! - [`modules`]: the files of a crate as modules, what each declares, re-exports and names
//! - [`graph`]: from names to arrows, and from arrows to circles

mod graph;
mod modules;

use std::path::Path;

use clap::Parser;

use crate::cargo::metadata;
use crate::outcome::Outcome;

/// Arguments of `cargo xtask circles`.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo xtask circles\n  cargo xtask circles updog signpost")]
pub(crate) struct Args {
    /// Look at these crates only
    #[arg(value_name = "CRATE")]
    crates: Vec<String>,
}

/// Names every circle, and says whether there is none.
pub(crate) fn run(args: &Args) -> Outcome {
    let metadata = metadata()?;
    let empty = Vec::new();
    let mut found = 0;
    for package in metadata["packages"].as_array().unwrap_or(&empty) {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let Some(folder) = manifest.parent() else { continue };
        if !args.crates.is_empty() && !args.crates.iter().any(|wanted| wanted == name) {
            continue;
        }
        for entry in ["src/lib.rs", "src/main.rs"].into_iter().filter(|entry| folder.join(entry).is_file()) {
            for circle in graph::circles(&modules::load(folder, entry)?) {
                println!("{name}: {}", circle.files.join(", "));
                for (from, to, names) in circle.arrows {
                    let names: Vec<String> = names.into_iter().collect();
                    println!("    {from} -> {to}: {}", names.join(", "));
                }
                found += 1;
            }
        }
    }
    println!("{found} circles of files");
    Ok(found == 0)
}
