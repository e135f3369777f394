//! `cargo xtask vm`: a real system that is installed, booted from its firmware on, updated, broken and got back, in a
//! virtual machine.
//!
//! - [`needs`]: what it is made with; [`place`]: where everything lies that is made
//! - [`kernel`], [`initramfs`], [`program`], [`signer`], [`image`]: from Debian's kernel and our programs to the images of
//!   a release
//! - [`writes`], [`dice`]: what was written, and what a power cut could have left of it
//! - [`disk`]: the machine's disk, and what independent tools say of it
//! - [`firmware`], [`machine`]: a power cycle
//! - [`door`]: the way to the guest's API from outside
//! - [`stage`]: a repository, a disk and the boots of one scenario
//! - [`scenario`]: what happens, and what each must show
//! - [`distribution`]: a machine with systemd, seen from outside
//! - [`host`]: the container host of `examples/`; [`time_server`]: whom it asks for the time
//! - [`recording`]: an update and the way back, recorded for others to cut; [`trial`]: a disk of theirs, started
//! - [`walk`], [`stands_still`]: the disk of docs/boot.md, started; releases for it that come to no end

mod dice;
mod disk;
mod distribution;
mod door;
mod firmware;
pub(crate) mod host;
mod image;
mod initramfs;
mod kernel;
pub(crate) mod machine;
pub(crate) mod needs;
mod place;
mod program;
pub(crate) mod recording;
mod scenario;
mod signer;
mod stage;
mod stands_still;
mod time_server;
pub(crate) mod trial;
mod units;
mod unmet;
pub(crate) mod walk;
pub(crate) mod writes;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};

use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo, workspace};
pub(crate) use place::home;

use host::ContainerHost;
use image::Workshop;
use kernel::Kernel;
use scenario::{Kind, Play, SCENARIOS, Scenario};
use stage::Stage;
use unmet::Unmet;

/// Arguments of `cargo xtask vm`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask vm --list\n  cargo xtask vm update\n  cargo xtask vm --ci\n  cargo xtask vm --ci=host --within 840\n  cargo xtask vm --repeat 2 --json\n  cargo xtask vm power-cut --rounds 50 --rng-seed 7"
)]
pub(crate) struct Args {
    /// Which scenarios; all where none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Only those that every change must pass, of one kind of machine
    #[arg(long, value_name = "MACHINE", num_args = 0..=1, require_equals = true, default_missing_value = "small")]
    ci: Option<Kind>,
    /// Play each so often
    #[arg(long, default_value_t = 1, value_name = "N")]
    repeat: u32,
    /// How many cuts power-cut and bootpick-update make, and how many starts of each loader-time takes the median of
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: u32,
    /// What they are drawn from
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    rng_seed: u64,
    /// Stop after so many seconds: what is not played by then is not run, and said
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
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

/// Plays one scenario as if it was named.
pub(crate) fn play(name: &str, json: bool) -> Outcome {
    let mut words = vec!["vm", name];
    words.extend(json.then_some("--json"));
    run(&Args::parse_from(words))
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
    let until = args.within.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let chosen = choose(args)?;
    needs::all_there()?;
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    let work = home().join("work");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work)?;
    let bootpick = if args.direct { None } else { Some(boot_program()?) };
    // Only the small system is made of it.
    let workshop = chosen
        .iter()
        .any(|scenario| matches!(scenario.play, Play::Small(_)))
        .then(|| Workshop::set_up(&work, &home().join("kernel")))
        .transpose()?;
    let logs = args.logs.clone().unwrap_or_else(|| home().join("logs"));
    // All scenarios of the container host have their releases from one publisher, who is there once one is played.
    let mut bench = None;
    let (mut failed, mut summary) = (0, Vec::new());
    for round in 1..=args.repeat {
        for scenario in &chosen {
            if until.is_some_and(|until| Instant::now() > until) {
                report(args, scenario, round, Told::NotRun("no time is left for it"));
                summary.push(format!("{}: NOT RUN", scenario.name));
                continue;
            }
            if !args.json {
                println!("{}: {}", scenario.name, scenario.about);
            }
            let began = Instant::now();
            let dir = work.join(scenario.name);
            let (outcome, boots, counts) = match (scenario.play, &workshop) {
                (Play::Small(play), Some(workshop)) => {
                    let mut stage = Stage::set(workshop, &dir, bootpick.as_deref(), !args.json)?
                        .with_rounds(args.rounds, args.rng_seed)
                        .with_end(until);
                    let outcome = play(&mut stage);
                    (outcome, stage.boots(), json!(stage.counts()))
                }
                (Play::Small(_), None) => return Err("find the workshop: it was not set up".into()),
                (Play::Host(play), _) => {
                    let bench = host::ready(&mut bench, &work.join("bench"), &home(), bootpick.as_deref());
                    let set = bench.and_then(|bench| ContainerHost::set(&dir, bench, (!args.json, until)));
                    match set {
                        Ok(mut host) => (play(&mut host), host.boots(), json!({})),
                        Err(unmet) => (Err(unmet), 0, json!({})),
                    }
                }
            };
            let seconds = began.elapsed().as_secs_f64();
            summary.push(match &outcome {
                Ok(()) => format!("{}: ok, {seconds:.0} s", scenario.name),
                Err(unmet) if unmet.not_run => format!("{}: NOT RUN", scenario.name),
                Err(_) => format!("{}: FAILED, {seconds:.0} s", scenario.name),
            });
            match outcome {
                Ok(()) => report(args, scenario, round, Told::Ok { boots, counts, seconds }),
                Err(unmet) if unmet.not_run => {
                    // Whoever names a scenario wants it played.
                    failed += usize::from(!args.scenarios.is_empty());
                    report(args, scenario, round, Told::NotRun(&unmet.to_string()));
                }
                Err(unmet) => {
                    failed += 1;
                    let kept = logs.join(scenario.name);
                    keep(&dir, &kept)?;
                    report(args, scenario, round, Told::Failed { unmet: &unmet, logs: &kept, seconds });
                }
            }
            if dir.exists() {
                std::fs::remove_dir_all(&dir)?;
            }
        }
    }
    std::fs::remove_dir_all(&work)?;
    if !args.json {
        println!("{}", summary.join("\n"));
    }
    Ok(failed == 0)
}

