//! `cargo xtask setup --for TASK`: what this machine lacks for a task, and installing it where that is asked for. What a
//! task needs is said by the task.

use clap::{Parser, ValueEnum};

use crate::vm::{self, host, needs};
use crate::{Outcome, bench, dist, fuzz, monitoring};

/// Arguments of `cargo xtask setup`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask setup --for vm\n  cargo xtask setup --for vm,bench,fuzz\n  cargo xtask setup --for dist --install"
)]
pub(crate) struct Args {
    /// The task; several with commas between them
    #[arg(long = "for", value_name = "TASK", required = true, value_delimiter = ',')]
    tasks: Vec<Task>,
    /// Install what is missing, as root, with apt, and fetch the rest; without it, only say what that would be
    #[arg(long)]
    install: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Task {
    /// `cargo xtask vm`
    Vm,
    /// `cargo xtask vm host-update`: the container host
    Host,
    /// `cargo xtask dist`
    Dist,
    /// `cargo xtask bench`
    Bench,
    /// `cargo xtask fuzz`
    Fuzz,
    /// The alert rules in `cargo xtask test`
    Monitoring,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Host => "host",
            Self::Dist => "dist",
            Self::Bench => "bench",
            Self::Fuzz => "fuzz",
            Self::Monitoring => "monitoring",
        }
    }

    /// What somebody wants to run.
    fn command(self) -> &'static str {
        match self {
            Self::Vm => "cargo xtask vm",
            Self::Host => "cargo xtask vm host-update",
            Self::Dist => "cargo xtask dist",
            Self::Bench => "cargo xtask bench",
            Self::Fuzz => "cargo xtask fuzz",
            // Whoever lacks it is told so there, and everything else is tried all the same.
            Self::Monitoring => "the alert rules in cargo xtask test",
        }
    }

    /// The Debian packages that it lacks here.
    fn packages(self) -> Vec<&'static str> {
        match self {
            Self::Vm => [needs::missing(), needs::missing_for_arm()].concat(),
            Self::Host => [needs::missing(), host::missing()].concat(),
            Self::Dist => dist::missing(),
            Self::Bench => bench::missing(),
            Self::Fuzz => Vec::new(),
            Self::Monitoring => monitoring::missing(),
        }
    }

    /// What else it lacks here, which no Debian package has.
    fn others(self) -> Vec<String> {
        match self {
            Self::Vm | Self::Bench | Self::Monitoring => Vec::new(),
            Self::Host => host::missing_others(),
            Self::Dist => dist::missing_others(),
            Self::Fuzz => fuzz::missing(),
        }
    }

    /// Fetches what no Debian package has.
    fn fetch(self) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Self::Vm => needs::all_there().and_then(|()| vm::fetch()),
            Self::Host => host::fetch(),
            Self::Dist => dist::fetch(),
            Self::Bench | Self::Monitoring => Ok(()),
            Self::Fuzz => fuzz::fetch(),
        }
    }
}

/// Says what is missing, or installs it.
pub(crate) fn run(args: &Args) -> Outcome {
    if args.install {
        install(&args.tasks)?;
        return Ok(true);
    }
    for task in &args.tasks {
        let (name, packages, others) = (task.name(), task.packages(), task.others());
        if packages.is_empty() && others.is_empty() {
            println!("Nothing is missing for {}.", task.command());
            continue;
        }
        if !packages.is_empty() {
            println!("Missing for {}: the Debian packages {}.", task.command(), packages.join(" "));
        }
        for other in others {
            println!("Missing for {}: {other}.", task.command());
        }
        println!("To install it, as root where there are packages: cargo xtask setup --for {name} --install");
    }
    Ok(true)
}

fn install(tasks: &[Task]) -> Result<(), Box<dyn std::error::Error>> {
    let mut packages: Vec<&str> = tasks.iter().flat_map(|task| task.packages()).collect();
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        needs::install(&packages)?;
    }
    tasks.iter().try_for_each(|task| task.fetch())
}
