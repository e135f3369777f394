//! Every history of commands, boots, failed boots, resets and power cuts, from a factory disk on.
//!
//! The machine is either off, with some bits in its table, or running one of the sets. A command is atomic here: that a
//! power cut in the middle leaves the old bits or the new ones is what the module `torn` shows. A proven set does not
//! fail to boot (its content is never written to before it is cleared); an unproven one may.

use std::collections::{BTreeMap, VecDeque};

use signpost::pick::{next, spend_try};
use signpost::transition::{self, Refusal};
use signpost::{BootBits, Command, SetName, State};

use crate::disks::PROVEN;

/// Where a machine can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Machine {
    /// Without power, or between a reset and the boot program.
    Off { a: BootBits, b: BootBits, ever: bool },
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

/// Everything that was reached: how, and from where.
pub(crate) struct Search {
    came_from: BTreeMap<Machine, Option<(Machine, Event)>>,
    transitions: usize,
    bricks: Vec<Machine>,
}

impl Search {
    /// Follows every event from a factory disk until nothing new is reached. `tries` are the numbers of tries that an
    /// upgrade may ask for beside the one.
    pub(crate) fn from_factory(rule: Rule, tries: &[u8]) -> Self {
        let factory = Machine::Off { a: PROVEN, b: BootBits::CLEAR, ever: false };
        let mut search =
            Self { came_from: BTreeMap::from([(factory, None)]), transitions: 0, bricks: Vec::new() };
        let mut open = VecDeque::from([factory]);
        while let Some(machine) = open.pop_front() {
            let followers = followers(machine, rule, tries);
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

fn off(state: &State) -> Machine {
    Machine::Off { a: state.a, b: state.b.unwrap(), ever: state.boot_has_ever_succeeded }
}

fn followers(machine: Machine, rule: Rule, tries: &[u8]) -> Vec<(Event, Machine)> {
    match machine {
        Machine::Off { a, b, ever } => {
            let Some(active) = next(a, Some(b)) else { return Vec::new() };
            let state = State { active, a, b: Some(b), boot_has_ever_succeeded: ever };
            let started = state.with_active(spend_try(state.active_bits()));
            let mut followers = vec![(Event::Boots, Machine::Running(started))];
            if !started.active_bits().successful {
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
    let search = Search::from_factory(transition::apply, &[2, 3]);
    println!(
        "with the guard: {} states, {} transitions, 0 dead ends",
        search.came_from.len(),
        search.transitions
    );
    assert_eq!(search.bricks, [], "dead ends");
    assert!(search.running().count() > 10, "the search has looked at the life of an update");
    for state in search.running() {
        // Stronger than "something boots": something proven does, whatever the unproven one comes to.
        let proven = [state.a, state.b.unwrap()].into_iter().any(|bits| bits.successful && bits.would_boot());
        assert!(proven, "{state:?}");
    }
}

#[test]
fn without_the_guard_the_same_search_finds_the_brick() {
    let search = Search::from_factory(transition::apply_without_guard, &[]);
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
            let state = State { active, a, b: Some(b), boot_has_ever_succeeded: true };
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
    let search = Search::from_factory(transition::apply, &[2, 3]);
    for machine in search.came_from.keys() {
        for (event, follower) in followers(*machine, transition::apply, &[2, 3]) {
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
