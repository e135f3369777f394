//! Developer tasks, run as `cargo xtask TASK`.
//!
//! - [`demo`]: the whole walk on real input through the real programs, played and narrated
//! - [`mod@bench`]: what things cost
//! - [`mod@bootpick`]: the boot program, built for its machines
//! - [`circles`]: files within a crate that use one another
//! - [`dist`]: packages of the programs, and what is said about them
//! - [`crash`]: programs that are killed at any moment
//! - [`outcome`]: how a task ends
//! - [`fuzz`]: every fuzz target for a while
//! - [`vm`]: the walk in a virtual machine, from its firmware on
//! - [`setup`]: what this machine needs for a task
//! - [`monitoring`]: alert rules, judged by Prometheus' own tool
//! - [`new_migration`]: the beginning of a migration
//! - [`doc_run`]: whether the commands of a page do what it shows
//! - [`mod@test`]: everything that a change must pass

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of developers, on whose output nothing else depends"
)]

mod bench;
mod bootpick;
mod cargo;
mod circles;
mod crash;
mod demo;
mod dist;
mod doc_run;
mod fuzz;
mod monitoring;
mod new_migration;
mod outcome;
mod setup;
mod test;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use outcome::Outcome;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of the update stack")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Update a host, boot it, break it, and get it back: the whole walk, played and narrated
    Demo(demo::Args),
    /// Measure what things cost, side by side in one run
    Bench(bench::Args),
    /// Build the boot program of a UEFI host
    Bootpick(bootpick::Args),
    /// Name the files within each crate that use one another in circles
    Circles(circles::Args),
    /// Kill programs at random moments, and see what is left and what is said of it
    Crash(crash::Args),
    /// Make the packages that hosts and publishers install, and have them judged
    Dist(dist::Args),
    /// Feed the readers of bytes from outside with everything imaginable, and tell what was reached
    Fuzz(fuzz::Args),
    /// Run the commands that a page of docs/ shows, and hold them to what it shows
    DocRun(doc_run::Args),
    /// Begin a migration: a list of steps, or a program
    NewMigration(new_migration::Args),
    /// Boot, update and break a real system in a virtual machine, from its firmware on
    Vm(vm::Args),
    /// Say what this machine lacks for a task, or install it
    Setup(setup::Args),
    /// Run everything that a change must pass
    Test(test::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Bootpick(args) => bootpick::run(&args),
        Task::Circles(args) => circles::run(&args),
        Task::Crash(args) => crash::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::DocRun(args) => doc_run::run(&args),
        Task::NewMigration(args) => new_migration::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Setup(args) => setup::run(&args),
        Task::Test(args) => test::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: failed to {}", host_io::report::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
