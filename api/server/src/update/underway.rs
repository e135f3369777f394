//! Something that takes its time, one at a time, which is followed by its number.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Why it came to nothing, in the words of `updog`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The word for programs.
    pub code: String,
    /// The sentence for people.
    pub reason: String,
    /// The next step.
    pub help: Option<String>,
}

/// How one went, once it has ended.
pub type End = Option<Result<(), Said>>;

/// The one that runs, or ran last.
#[derive(Debug, Default)]
pub struct Underway(Mutex<Option<(u64, watch::Receiver<End>)>>);

/// One that runs.
#[derive(Debug)]
pub struct Begun {
    /// Its number.
    pub number: u64,
    /// Its end, when it comes.
    pub end: watch::Receiver<End>,
    /// For whoever is to run it; `None` where it ran already.
    pub told: Option<watch::Sender<End>>,
}

impl Underway {
    /// The one that runs, or a new one.
    #[must_use]
    pub fn begin(&self) -> Begun {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose teller is gone ended in a way that nobody saw.
        let runs = |end: &watch::Receiver<End>| end.borrow().is_none() && end.has_changed().is_ok();
        if let Some((number, end)) = known.as_ref().filter(|(_, end)| runs(end)) {
            return Begun { number: *number, end: end.clone(), told: None };
        }
        let (told, end) = watch::channel(None);
        let number = known.as_ref().map_or(0, |(number, _)| *number) + 1;
        *known = Some((number, end.clone()));
        Begun { number, end, told: Some(told) }
    }

    /// The end of the one of this number; `None` where that is not known any more.
    #[must_use]
    pub fn of(&self, number: u64) -> Option<watch::Receiver<End>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(known, _)| *known == number).map(|(_, end)| end.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_at_a_time_and_how_it_went_is_told_again_and_again() {
        let underway = Underway::default();
        assert!(underway.of(1).is_none());
        let first = underway.begin();
        let second = underway.begin();
        assert_eq!((first.number, second.number), (1, 1));
        assert!(second.told.is_none(), "it runs already");
        let said = Said { code: "not_in_turn".to_owned(), reason: "full".to_owned(), help: None };
        first.told.unwrap().send_replace(Some(Err(said.clone())));
        for _ in 0..2 {
            assert_eq!(*underway.of(1).unwrap().borrow(), Some(Err(said.clone())));
        }
        let third = underway.begin();
        assert!(third.number == 2 && third.told.is_some() && underway.of(1).is_none());
        // Whoever ran it is gone without a word.
        drop(third.told);
        assert_eq!(underway.begin().number, 3);
    }
}
