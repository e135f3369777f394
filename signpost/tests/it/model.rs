//! Every history of commands, boots, failed boots, resets and power cuts, from a factory disk on.
//!
//! The machine is either off, with some bits in its table, or running one of the sets. A command is atomic here: that a
//! power cut in the middle leaves the old bits or the new ones is what the module `torn` shows. A proven set comes up in
//! the end (its content is never written to before it is cleared); an unproven one may never do so.
//!
//! Two boot programs are played. One spends tries and knows nothing else, as GRUB. The other counts the starts of proven
//! sets, and each of its starts may end in a reset before the root was reached.

use std::collections::{BTreeMap, VecDeque};

use signpost::pick::{next_counting, spend_try, started};
use signpost::transition::{self, Refusal};
use signpost::{Attempts, BootBits, Command, SetName, State};

use crate::disks::PROVEN;

/// Where a machine can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Machine {
    /// Without power, or between a reset and the boot program.
    Off { a: BootBits, b: BootBits, attempts: [Attempts; 2], ever: bool },
    /// Running a set.
    Running(State),
}

/// What can happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The boot program picks a set, which comes up.
    Boots,
    /// The boot program picks a set, which does not come up and resets.
    FailsToBoot,
    /// A command runs.
    Runs(Command),
    /// The upgrade is asked for with more than one try.
    UpgradesWithTries(u8),
    /// A command runs, and the power fails before or after its effect.
    CutDuring(Command, Effect),
    /// The machine is reset, or its power fails.
    Resets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    Lost,
    Kept,
}

/// How a command changes bits: the product's way, or the one without guard.
type Rule = fn(&State, Command) -> Result<State, Refusal>;

/// What the boot program does at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootProgram {
    /// It spends a try where there is one.
    SpendsTries,
    /// It counts the starts of proven sets, and leaves one that never reaches its root.
    Counts,
}

/// Everything that was reached: how, and from where.
pub(crate) struct Search {
    came_from: BTreeMap<Machine, Option<(Machine, Event)>>,
    transitions: usize,
    bricks: Vec<Machine>,
}

impl Search {
    /// Follows every event from a factory disk until nothing new is reached. `tries` are the numbers of tries that an
    /// upgrade may ask for beside the one.
    pub(crate) fn from_factory(rule: Rule, tries: &[u8], program: BootProgram) -> Self {
        let attempts = [Attempts::NONE; 2];
        let factory = Machine::Off { a: PROVEN, b: BootBits::CLEAR, attempts, ever: false };
        let mut search =
            Self { came_from: BTreeMap::from([(factory, None)]), transitions: 0, bricks: Vec::new() };
        let mut open = VecDeque::from([factory]);
        while let Some(machine) = open.pop_front() {
            let followers = followers(machine, rule, tries, program);
            if followers.is_empty() {
                search.bricks.push(machine);
            }
            search.transitions += followers.len();
            for (event, follower) in followers {
                search.came_from.entry(follower).or_insert_with(|| {
                    open.push_back(follower);
                    Some((machine, event))
                });
            }
        }
        search
    }

    /// All states in which a set is running.
    pub(crate) fn running(&self) -> impl Iterator<Item = State> + '_ {
        self.came_from.keys().filter_map(|machine| match machine {
            Machine::Running(state) => Some(*state),
            Machine::Off { .. } => None,
        })
    }

    /// A shortest way from the factory to `machine`.
    fn history(&self, machine: Machine) -> Vec<Event> {
        let mut events = Vec::new();
        let mut at = machine;
        while let Some((before, event)) = self.came_from[&at] {
            events.push(event);
            at = before;
        }
        events.reverse();
        events
    }
}

/// A state of two sets that were never counted.
pub(crate) fn state_of(active: SetName, a: BootBits, b: BootBits, ever: bool) -> State {
    let none = Attempts::NONE;
    State { active, a, b: Some(b), attempts_a: none, attempts_b: none, boot_has_ever_succeeded: ever }
}

