//! What is left of the patience for objects that were begun and are not whole.
//!
//! Whoever asks once more for what broke off, of the same place and in the same run, goes on with the patience that the
//! last time left: else each new request for it would bring five more attempts, and a server that breaks off again and
//! again would be asked without end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use url::Url;

/// What one object has used up so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Worn {
    /// Failures in a row.
    pub(super) failures: u32,
    /// How often it began again from nothing.
    pub(super) restarts: u32,
    /// How far it came. What comes again is no progress.
    pub(super) furthest: u64,
}

/// By object, and by the end of the part that is wanted.
type Key = (Url, Option<u64>);

/// The objects of a run that are not whole.
#[derive(Debug, Default)]
pub(super) struct WornOut(Mutex<BTreeMap<Key, Worn>>);

impl WornOut {
    /// What an object has used up; it is asked for again now.
    pub(super) fn take(&self, url: &Url, end: Option<u64>) -> Worn {
        self.objects().remove(&(url.clone(), end)).unwrap_or_default()
    }

    /// Notes what an object has used up that did not come to its end.
    pub(super) fn note(&self, url: &Url, end: Option<u64>, worn: Worn) {
        if worn.failures > 0 || worn.restarts > 0 {
            self.objects().insert((url.clone(), end), worn);
        }
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Worn>> {
        self.0.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_was_given_up_goes_on_with_what_is_left_and_no_other_one_does() {
        let worn_out = WornOut::default();
        let [one, other] = ["http://h/one", "http://h/other"].map(|url| Url::parse(url).expect("an address"));
        let worn = Worn { failures: 4, restarts: 1, furthest: 700 };
        worn_out.note(&one, None, worn);
        worn_out.note(&other, None, Worn { furthest: 900, ..Worn::default() });
        assert_eq!(worn_out.take(&other, None), Worn::default(), "it never failed");
        assert_eq!(worn_out.take(&one, Some(5)), Worn::default(), "another part");
        assert_eq!(worn_out.take(&one, None), worn);
        assert_eq!(worn_out.take(&one, None), Worn::default(), "it is under way");
    }
}
