//! Delegated roles in the memory: each one that was needed is kept beside the roles that every repository has, so that an
//! unchanged repository is not asked for it again.
//!
//! Keeping them is a convenience. What counts of a delegated role stands in the snapshot, which is remembered before any
//! of them is asked for; so a disk that refuses is told, and is no error.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use host_io::Fs;
use host_io::report::chain;
use tracing::warn;

use super::store::{Found, Remembered, Store};
use crate::metadata::file_name::{TOP_LEVEL, split_version};

/// So many delegated roles are kept at most: as many as two searches may visit.
const MOST_ROLES: usize = 64;
/// So many bytes of them.
const MOST_BYTES: usize = 16 << 20;

/// The memory of one opening, after it was brought up to date.
pub(crate) struct Memory {
    fs: Arc<dyn Fs>,
    store: Store,
    before: Option<Found>,
    remembered: Mutex<Remembered>,
}

impl Memory {
    pub(crate) fn new(fs: Arc<dyn Fs>, store: Store, before: Option<Found>, remembered: Remembered) -> Self {
        Self { fs, store, before, remembered: Mutex::new(remembered) }
    }

    /// What is kept under the plain name of a role's file.
    pub(crate) fn kept(&self, plain: &str) -> Option<Bytes> {
        self.remembered.lock().expect("no panic while held").roles.get(plain).cloned()
    }

    /// Keeps what was verified. `needed` are the plain names of all files that this opening needed: others go first where
    /// there is no room for all of them.
    pub(crate) fn keep(&self, verified: Vec<(String, Bytes)>, needed: &BTreeSet<String>) {
        let mut remembered = self.remembered.lock().expect("no panic while held");
        let mut next = remembered.clone();
        next.roles.extend(verified.into_iter().filter(|(plain, _)| is_keepable(plain)));
        bound(&mut next, needed);
        if next == *remembered {
            return;
        }
        match self.store.commit(&*self.fs, self.before.as_ref(), next.clone()) {
            Ok(()) => *remembered = next,
            Err(error) => warn!("delegated roles will be fetched again: failed to {}", chain(&error)),
        }
    }
}

/// Forgets delegated roles until the rest is within bounds.
fn bound(remembered: &mut Remembered, needed: &BTreeSet<String>) {
    let delegated = |plain: &&String| is_keepable(plain);
    let (mut old, new): (Vec<String>, Vec<String>) =
        remembered.roles.keys().filter(delegated).cloned().partition(|plain| !needed.contains(plain));
    old.extend(new);
    let bytes = |plain: &String| remembered.roles[plain].len();
    let (mut count, mut total) = (old.len(), old.iter().map(bytes).sum::<usize>());
    for plain in old {
        if count <= MOST_ROLES && total <= MOST_BYTES {
            return;
        }
        let gone = remembered.roles.remove(&plain).map_or(0, |bytes| bytes.len());
        (count, total) = (count - 1, total - gone);
    }
}

/// Whether a delegated role's file can stand in the memory beside the others. One that cannot is fetched every time.
fn is_keepable(plain: &str) -> bool {
    let role = plain.trim_end_matches(".json");
    !TOP_LEVEL.contains(&role) && role != "memory" && split_version(plain).is_none() && plain.len() <= 200
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(delegated: usize, length: usize) -> Remembered {
        let role = |plain: String| (plain, Bytes::from(vec![b'x'; length]));
        let names = (0..delegated).map(|number| format!("team-{number:03}.json"));
        let roles = names.chain(["targets.json".to_owned(), "timestamp.json".to_owned()]).map(role);
        Remembered { roles: roles.collect(), ..Remembered::default() }
    }

    #[test]
    fn what_is_needed_now_stays_longest_and_the_top_level_always() {
        for (delegated, length, left) in [(64, 1, 64), (65, 1, 64), (9_000, 1, 64), (20, 1 << 20, 16)] {
            let mut remembered = remembered(delegated, length);
            let needed = BTreeSet::from([format!("team-{:03}.json", 0)]);
            bound(&mut remembered, &needed);
            assert_eq!(remembered.roles.len(), left + 2, "{delegated} roles of {length} bytes");
            for stays in ["targets.json", "timestamp.json", "team-000.json"] {
                assert!(remembered.roles.contains_key(stays), "{stays}");
            }
        }
    }

    #[test]
    fn a_role_with_the_name_of_another_file_is_not_kept() {
        for plain in ["root.json", "memory.json", "targets.json", "5.root.json", "5.x.json"] {
            assert!(!is_keepable(plain), "{plain}");
        }
        assert!(!is_keepable(&format!("{}.json", "x".repeat(200))));
        assert!(is_keepable("team-a.json") && is_keepable("..%2Fx.json"));
    }
}
