//! From the stories to the figures.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use testdata::World;

use super::cases::{Making, Tables, cases};
use super::controls::CONTROLS;
use super::hands::{BACK, Reach, Shared, end_of};
use super::judge::{Expected, Invariant, Shapes};
use super::live::{Bench, State};
use super::published::Published;
use super::stage::{self, Played};
use super::story::{STORIES, Story};
use super::table::{Caught, Figures, Violation};
use super::tree::Hash;
use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo};

/// How many states become hosts at the same time.
const HANDS: usize = 2;

/// So many ways to go on are gone to their end for a mistake.
const CONTROL_ENDS: usize = 12;

/// How far a run goes.
#[derive(Debug, Clone)]
pub(crate) struct Extents {
    /// Subsets that are drawn of an epoch which is too large for all of them.
    pub(crate) drawn: usize,
    /// So many different ways to go on from a state are gone to their end, in each story.
    pub(crate) ends: usize,
    pub(crate) rng_seed: u64,
    /// Only stories whose name begins so.
    pub(crate) story: Option<String>,
    /// Only this state, whose host is then left.
    pub(crate) state: Option<String>,
    pub(crate) json: bool,
}

/// Builds the programs, plays the stories, and tells what was found.
pub(crate) fn run(extents: &Extents) -> Outcome {
    let status = cargo().args(BUILD_PROGRAMS).status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    let mut seen = HashSet::new();
    let (mut all, mut unplayed) = (Vec::new(), 0);
    let of_state = extents.state.as_ref().and_then(|state| state.split(':').next());
    let wanted = |story: &&Story| match (of_state, &extents.story) {
        (Some(name), _) => story.name == name,
        (None, Some(name)) => story.name.starts_with(name.as_str()),
        (None, None) => true,
    };
    for story in STORIES.iter().filter(wanted) {
        // Fixtures panic with what went wrong. Then this story is told not to have been played, and the others are.
        let played = catch_unwind(AssertUnwindSafe(|| explore(story, extents, &mut seen)));
        let figures = match played {
            Ok(Ok(figures)) => figures,
            Ok(Err(error)) => {
                eprintln!("{} was not played to its end: {error}", story.name);
                unplayed += 1;
                continue;
            }
            Err(_panicked) => {
                eprintln!("{} was not played to its end: see the panic above", story.name);
                unplayed += 1;
                continue;
            }
        };
        if extents.json {
            println!("{}", figures.json());
        } else {
            println!("{}", figures.row());
            for violation in figures.first_violations() {
                println!("{violation}");
            }
            for control in &figures.controls {
                println!("{control}");
            }
        }
        all.push(figures);
    }
    let violations: usize = all.iter().map(|figures| figures.violations.len()).sum();
    if !extents.json {
        let controls = || all.iter().flat_map(|figures| &figures.controls);
        println!(
            "{} distinct states, {violations} violations, {unplayed} stories not played; {} of {} mistakes made on purpose were caught",
            seen.len(),
            controls().filter(|control| control.by.is_some()).count(),
            controls().count()
        );
        for invariant in Invariant::ALL {
            let (checks, broken) = all.iter().fold((0, 0), |(checks, broken), figures| {
                (checks + figures.checks(invariant), broken + figures.broken(invariant))
            });
            println!("{:<48} {checks:>8} checks {broken:>4} broken", invariant.words());
        }
    }
    let mut controls = all.iter().flat_map(|figures| &figures.controls);
    Ok(unplayed == 0 && violations == 0 && controls.all(|control| control.by.is_some()))
}

