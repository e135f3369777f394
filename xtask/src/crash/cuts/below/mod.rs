//! `cargo xtask crash second-opinion`: the same promises below a real kernel's file system.
//!
//! The states that the rest of this room makes are made from a model of what a medium may keep. Here nothing is modelled
//! above the block device: a machine updates itself and goes back while every write to its disk is recorded, disks are made
//! of the record as a power cut could have left them, and the kernel mounts what they hold, journal and all. The same judge
//! looks at them, and some are started in the machine.
//!
//! - [`point`]: which moments of the record, and what was kept by then; [`replay`]: going through it
//! - [`raw`]: a disk as bytes; [`mounted`]: what the kernel makes of its persistent partition
//! - [`milestones`]: what holds between two acts where nothing is lost
//! - [`mod@look`]: points become hosts; [`trials`]: some become machines; [`controls`]: mistakes on purpose
//! - [`inside`]: a network and mounts of our own
//! - [`told`]: the figures

mod controls;
mod inside;
mod look;
mod milestones;
mod mounted;
mod point;
mod raw;
mod replay;
mod told;
mod trials;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use testdata::FaultyServer;

use super::explore::roomy;
use super::hands::{Everywhere, Reach};
use super::table::Caught;
use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo};
use crate::crash::dice::Dice;
use crate::vm::recording::{self, Recording};
use look::{Looked, Looking};
use point::{Point, Stretch, draw, share_out};
use replay::Replay;
use told::{Figures, Seconds};
use trials::Place;

/// Arguments of `cargo xtask crash second-opinion`.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many different points of the record are looked at; each flush is one in any case
    #[arg(long, default_value_t = 600, value_name = "N")]
    points: usize,
    /// How many of them are started in the machine
    #[arg(long, default_value_t = 20, value_name = "N")]
    boots: usize,
    /// What is drawn, is drawn from this
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    rng_seed: u64,
    /// Cut what the last run has recorded, and record nothing
    #[arg(long)]
    recorded: bool,
    /// Look at this point only, as a violation names it, start it, and leave its disk
    #[arg(long, value_name = "POINT", requires = "recorded")]
    point: Option<Point>,
    /// Print one JSON object instead of lines for people
    #[arg(long)]
    json: bool,
    /// In a network and among mounts of our own already
    #[arg(long, hide = true)]
    inside: bool,
}

impl Args {
    /// Tells whoever reads along how far it is.
    fn say(&self, words: &str) {
        if !self.json {
            println!("{words}");
        }
    }
}

/// Prepares everything that needs others, and does the rest where nobody else is.
pub(crate) fn run(args: &Args) -> Outcome {
    if args.inside {
        return opinion(args);
    }
    if let Some(why) = inside::refusal() {
        match args.json {
            true => println!("{}", json!({ "outcome": "not run", "why": why })),
            false => println!("second-opinion: NOT RUN: {why}"),
        }
        // Whoever asks for it wants it.
        return Ok(false);
    }
    recording::prepare()?;
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    Ok(inside::enter(&["--inside"])?.success())
}

