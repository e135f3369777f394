//! From the stories to the figures.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use testdata::World;

use super::exploring::{Exploring, Known};
use super::extents::Extents;
use super::going::Mishap;
use super::hands::{BACK, end_of};
use super::judge::Expected;
use super::live::{Bench, State};
use super::published::Published;
use super::shapes::Shapes;
use super::stage::{self, Played};
use super::story::{STORIES, Story};
use super::table::{Figures, Sum};
use super::twice::Firsts;
use crate::Outcome;
use crate::cargo::build_programs;

/// How many states become hosts at the same time.
const HANDS: usize = 2;

/// Builds the programs, plays the stories, and tells what was found.
#[expect(clippy::disallowed_methods, reason = "how long it took is reported, never decided on")]
pub(crate) fn run(extents: &Extents) -> Outcome {
    let status = build_programs().status()?;
    if !status.success() {
        return Err(format!("build the programs: cargo ended with {status}").into());
    }
    let of_state = extents.state.as_ref().and_then(|state| state.split(':').next());
    let wanted = |story: &&Story| match (of_state, &extents.story) {
        (Some(name), _) => story.name == name,
        // Names begin alike; a whole one is just that story.
        (None, Some(name)) if STORIES.iter().any(|story| story.name == name) => story.name == name,
        (None, Some(name)) => story.name.starts_with(name.as_str()),
        (None, None) => true,
    };
    let stories: Vec<&Story> = STORIES.iter().filter(wanted).collect();
    if stories.is_empty() {
        let names: Vec<&str> = STORIES.iter().map(|story| story.name).collect();
        return Err(format!("find the story: there are {}", names.join(", ")).into());
    }
    let (at_once, began) = (HANDS.min(stories.len()), Instant::now());
    let (known, next, all) = (Known::default(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let figures = play(story, extents, HANDS / at_once, &known);
                    let mut all = all.lock().expect("nobody panics while holding it");
                    // Told one at a time: a story has several lines.
                    figures.iter().for_each(|figures| figures.tell(extents.json));
                    all.extend(figures);
                    let (done, took) = (all.len(), began.elapsed().as_secs());
                    let left = took * (stories.len() - done) as u64 / (done as u64).max(1);
                    if done < stories.len() {
                        eprintln!("{done} of {} stories in {took} s, and some {left} s more", stories.len());
                    }
                }
            });
        }
    });
    let (all, distinct) = (all.into_inner()?, known.states.into_inner()?.len());
    let unplayed = stories.len() - all.len();
    let sum = Sum::of(&all, distinct, unplayed, began.elapsed().as_millis());
    match extents.json {
        true => println!("{}", sum.json()),
        false => print!("{}", sum.rows()),
    }
    Ok(unplayed == 0 && all.iter().all(Figures::is_clean))
}