#[expect(clippy::disallowed_methods, reason = "how long it took is reported, never decided on")]
fn explore(story: &Story, extents: &Extents, seen: &mut HashSet<Hash>) -> Result<Figures, Box<dyn Error>> {
    let began = Instant::now();
    let work = roomy()?;
    let world = World::new();
    let played = Played::play(story, &world, &work.path().join("record"))?;
    let published = stage::published(story, &world)?;
    let benches = (0..HANDS).map(|hand| Bench::new(&work.path().join(hand.to_string()), &played.off));
    let mut benches = benches.collect::<Result<Vec<_>, _>>()?;
    let shapes = Shapes::default();
    let expected = expect(story, &played, &published, &shapes, &mut benches[0])?;
    let making = Making {
        story: story.name,
        base: &played.base,
        published: &published,
        drawn: extents.drawn,
        rng_seed: extents.rng_seed,
    };
    let mut known = HashMap::new();
    let mut cases = cases(&making, &played.read, &mut Tables { bench: &mut benches[0], known: &mut known })?;
    if let Some(state) = &extents.state {
        cases.all.retain(|case| case.place == *state);
    }
    eprintln!("{}: {} states in {} cuts", story.name, cases.all.len(), cases.cuts);
    let reach = Reach { ends: extents.ends, one_is_enough: false };
    let shared = Shared::new(story.again, &expected, &published, &shapes, reach);
    let found = shared.work(&cases.all, &mut benches, extents.rng_seed)?;
    if extents.state.is_some() {
        let case = cases.all.first().ok_or("no state of it has this name")?;
        benches[0].lay_out(&case.state.disk, &case.state.tree)?;
        println!("The state is left in {}/0/h", work.keep().display());
        return Ok(Figures {
            name: story.name.to_owned(),
            violations: found.violations,
            ..Figures::default()
        });
    }
    let right: HashSet<Hash> = cases.all.iter().map(|case| case.state.hash).collect();
    let mut controls = Vec::new();
    for control in CONTROLS.iter().filter(|control| control.story == story.name) {
        let wrong = control.mistake.made(&played.read);
        let mut made =
            self::cases(&making, &wrong, &mut Tables { bench: &mut benches[0], known: &mut known })?;
        made.all.retain(|case| !right.contains(&case.state.hash));
        let reach = Reach { ends: CONTROL_ENDS, one_is_enough: true };
        let shared = Shared::new(story.again, &expected, &published, &shapes, reach);
        let caught = shared.work(&made.all, &mut benches, extents.rng_seed)?.violations;
        let images = made.broken.into_iter().map(|(_, one)| one.invariant);
        let by = caught.into_iter().map(|one| one.invariant).chain(images).next();
        controls.push(Caught { name: control.name, states: made.all.len(), by });
    }
    let mut violations = found.violations;
    violations.extend(cases.broken.into_iter().map(|(state, one)| Violation {
        invariant: one.invariant,
        state,
        how: one.how,
    }));
    Ok(Figures {
        name: story.name.to_owned(),
        cuts: cases.cuts,
        distinct: cases.all.iter().filter(|case| seen.insert(case.state.hash)).count(),
        epochs: cases.epochs,
        whole_epochs: cases.whole_epochs,
        syncs: cases.syncs.len(),
        images: cases.images,
        runs: found.runs,
        proven: found.proven,
        checks: found.checks,
        violations,
        controls,
        millis: began.elapsed().as_millis(),
    })
}

/// What the story comes to where nothing is cut, seen from the end of each of its acts.
fn expect(
    story: &Story,
    played: &Played,
    published: &Published,
    shapes: &Shapes,
    bench: &mut Bench,
) -> Result<Expected, Box<dyn Error>> {
    let mut settings = Vec::new();
    let mut end = None;
    for step in std::iter::once(0).chain(played.milestones.iter().copied()) {
        let medium = played.at(step);
        let state = State::new(medium.tree(&played.read.kinds), medium.disk, published);
        let (.., came) = bench.go_on(&state, story.again, published)?;
        let (.., back) = bench.go_on(&state, BACK, published)?;
        let seen = &came.seen;
        let uncut =
            [(&seen.booted, &seen.settings), (&came.booted, &came.settings), (&back.booted, &back.settings)];
        for (booted, found) in uncut {
            let version =
                booted.version.clone().ok_or_else(|| format!("nothing boots: {:?}", booted.failed))?;
            if found["motd"] != "kept" {
                return Err(format!("{version} runs without the setting of its person: {found}").into());
            }
            if !settings.contains(&(version.clone(), found.clone())) {
                settings.push((version, found.clone()));
            }
        }
        end = Some(end_of(&state, &came, shapes));
    }
    let (trust, promises) = (played.trust(), played.promises());
    Ok(Expected { settings, trust, promises, end: end.ok_or("a story has acts")? })
}

/// A directory in memory where there is one: what thousands of hosts write is nobody's.
fn roomy() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}
