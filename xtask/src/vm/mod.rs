//! `cargo xtask vm`: a real system that is installed, booted from its firmware on, updated, broken and got back, in a
//! virtual machine.
//!
//! - [`needs`]: what it is made with
//! - [`kernel`], [`initramfs`], [`image`]: from Debian's kernel and our programs to the images of a release
//! - [`disk`]: the machine's disk, and what independent tools say of it
//! - [`firmware`], [`machine`]: a power cycle
//! - [`door`]: the way to the guest's API from outside
//! - [`stage`]: a repository, a disk and the boots of one scenario
//! - [`scenario`]: what happens, and what each must show

mod disk;
mod door;
mod firmware;
mod image;
mod initramfs;
mod kernel;
mod machine;
pub(crate) mod needs;
mod scenario;
mod stage;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use serde_json::json;

use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo, workspace};
use image::Workshop;
use scenario::{SCENARIOS, Scenario};
use stage::Stage;

/// A mebibyte.
const MIB: u64 = 1 << 20;

/// Arguments of `cargo xtask vm`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask vm --list\n  cargo xtask vm update\n  cargo xtask vm --ci\n  cargo xtask vm --repeat 2 --json"
)]
pub(crate) struct Args {
    /// Which scenarios; all where none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Only those that every change must pass
    #[arg(long)]
    ci: bool,
    /// Play each so often
    #[arg(long, default_value_t = 1, value_name = "N")]
    repeat: u32,
    /// Print one JSON object a scenario instead of the narration
    #[arg(long)]
    json: bool,
    /// Start the kernel without a firmware, and let the fixtures' own pick the set
    #[arg(long)]
    direct: bool,
    /// Where the logs of what failed are kept
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
}

/// Builds what the VM is made of, and plays the scenarios one after the other.
#[expect(clippy::disallowed_methods, reason = "the report tells how long each scenario took")]
pub(crate) fn run(args: &Args) -> Outcome {
    if args.list {
        for scenario in SCENARIOS {
            println!("{:<18} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let chosen = choose(args)?;
    needs::all_there()?;
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let home = workspace().join(target).join("vm");
    let work = home.join("work");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work)?;
    let workshop = Workshop::set_up(&work, &home.join("kernel"))?;
    let logs = args.logs.clone().unwrap_or_else(|| home.join("logs"));
    let mut failed = 0;
    for round in 1..=args.repeat {
        for scenario in &chosen {
            let began = Instant::now();
            let mut stage = Stage::set(&workshop, &work.join(scenario.name), args.direct, !args.json)?;
            if !args.json {
                println!("{}: {}", scenario.name, scenario.about);
            }
            let outcome = (scenario.play)(&mut stage);
            let seconds = began.elapsed().as_secs_f64();
            let boots = stage.boots();
            let dir = stage.strike();
            let unmet = outcome.err().map(|unmet| unmet.to_string());
            if unmet.is_some() {
                failed += 1;
                let kept = logs.join(scenario.name);
                keep(&dir, &kept)?;
                if !args.json {
                    println!("  the logs are in {}", kept.display());
                }
            }
            std::fs::remove_dir_all(&dir)?;
            if args.json {
                println!(
                    "{}",
                    json!({"scenario": scenario.name, "round": round, "ok": unmet.is_none(), "unmet": unmet, "boots": boots, "seconds": seconds})
                );
            } else if let Some(unmet) = unmet {
                println!("  NOT SHOWN: {unmet}\n{} failed after {seconds:.0} s\n", scenario.name);
            } else {
                println!("{} is ok: {boots} boots, {seconds:.0} s\n", scenario.name);
            }
        }
    }
    std::fs::remove_dir_all(&work)?;
    Ok(failed == 0)
}

/// The scenarios that were named, or all.
fn choose(args: &Args) -> Result<Vec<&'static Scenario>, String> {
    if args.scenarios.is_empty() {
        return Ok(SCENARIOS.iter().filter(|scenario| scenario.ci || !args.ci).collect());
    }
    let find = |name: &String| {
        SCENARIOS
            .iter()
            .find(|scenario| scenario.name == name)
            .ok_or_else(|| format!("find a scenario {name:?}: \"cargo xtask vm --list\" names all"))
    };
    args.scenarios.iter().map(find).collect()
}

/// Copies what was said, without disks and images.
fn keep(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let said = path.extension().is_some_and(|kind| kind == "serial" || kind == "qemu" || kind == "log");
        if let (true, Some(name)) = (said, path.file_name()) {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
