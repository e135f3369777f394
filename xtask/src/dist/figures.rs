//! How large programs and packages are, and how long programs take to start.

use std::error::Error;
use std::time::{Duration, Instant};

use super::packages::Made;
use super::programs::Built;
use super::stage::PACKAGES;
use crate::bench::tools::{command, said};

/// Enough for a median that one interruption does not move.
const STARTS: usize = 41;

/// Tells them.
pub(super) fn tell(built: &Built, made: &Made) -> Result<(), Box<dyn Error>> {
    println!("\n{:<22} {:>12} {:>12}", "program", "bytes", "start");
    for package in PACKAGES {
        let Ok(programs) = std::fs::read_dir(super::stage::tree(package).join("usr/bin")) else { continue };
        let mut names: Vec<String> = programs
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        for name in names {
            let path = &built.programs[&name];
            let bytes = std::fs::metadata(path)?.len();
            let micros = start(path)?.as_micros();
            println!("{name:<22} {bytes:>12} {:>9}.{} ms", micros / 1000, micros % 1000 / 100);
        }
    }
    let bytes = std::fs::metadata(&built.bootpick)?.len();
    println!("{:<22} {bytes:>12}", "bootpick");
    println!("\n{:<48} {:>12} {:>12}", "file", "bytes", "installed");
    let mut files: Vec<_> =
        std::fs::read_dir(&made.out)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let installed = if made.debs.contains(&path) {
            let kibibytes = said(command("dpkg-deb").arg("--field").arg(&path).arg("Installed-Size"))?;
            format!("{} KiB", kibibytes.trim())
        } else {
            String::new()
        };
        println!("{name:<48} {:>12} {installed:>12}", std::fs::metadata(&path)?.len());
    }
    Ok(())
}

/// The median of many starts, each to the end of `--version`.
#[expect(clippy::disallowed_methods, reason = "what is measured is how long it takes")]
fn start(program: &std::path::Path) -> Result<Duration, Box<dyn Error>> {
    let name = program.to_str().ok_or("say where a program is")?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        said(command(name).arg("--version"))?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times[STARTS / 2])
}
