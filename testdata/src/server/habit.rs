//! What a server is like altogether, beside what goes wrong now and then.

/// A way to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Habit {
    /// Says nothing that an object could be recognised by: neither `ETag` nor `Last-Modified`.
    NoValidators,
    /// Says something else of the same object each time, as servers behind one address do that have each their own copy.
    NewValidators,
    /// Knows whole objects only.
    NoRanges,
}

/// The habits in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Habits {
    all: Vec<Habit>,
    answers: u64,
}

impl Habits {
    pub(super) fn add(&mut self, habit: Habit) {
        self.all.push(habit);
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// The habits as they are for one answer.
    pub(super) fn next_answer(&mut self) -> Self {
        self.answers += 1;
        self.clone()
    }

    /// What is said of an object that `validator` tells from others.
    pub(super) fn validator(&self, validator: &str) -> Option<String> {
        if self.all.contains(&Habit::NoValidators) {
            None
        } else if self.all.contains(&Habit::NewValidators) {
            Some(format!("\"{}-{}\"", self.answers, validator.trim_matches('"')))
        } else {
            Some(validator.to_owned())
        }
    }

    pub(super) fn ranges(&self) -> bool {
        !self.all.contains(&Habit::NoRanges)
    }
}
