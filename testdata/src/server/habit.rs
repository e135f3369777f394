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
    /// Says of no body how long it is, but sends it in chunks.
    Chunked,
    /// Says of no part how long the whole is.
    NoTotal,
    /// Begins each part so many bytes early, and says so, as a cache of whole blocks does.
    Early(u64),
    /// Says of each part that the whole is longer by this.
    LongerTotal(u64),
    /// Sends every body with this content encoding, or at least says so.
    Encoded(&'static str),
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

    pub(super) fn chunked(&self) -> bool {
        self.all.contains(&Habit::Chunked)
    }

    /// How many bytes early a part begins.
    pub(super) fn early(&self) -> u64 {
        let early = |habit: &Habit| if let Habit::Early(bytes) = habit { Some(*bytes) } else { None };
        self.all.iter().find_map(early).unwrap_or_default()
    }

    /// What is said of the length of the whole, of which a part is sent.
    pub(super) fn total(&self, len: u64) -> String {
        let longer = |habit: &Habit| if let Habit::LongerTotal(bytes) = habit { Some(*bytes) } else { None };
        if self.all.contains(&Habit::NoTotal) {
            return "*".to_owned();
        }
        (len + self.all.iter().find_map(longer).unwrap_or_default()).to_string()
    }

    /// The encoding of every body.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        self.all
            .iter()
            .find_map(|habit| if let Habit::Encoded(encoding) = habit { Some(*encoding) } else { None })
    }
}