/// Plays a story and tells its figures.
fn play(story: &Story, extents: &Extents, hands: usize, known: &Known) -> Option<Figures> {
    // Fixtures panic with what went wrong. Then this story is told not to have been played, and the others are.
    let played = catch_unwind(AssertUnwindSafe(|| {
        let work = roomy()?;
        let figures = explore(story, extents, hands, known, work.path())?;
        if extents.state.is_some() {
            eprintln!("The state is left in {}/0/h", work.keep().display());
        }
        Ok::<_, Box<dyn Error>>(figures)
    }));
    match played {
        Ok(Ok(figures)) => Some(figures),
        Ok(Err(error)) => {
            eprintln!("{} was not played to its end: {error}", story.name);
            None
        }
        Err(_panicked) => {
            eprintln!("{} was not played to its end: see the panic above", story.name);
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it took is reported, never decided on")]
fn explore(
    story: &Story,
    extents: &Extents,
    hands: usize,
    known: &Known,
    work: &Path,
) -> Result<Figures, Box<dyn Error>> {
    let began = Instant::now();
    let world = World::new();
    let played = Played::play(story, &world, &work.join("record"))?;
    let published = stage::published(story, &world)?;
    let benches = (0..hands).map(|hand| Bench::new(&work.join(hand.to_string()), &played.off));
    let mut benches = benches.collect::<Result<Vec<_>, _>>()?;
    let shapes = Shapes::new(story.history);
    let expected = expect(story, &played, &published, &shapes, &mut benches[0])?;
    let mut exploring = Exploring::new(story, extents, &world, &published, &shapes, benches, known);
    if extents.mistake.is_none() {
        let mut firsts = Firsts::new(extents.depth.firsts);
        exploring.cut(&played, &expected, &mut firsts)?;
        for first in firsts.all() {
            exploring.cut_again(&first, &expected)?;
        }
        exploring.kill(&played, &expected)?;
    }
    if extents.mistakes && extents.state.is_some() == extents.mistake.is_some() {
        exploring.make_mistakes(&played, &expected)?;
    }
    if extents.syncs && extents.state.is_none() {
        exploring.forget_syncs(&played, &expected)?;
    }
    let mut figures = exploring.figures;
    if let Some(state) = &extents.state
        && figures.checks.is_empty()
        && figures.violations.is_empty()
    {
        return Err(format!("no state of it is {state}").into());
    }
    figures.millis = began.elapsed().as_millis();
    Ok(figures)
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
    let mut ends = Vec::new();
    for step in std::iter::once(0).chain(played.milestones.iter().copied()) {
        let medium = played.at(step);
        let full = played.full.iter().any(|full| full.start < step && step <= full.end);
        let state = State::new(medium.tree(&played.read.kinds), medium.disk, full, published);
        let (_, came) = bench.go_on(&state, Mishap::Nothing, story.again, published)?;
        let (_, back) = bench.go_on(&state, Mishap::Nothing, BACK, published)?;
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
        ends.push(end_of(&state, &came, shapes));
    }
    let (trust, promises) = (played.trust(), played.promises());
    Ok(Expected { waited: false, settings, trust, promises, ends })
}

/// A directory in memory where there is one: what thousands of hosts write is nobody's.
pub(super) fn roomy() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::cuts::extents::Depth;
    use crate::crash::cuts::measure::{Few, Measure};

    /// Little of everything.
    fn little() -> Extents {
        Extents {
            depth: Depth {
                measures: [Measure {
                    all: 2,
                    store: 2,
                    few: Few::None,
                    store_few: Few::None,
                    drawn: 2,
                    store_drawn: 1,
                }; 2],
                ends: 2,
                firsts: [1, 0],
                kills: [1, 1],
            },
            syncs: false,
            mistakes: false,
            rng_seed: 1,
            story: None,
            state: None,
            mistake: None,
            json: false,
        }
    }

    fn explored(name: &str, extents: &Extents) -> Result<Figures, Box<dyn Error>> {
        let story = STORIES.iter().find(|story| story.name == name).expect("a story of this name");
        explore(story, extents, HANDS, &Known::default(), roomy()?.path())
    }

    /// The two shortest stories, cut here and there, once and twice, with a program killed in the one that types something:
    /// whether the others keep their promises is what `cargo xtask crash` is run for.
    #[test]
    fn a_repair_and_a_start_keep_every_promise_when_they_are_cut_once_and_twice_and_after_a_kill() {
        for (name, kills) in [("repair", 1), ("boot-program", 0)] {
            let figures = explored(name, &little()).expect("played to its end");
            assert!(figures.distinct > 1 && figures.second_distinct > 0, "{}", figures.row());
            assert_eq!(figures.kills, kills, "{}", figures.row());
            assert!(figures.first_violations().is_empty(), "{:?}", figures.first_violations());
        }
    }

    #[test]
    fn what_a_mistake_left_is_shown_again_alone_by_its_name_and_without_the_mistake_it_is_not_left() {
        let name = "boot-program-puts-aside";
        let all = explored(name, &Extents { mistakes: true, ..little() }).expect("played to its end");
        let control = all.controls.first().expect("a mistake is made in it");
        let by = control.by.as_ref().expect("it is caught");
        let alone = Extents { mistakes: true, state: Some(by.state.clone()), ..little() };
        let again = explored(name, &Extents { mistake: Some(control.name.clone()), ..alone.clone() });
        let again = again.expect("the state is found");
        assert!(again.violations.iter().any(|one| one.invariant == by.invariant), "{:?}", again.violations);
        assert!(again.violations.iter().all(|one| one.state == by.state), "{:?}", again.violations);
        let right = explored(name, &alone).map(|figures| figures.violations.len());
        assert!(right.as_ref().map_or(true, |violations| *violations == 0), "{right:?}");
    }
}