/// Fetches what the VM is made with beside Debian's packages, and builds the boot program.
pub(crate) fn fetch() -> Result<(), Box<dyn Error>> {
    let cache = home().join("kernel");
    if Kernel::fetch(&cache).is_err() {
        // Apt may know of no package at all, or of one that is gone.
        needs::renew_lists()?;
        Kernel::fetch(&cache)?;
    }
    boot_program().map(drop)
}

/// What became of a scenario.
enum Told<'a> {
    Ok { boots: usize, counts: Value, seconds: f64 },
    Failed { unmet: &'a Unmet, logs: &'a Path, seconds: f64 },
    NotRun(&'a str),
}

fn report(args: &Args, scenario: &Scenario, round: u32, told: Told<'_>) {
    let name = scenario.name;
    match (args.json, told) {
        (true, Told::Ok { boots, counts, seconds }) => {
            println!(
                "{}",
                json!({"scenario": name, "round": round, "outcome": "ok", "boots": boots, "counts": counts, "seconds": seconds})
            );
        }
        (true, Told::Failed { unmet, logs, seconds }) => {
            println!(
                "{}",
                json!({"scenario": name, "round": round, "outcome": "failed", "unmet": unmet.to_string(), "logs": logs, "seconds": seconds})
            );
        }
        (true, Told::NotRun(why)) => {
            println!("{}", json!({"scenario": name, "round": round, "outcome": "not run", "why": why}))
        }
        (false, Told::Ok { boots, seconds, .. }) => println!("{name} is ok: {boots} boots, {seconds:.0} s\n"),
        (false, Told::Failed { unmet, logs, seconds }) => {
            println!(
                "  NOT SHOWN: {unmet}\n{name} FAILED after {seconds:.0} s; the logs are in {}\n",
                logs.display()
            );
        }
        (false, Told::NotRun(why)) => println!("{name}: NOT RUN: {why}\n"),
    }
}

/// Builds the boot program: with the target that rustup has, or with Debian's compiler where it has none.
fn boot_program() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let build = |toolchain: &str| {
        let mut call = std::process::Command::new(&own);
        call.args(["bootpick", "--toolchain", toolchain]).stdout(std::process::Stdio::null()).status()
    };
    if !build("rustup")?.success() && !build("debian")?.success() {
        return Err("build the boot program: \"cargo xtask bootpick\" says why not".into());
    }
    Ok(workspace().join("target/bootpick/BOOTX64.EFI"))
}

/// The scenarios that were named, or all.
fn choose(args: &Args) -> Result<Vec<&'static Scenario>, String> {
    if args.scenarios.is_empty() {
        let of_ci = |scenario: &&Scenario| args.ci.is_none_or(|kind| scenario.ci && scenario.kind() == kind);
        return Ok(SCENARIOS.iter().filter(of_ci).collect());
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
fn keep(from: &Path, to: &Path) -> std::io::Result<()> {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to)?;
    // What failed may have come to nothing before.
    if !from.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let said = path.extension().is_some_and(|kind| kind == "serial" || kind == "qemu" || kind == "log");
        if let (true, Some(name)) = (said, path.file_name()) {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
