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

use std::error::Error;
use std::path::Path;

use clap::Parser;

use crate::cargo::metadata;
use crate::outcome::Outcome;
use graph::Circle;

/// Arguments of `cargo xtask circles`.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo xtask circles\n  cargo xtask circles updog signpost")]
pub(crate) struct Args {
    /// Look at these crates only
    #[arg(value_name = "CRATE")]
    crates: Vec<String>,
}

/// Circles that may stay: the crate, one of its files, and why.
const ALLOWED: [(&str, &str, &str); 0] = [];

/// Names every circle that may not stay, and says whether there is none.
pub(crate) fn run(args: &Args) -> Outcome {
    let found = told(&args.crates)?;
    for circle in &found {
        println!("{circle}");
    }
    println!("{} circles of files", found.len());
    Ok(found.is_empty())
}

/// The same for `cargo xtask test`: what is wrong.
pub(crate) fn check() -> Vec<String> {
    told(&[]).unwrap_or_else(|error| vec![format!("read the crates: {error}")])
}

/// Every circle that may not stay, with who names what of whom.
fn told(crates: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let metadata = metadata()?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let Some(folder) = manifest.parent() else { continue };
        if !crates.is_empty() && !crates.iter().any(|wanted| wanted == name) {
            continue;
        }
        for entry in ["src/lib.rs", "src/main.rs"].into_iter().filter(|entry| folder.join(entry).is_file()) {
            let circles = graph::circles(&modules::load(folder, entry)?);
            found.extend(
                circles.iter().filter(|circle| !may_stay(name, circle)).map(|circle| lines(name, circle)),
            );
        }
    }
    Ok(found)
}

fn lines(name: &str, circle: &Circle) -> String {
    let mut text = format!("{name}: {}", circle.files.join(", "));
    for (from, to, names) in &circle.arrows {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        text += &format!("\n    {from} -> {to}: {}", names.join(", "));
    }
    text
}

fn may_stay(name: &str, circle: &Circle) -> bool {
    ALLOWED.iter().any(|(owner, file, _)| *owner == name && circle.files.iter().any(|other| other == file))
}