fn off(state: &State) -> Machine {
    let attempts = [state.attempts_a, state.attempts_b];
    Machine::Off { a: state.a, b: state.b.unwrap(), attempts, ever: state.boot_has_ever_succeeded }
}

fn followers(machine: Machine, rule: Rule, tries: &[u8], program: BootProgram) -> Vec<(Event, Machine)> {
    match machine {
        Machine::Off { a, b, attempts: [attempts_a, attempts_b], ever } => {
            let Some(active) = next_counting((a, attempts_a), Some((b, attempts_b))) else {
                return Vec::new();
            };
            let found =
                State { active, a, b: Some(b), attempts_a, attempts_b, boot_has_ever_succeeded: ever };
            let bits = found.active_bits();
            let started = match program {
                BootProgram::SpendsTries => found.with_active(spend_try(bits)),
                BootProgram::Counts => {
                    let (bits, attempts) = started(bits, found.attempts(active));
                    found.with_active(bits).with_active_attempts(attempts)
                }
            };
            let mut followers = vec![(Event::Boots, Machine::Running(started))];
            // A proven set that does not come up at once leaves a trace only where it is counted.
            if !bits.successful || program == BootProgram::Counts {
                followers.push((Event::FailsToBoot, off(&started)));
            }
            followers
        }
        Machine::Running(state) => {
            let mut followers = vec![(Event::Resets, off(&state))];
            for command in Command::ALL {
                if let Ok(after) = rule(&state, command) {
                    followers.push((Event::Runs(command), Machine::Running(after)));
                    followers.push((Event::CutDuring(command, Effect::Lost), off(&state)));
                    followers.push((Event::CutDuring(command, Effect::Kept), off(&after)));
                }
            }
            for &tries in tries {
                if let Ok(after) = transition::upgrade_with_tries(&state, tries) {
                    followers.push((Event::UpgradesWithTries(tries), Machine::Running(after)));
                }
            }
            followers
        }
    }
}

#[test]
fn no_history_ends_with_a_machine_that_does_not_boot() {
    for program in [BootProgram::SpendsTries, BootProgram::Counts] {
        let search = Search::from_factory(transition::apply, &[2, 3], program);
        println!(
            "with the guard, {program:?}: {} states, {} transitions, {} dead ends",
            search.came_from.len(),
            search.transitions,
            search.bricks.len(),
        );
        assert_eq!(search.bricks, [], "dead ends");
        assert!(search.running().count() > 10, "the search has looked at the life of an update");
        for state in search.running() {
            // Stronger than "something boots": something proven does, whatever the unproven one comes to.
            let proven =
                [state.a, state.b.unwrap()].into_iter().any(|bits| bits.successful && bits.would_boot());
            assert!(proven, "{state:?}");
        }
    }
}

/// The sets of a state that are proven and would boot.
fn fallbacks(state: &State) -> Vec<SetName> {
    let proven = |name: &SetName| state.bits(*name).is_some_and(|bits| bits.successful && bits.would_boot());
    [SetName::A, SetName::B].into_iter().filter(proven).collect()
}

#[test]
fn nothing_but_a_clear_takes_a_proven_set_away_and_a_rollback_can_be_taken_back() {
    let (mut taken_back, mut prepared) = (0, 0);
    for program in [BootProgram::SpendsTries, BootProgram::Counts] {
        for state in Search::from_factory(transition::apply, &[2, 3], program).running() {
            let before = fallbacks(&state);
            for command in Command::ALL.into_iter().filter(|command| *command != Command::ClearInactive) {
                let Ok(after) = transition::apply(&state, command) else { continue };
                let kept = fallbacks(&after);
                assert!(before.iter().all(|set| kept.contains(set)), "{command:?}: {state:?} → {after:?}");
                prepared += 1;
            }
            // The running set was marked good, the other one as well: the way back and the way back from it.
            if before.len() < 2 {
                continue;
            }
            let there = transition::apply(&state, Command::RollbackToInactive).unwrap();
            assert_eq!(there.next(), Some(state.active.other()), "{state:?}");
            let back = transition::apply(&there, Command::CancelUpgrade).unwrap();
            assert_eq!((back.next(), fallbacks(&back)), (Some(state.active), before), "{state:?}");
            taken_back += 1;
        }
    }
    assert!(taken_back > 5 && prepared > 100, "{taken_back} taken back, {prepared} commands");
}

