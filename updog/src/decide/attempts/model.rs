//! Any life of one release, held against the rule in the words of its description.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::tests::{barred, fate, hour, release};
use super::{Attempts, Cause, Settled};

/// What can happen to one release.
#[derive(Debug, Clone, Copy)]
enum Step {
    Activate,
    TakeBack,
    Explained,
    PowerCut,
    SeenAgain,
    Good,
    Leave,
    Clear,
    Hours(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Activate),
        1 => Just(Step::TakeBack),
        1 => Just(Step::Explained),
        4 => Just(Step::PowerCut),
        2 => Just(Step::SeenAgain),
        1 => Just(Step::Good),
        1 => Just(Step::Leave),
        1 => Just(Step::Clear),
        4 => (0u8..30).prop_map(Step::Hours),
    ];
    proptest::collection::vec(step, 0..40)
}

/// The rule in the words of its description, over one release.
#[derive(Debug, Default)]
struct Model {
    seen: bool,
    boots_next: bool,
    cuts: usize,
    state: ModelState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum ModelState {
    #[default]
    Unmarked,
    Cut {
        hour: i64,
    },
    Held,
    Left,
}

impl Model {
    fn barred(&self, now: i64) -> Option<Option<DateTime<Utc>>> {
        match self.state {
            ModelState::Unmarked => None,
            ModelState::Held | ModelState::Left => Some(None),
            ModelState::Cut { hour: at } => match [1, 6, 24].get(self.cuts - 1) {
                None => Some(None),
                Some(wait) if now < at + wait => Some(Some(hour(at + wait))),
                Some(_) => None,
            },
        }
    }

    /// A boot that was awaited, or that nobody announced, ended without the release running.
    fn counts(&mut self) -> bool {
        let counts = self.boots_next || !self.seen;
        (self.boots_next, self.seen) = (false, true);
        counts
    }
}

proptest! {
    #[test]
    fn any_life_of_a_release_is_judged_as_the_model_says(steps in steps()) {
        let (it, other) = (release("1.1.0", '1'), release("1.2.0", '2'));
        let mut attempts = Attempts::default();
        let mut model = Model::default();
        let mut now = 0;
        for step in steps {
            attempts = match step {
                Step::Activate => {
                    (model.boots_next, model.seen) = (true, true);
                    attempts.activated(&it, vec!["dump".to_owned()], hour(now))
                }
                Step::TakeBack => {
                    model.boots_next = false;
                    attempts.settled(&it, Settled::TakenBack)
                }
                Step::Explained => {
                    if model.counts() {
                        model.state = ModelState::Held;
                    }
                    attempts.failed(&it, &fate(Cause::Failed), hour(now))
                }
                Step::PowerCut => {
                    if model.counts() {
                        model.cuts += 1;
                        model.state = ModelState::Cut { hour: now };
                    }
                    attempts.failed(&it, &fate(Cause::Unexplained), hour(now))
                }
                Step::SeenAgain => {
                    if model.seen && !model.boots_next {
                        let again = attempts.clone().failed(&it, &fate(Cause::Failed), hour(now));
                        prop_assert_eq!(&again, &attempts);
                    }
                    attempts
                }
                Step::Good => {
                    model = Model::default();
                    attempts.settled(&it, Settled::Good)
                }
                Step::Leave => {
                    model = Model { state: ModelState::Left, seen: true, ..Model::default() };
                    attempts.left(&it, hour(now))
                }
                Step::Clear => {
                    model = Model { seen: model.seen, boots_next: model.boots_next, ..Model::default() };
                    attempts.cleared()
                }
                Step::Hours(hours) => {
                    now += i64::from(hours);
                    attempts
                }
            };
            attempts = attempts.settled(&other, Settled::Good);
            prop_assert_eq!(barred(&attempts, "1.1.0", hour(now)), model.barred(now), "{:?} at {}", step, now);
            let stored = serde_json::to_vec(&attempts).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Attempts>(&stored).unwrap(), &attempts);
        }
    }
}
