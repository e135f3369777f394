//! `cargo xtask setup --for TASK`: what this machine lacks for a task, and installing it where that is asked for.

use clap::{Parser, ValueEnum};

use crate::Outcome;
use crate::dist;
use crate::vm::{self, needs};

/// Arguments of `cargo xtask setup`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask setup --for vm\n  cargo xtask setup --for vm --install\n  cargo xtask setup --for dist --install"
)]
pub(crate) struct Args {
    /// The task
    #[arg(long = "for", value_name = "TASK")]
    task: Task,
    /// Install what is missing, as root, with apt, and fetch the rest; without it, only say what that would be
    #[arg(long)]
    install: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Task {
    /// `cargo xtask vm`
    Vm,
    /// `cargo xtask dist`
    Dist,
}

/// Says what is missing, or installs it.
pub(crate) fn run(args: &Args) -> Outcome {
    let (name, packages) = match args.task {
        Task::Vm => ("vm", needs::missing()),
        Task::Dist => ("dist", dist::missing()),
    };
    if !args.install && packages.is_empty() {
        println!("No Debian package is missing for cargo xtask {name}.");
        return Ok(true);
    }
    if !args.install {
        println!("Missing for cargo xtask {name}: the Debian packages {}.", packages.join(" "));
        println!("To install them, as root: cargo xtask setup --for {name} --install");
        return Ok(true);
    }
    if !packages.is_empty() {
        needs::install(&packages)?;
    }
    match args.task {
        Task::Vm => {
            needs::all_there()?;
            vm::fetch()?;
        }
        Task::Dist => dist::fetch()?,
    }
    Ok(true)
}