#[expect(clippy::disallowed_methods, reason = "how long it took is reported, never decided on")]
fn opinion(args: &Args) -> Outcome {
    inside::raise()?;
    let dir = crate::vm::home().join("second-opinion");
    let began = Instant::now();
    let recording = match args.recorded {
        true => Recording::open(&dir)?,
        false => Recording::make(&dir, !args.json)?,
    };
    let mut seconds = Seconds { recording: began.elapsed().as_secs(), ..Seconds::default() };
    let server = FaultyServer::start(recording.repository());
    let repository = server.address().port();
    inside::lead_to(repository)?;
    let replay = Replay::of(&recording)?;
    replay.accounts_for_everything()?;
    // Sockets have short paths, and many small syncs are cheap in memory, so the hosts lie elsewhere.
    let work = roomy()?;
    let began = Instant::now();
    let mut looking = Looking::new(&replay, work.path(), args.rng_seed)?;
    let place = Place { logs: dir.join("trials"), disks: work.path().to_owned(), repository };
    if let Some(point) = &args.point {
        return one(&mut looking, point, &place, &dir);
    }
    let mut dice = Dice::new(args.rng_seed);
    let mut stretches: Vec<Stretch> = replay.stretches(&mut dice);
    share_out(&mut stretches, args.points);
    let mut drawn = draw(&stretches, recording.acts.len(), args.boots, &mut dice);
    // Half of a superblock is what only the machine's own initramfs can mend there, and chance seldom leaves one.
    if let Some(one) = drawn.first_mut() {
        *one = replay.torn_superblock(&stretches)?.ok_or("find a write of a superblock in the recording")?;
    }
    let over = AtomicBool::new(false);
    let (looked, controls, tried) = std::thread::scope(|scope| {
        // The machine is one processor's work, and looking at points mostly the other one's.
        let machine = scope.spawn(|| {
            let began = Instant::now();
            let told = |point: &Point, what: &str| args.say(&format!("{point}: {what}"));
            let started = trials::start(&replay, &drawn, &place, &over, told);
            (started.map_err(|error| error.to_string()), began.elapsed().as_secs())
        });
        let looked = look(&mut looking, &stretches, args);
        seconds.looking = began.elapsed().as_secs();
        over.store(looked.is_err(), Ordering::Relaxed);
        let (started, trials) = machine.join().expect("a machine does not panic");
        seconds.trials = trials;
        let (looked, controls) = looked?;
        let tried = trials::judge(&mut looking, started?)?;
        Ok::<_, Box<dyn Error>>((looked, controls, tried))
    })?;
    let figures = Figures {
        acts: &recording.acts,
        steps: replay.records.iter().map(|record| record.steps.len()).sum(),
        stretches: stretches.len(),
        mounted: looking.mounts.count,
        mended: looking.mounts.mended,
        looked,
        controls,
        tried,
        seconds,
    };
    figures.tell(args.json);
    if let Some(first) = figures.violations().next() {
        leave(&replay, &first.state.parse()?, &dir)?;
    }
    Ok(figures.is_clean())
}

/// Looks at the points, and makes mistakes.
fn look(
    looking: &mut Looking<'_>,
    stretches: &[Stretch],
    args: &Args,
) -> Result<(Looked, Vec<Caught>), Box<dyn Error>> {
    let mut known = 0;
    let looked = looking.all(stretches, |looked| {
        let violations = &looked.found.violations;
        args.say(&format!("{} points so far, {} violations", looked.points, violations.len()));
        for new in &violations[known..] {
            args.say(&format!("  {}: {}", new.state, new.how));
        }
        known = violations.len();
    })?;
    Ok((looked, controls::make(looking)?))
}

/// Looks at one point, starts it, and leaves its disk.
fn one(looking: &mut Looking<'_>, point: &Point, place: &Place, dir: &Path) -> Outcome {
    let found = looking.only(
        std::slice::from_ref(point),
        Reach { ends: [usize::MAX; 2], everywhere: Everywhere::Nowhere, one_is_enough: false },
    )?;
    let started = trials::start(
        looking.replay,
        std::slice::from_ref(point),
        place,
        &AtomicBool::new(false),
        |point, what| println!("{point}: {what}"),
    )?;
    let tried = trials::judge(looking, started)?;
    let violations = || found.violations.iter().chain(&tried.violations);
    for violation in violations() {
        println!("  BROKEN: {}: {}", violation.invariant.words(), violation.how);
    }
    for differs in &tried.differ {
        println!("  THE MODEL IS WRONG: {differs}");
    }
    leave(looking.replay, point, dir)?;
    Ok(violations().next().is_none() && tried.differ.is_empty())
}

/// Leaves the disk of a point.
fn leave(replay: &Replay<'_>, point: &Point, dir: &Path) -> Result<(), Box<dyn Error>> {
    eprintln!("The disk of {point} is left in {}", replay.disk_of(point, dir)?.display());
    Ok(())
}
