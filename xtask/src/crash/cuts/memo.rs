//! Sharing verdicts: programs that are answered the same at every place where they look do the same. So a state is run
//! only when some place that an earlier run looked at holds something else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use host_io::explore::record::Look;

use super::live::{Looks, State};
use super::tree::{Answers, Hash, hash};

/// What came of states, by what was looked at and by what was seen there.
pub(super) struct Memo<T> {
    groups: Vec<Group<T>>,
    /// Every place that some run looked at, each once.
    places: BTreeMap<(Look, String), usize>,
    order: Vec<(Look, String)>,
}

struct Group<T> {
    places: Vec<usize>,
    known: HashMap<Hash, Arc<T>>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { groups: Vec::new(), places: BTreeMap::new(), order: Vec::new() }
    }
}

impl<T> Memo<T> {
    /// What came of a state in which programs saw what they would see in this one.
    pub(super) fn find(&self, state: &State) -> Option<Arc<T>> {
        let mut answers = self.answers(state);
        self.groups.iter().find_map(|group| group.known.get(&self.seen(group, state, &mut answers)).cloned())
    }

    /// What tells the run that a state shares from all other runs; `None` where none is known.
    pub(super) fn key(&self, state: &State) -> Option<Hash> {
        let mut answers = self.answers(state);
        let mut seen = self.groups.iter().map(|group| (group, self.seen(group, state, &mut answers)));
        seen.find(|(group, seen)| group.known.contains_key(seen)).map(|(_, seen)| seen)
    }

    /// Keeps what came of a state.
    pub(super) fn keep(&mut self, state: &State, looks: Looks, came: T) -> Arc<T> {
        let came = Arc::new(came);
        let places: Vec<usize> = looks.into_iter().map(|look| self.place(look)).collect();
        let group = match self.groups.iter().position(|group| group.places == places) {
            Some(group) => group,
            None => {
                self.groups.push(Group { places, known: HashMap::new() });
                self.groups.len() - 1
            }
        };
        let hash = self.seen(&self.groups[group], state, &mut self.answers(state));
        self.groups[group].known.insert(hash, Arc::clone(&came));
        came
    }

    /// How many different runs are known.
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.known.len()).sum()
    }

    fn place(&mut self, look: (Look, String)) -> usize {
        let next = self.order.len();
        let place = *self.places.entry(look.clone()).or_insert(next);
        if place == next {
            self.order.push(look);
        }
        place
    }

    /// Nothing of a state that was looked up yet.
    fn answers<'a>(&'a self, state: &'a State) -> Answered<'a> {
        Answered { from: Answers::from(&state.tree), known: vec![None; self.order.len()] }
    }

    /// What a state shows at the places of a group. An answer is looked up once, however many groups ask for it.
    fn seen<'a>(&'a self, group: &Group<T>, state: &State, answers: &mut Answered<'a>) -> Hash {
        let mut seen = Vec::with_capacity((1 + group.places.len()) * size_of::<Hash>());
        seen.extend(state.found.to_le_bytes());
        for &place in &group.places {
            let Answered { from, known } = answers;
            let (what, path) = &self.order[place];
            let answer = *known[place].get_or_insert_with(|| from.of(*what, path));
            seen.extend(answer.to_le_bytes());
        }
        hash(&seen)
    }
}

/// Answers from a state, each once.
struct Answered<'a> {
    from: Answers<'a>,
    known: Vec<Option<Hash>>,
}
