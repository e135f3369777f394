//! `cargo xtask bench migrate`: settings carried over many migrations, as programs and as lists of steps, beside the
//! plain way in which each migration reads the whole store from the disk and writes it anew; and a store read.
//!
//! - [`field`]: a host with so many settings, and so many migrations staged for its next boot
//! - [`group`]: a control group, which counts what lies in memory file systems as well
//! - [`report`]: the figures, for people and for programs

mod field;
mod group;
mod report;

use std::error::Error;
use std::path::Path;
use std::process::Command;

use clap::{Parser, ValueEnum};

use super::measure::{Spent, measured};
use super::rates::way;
use crate::Outcome;
use crate::cargo::{cargo, workspace};
use field::{Form, Host};
use group::Group;
use report::{Figures, Round, Within};

/// The most memory that migrating may take, with the stores that lie in memory.
const MOST_MEMORY: u64 = 64_000_000;
/// How often a store is read; the first time it may not be in memory yet.
const READINGS: u32 = 12;

/// Arguments of `cargo xtask bench migrate`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How often everything is done, in turn; the medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many migrations lie on the way
    #[arg(long, value_name = "N", default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..))]
    migrations: u32,
    /// How many settings the store has
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    settings: u32,
    /// Measure this part alone; the plain way takes minutes
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// A part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The ways, side by side
    Ways,
    /// What migrating takes of memory
    Memory,
    /// A store read
    Reading,
}

/// Builds the programs as they ship, measures, and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    build(args.wants(Part::Ways))?;
    // On the disk that holds the target folder, as a host's settings lie on a disk.
    let dir = tempfile::tempdir_in(workspace().join("target"))?;
    let mut rounds = Vec::new();
    for number in 1..=if args.wants(Part::Ways) { args.rounds } else { 0 } {
        eprintln!("round {number} of {} …", args.rounds);
        rounds.push(Round {
            plain: plain(args, dir.path())?,
            programs: ours(args, dir.path(), Form::Program, None)?,
            lists: ours(args, dir.path(), Form::List, None)?,
        });
    }
    let within = match args.wants(Part::Memory) {
        true => Some(within(args, dir.path())?),
        false => None,
    };
    let reading = match args.wants(Part::Reading) {
        true => Some(reading(args, dir.path())?),
        false => None,
    };
    let figures = Figures {
        migrations: args.migrations,
        settings: args.settings,
        rounds,
        within,
        limit: MOST_MEMORY,
        reading,
    };
    println!("{}", if args.json { figures.json() } else { figures.table() });
    Ok(true)
}

/// The programs, and the plain way where it is measured.
fn build(ways: bool) -> Result<(), Box<dyn Error>> {
    let ours = ["-p", "migrator", "-p", "migration-helpers", "-p", "datastore", "--bins", "--examples"];
    let built = cargo().args(["build", "--release", "--quiet"]).args(ours).status()?;
    if !built.success() {
        return Err(format!("build the programs: cargo ended with {built}").into());
    }
    if ways { super::rates::build_ways() } else { Ok(()) }
}

/// The plain way, from the live store to one beside it.
fn plain(args: &Args, dir: &Path) -> Result<Spent, Box<dyn Error>> {
    let host = Host::make(dir, args.settings, args.migrations, Form::Program)?;
    let (from, to) = (host.live()?, host.store_beside());
    let mut all = way("plain-migrations");
    let spent = measured(all.arg("all").arg(args.migrations.to_string()).args([&from, &to]))?.1;
    host.expect_carried(&to)?;
    Ok(spent)
}

/// `migrator`, as the unit of a boot calls it.
fn ours(args: &Args, dir: &Path, form: Form, group: Option<&Group>) -> Result<Spent, Box<dyn Error>> {
    let host = Host::make(dir, args.settings, args.migrations, form)?;
    let migrator = field::release("migrator");
    let mut command = match group {
        None => Command::new(migrator),
        Some(group) => group.command(&migrator),
    };
    let spent = measured(command.args(host.arguments()))?.1;
    host.expect_carried(&host.live()?)?;
    Ok(spent)
}

/// Both forms in a group of their own each, which may take no more; why not, where no group can be made.
fn within(args: &Args, dir: &Path) -> Result<Result<[Within; 2], String>, Box<dyn Error>> {
    let mut all = Vec::new();
    for form in [Form::Program, Form::List] {
        let group = match Group::make(MOST_MEMORY) {
            Ok(group) => group,
            Err(why) => return Ok(Err(why.to_string())),
        };
        let spent = ours(args, dir, form, Some(&group))?;
        all.push(Within { spent, peak: group.peak() });
    }
    Ok(Ok([all.remove(0), all.remove(0)]))
}

/// How long a store takes to be read, each time in seconds.
fn reading(args: &Args, dir: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let host = Host::make(dir, args.settings, 1, Form::List)?;
    let mut read = Command::new(field::release("examples/read_store"));
    let (output, _) = measured(read.arg(host.live()?).arg(READINGS.to_string()))?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let seconds = |line: &str| line.split_once(' ')?.1.parse().ok();
    lines.lines().map(|line| seconds(line).ok_or_else(|| format!("read {line:?}").into())).collect()
}
