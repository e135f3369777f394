//! `cargo xtask demo`: the whole walk on real input, through the real programs, narrated.
//!
//! - [`story`]: the steps and what each must show
//! - [`stage`]: the world that the steps are played in
//! - [`report`]: how a step is told, to people and to programs
//! - [`memory`]: what the programs needed at their peak

mod memory;
mod report;
mod stage;
mod story;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;

use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo};
use memory::MemoryWatch;
use report::Voice;
use stage::Stage;

/// Arguments of `cargo xtask demo`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --json | tail -1\n  cargo xtask demo --dir demo-host --keep\n  cargo xtask demo --vm"
)]
pub(crate) struct Args {
    /// Print one JSON object a line instead of the narration
    #[arg(long)]
    json: bool,
    /// Play in this directory, which must be new or empty, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Play it on a machine that really boots, in QEMU
    #[arg(long, conflicts_with = "dir")]
    vm: bool,
    /// Keep the disk, the repository and the logs, and say how to go on by hand
    #[arg(long, requires = "dir")]
    keep: bool,
}

/// Builds what is missing, plays the steps in their order, and sums up. A step that fails ends the demo.
#[expect(clippy::disallowed_methods, reason = "the demo tells how long it took")]
pub(crate) fn run(args: &Args) -> Outcome {
    if args.vm {
        return crate::vm::play("demo", args.json);
    }
    let voice = if args.json { Voice::Json } else { Voice::People };
    build_programs(voice)?;
    let dir = args.dir.as_deref().map(prepare).transpose()?;

    let watch = MemoryWatch::start();
    let started = Instant::now();
    let mut stage = Stage::set(voice, dir.clone());
    let mut steps = Vec::new();
    for play in story::STEPS {
        let report = play(&mut stage);
        let ok = report.ok;
        steps.push(report);
        if !ok {
            break;
        }
    }
    let ok = report::conclude(voice, &steps, started.elapsed(), &watch.finish());
    match dir {
        Some(dir) if args.keep => stage.leave(voice, &dir),
        Some(dir) => {
            drop(stage);
            std::fs::remove_dir_all(dir)?;
        }
        None => {}
    }
    Ok(ok)
}

fn build_programs(voice: Voice) -> Result<(), Box<dyn Error>> {
    if voice == Voice::People {
        println!("Building what is missing …");
    }
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("build the programs: cargo ended with {status}").into())
    }
}

/// The demo removes or fills this directory, so it must not hold anything of somebody else's.
fn prepare(dir: &std::path::Path) -> Result<PathBuf, Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    if std::fs::read_dir(dir)?.next().is_some() {
        return Err(format!("play in {}: it is not empty; name a new directory", dir.display()).into());
    }
    Ok(dir.canonicalize()?)
}