#[test]
fn a_count_ends_with_the_boot_that_reaches_its_root_or_with_what_it_was_about() {
    let search = Search::from_factory(transition::apply, &[2, 3], BootProgram::Counts);
    let counted = search.running().filter(|state| state.attempts(state.active) == Attempts::MOST).count();
    assert!(counted > 10, "the search has counted up to the end");
    for state in search.running() {
        let other = state.active.other();
        for command in Command::ALL {
            let Ok(after) = transition::apply(&state, command) else { continue };
            let (mine, theirs) = (state.attempts(state.active), state.attempts(other));
            let expected = match command {
                Command::ReachedRoot | Command::MarkSuccessfulBoot | Command::CancelUpgrade => {
                    (Attempts::NONE, theirs)
                }
                // New content, and a set that a person asks for.
                Command::ClearInactive
                | Command::MarkInactiveValid
                | Command::UpgradeToInactive
                | Command::RollbackToInactive => (mine, Attempts::NONE),
                Command::RewriteTable => (mine, theirs),
            };
            let counts = (after.attempts(state.active), after.attempts(other));
            assert_eq!(counts, expected, "{command:?} on {state:?}");
        }
    }
}

#[test]
fn without_the_guard_the_same_search_finds_the_brick() {
    let search = Search::from_factory(transition::apply_without_guard, &[], BootProgram::SpendsTries);
    let shortest = search.bricks.iter().map(|&brick| search.history(brick)).min_by_key(Vec::len).unwrap();
    println!(
        "without the guard: {} states, {} transitions, {} dead ends; the shortest way to one: {shortest:?}",
        search.came_from.len(),
        search.transitions,
        search.bricks.len(),
    );
    let ended_by = |event: &Event| {
        matches!(
            event,
            Event::Runs(Command::ClearInactive | Command::CancelUpgrade)
                | Event::CutDuring(Command::ClearInactive | Command::CancelUpgrade, Effect::Kept)
        )
    };
    assert!(shortest.iter().any(ended_by), "{shortest:?}");
}

#[test]
fn from_no_state_at_all_does_a_command_take_away_the_last_set_that_boots() {
    let mut bits = Vec::new();
    for priority in 0..=3 {
        for tries in 0..=2 {
            for successful in [false, true] {
                bits.push(BootBits { priority, tries, successful });
            }
        }
    }
    let boots = |state: &State| state.next().is_some();
    let mut carried_out = 0;
    for (&a, &b) in bits.iter().flat_map(|a| bits.iter().map(move |b| (a, b))) {
        for active in [SetName::A, SetName::B] {
            let state = state_of(active, a, b, true);
            for command in Command::ALL {
                if let Ok(after) = transition::apply(&state, command) {
                    carried_out += 1;
                    assert!(boots(&after) || !boots(&state), "{command:?}: {state:?} → {after:?}");
                }
            }
        }
    }
    println!("{} states of any origin, {carried_out} commands carried out", bits.len() * bits.len() * 2);
    assert!(carried_out > 1000);
}

#[test]
fn every_boot_of_an_unproven_set_costs_a_try() {
    // No history can loop through failed boots: each one lowers the tries, and only a running set grants new ones.
    let program = BootProgram::SpendsTries;
    let search = Search::from_factory(transition::apply, &[2, 3], program);
    for machine in search.came_from.keys() {
        for (event, follower) in followers(*machine, transition::apply, &[2, 3], program) {
            if event == Event::FailsToBoot {
                let tries = |machine: &Machine| match machine {
                    Machine::Off { a, b, .. } => a.tries + b.tries,
                    Machine::Running(_) => unreachable!("a failed boot ends without power"),
                };
                assert!(tries(&follower) < tries(machine), "{machine:?} → {follower:?}");
            }
        }
    }
}
