//! When a person insists: where the power took the first boot of a release, and an update then comes to an older one.
//!
//! Whatever else is held is for the judges: read by the fixtures from the bits and from what was noted before the cut, and
//! not believed from the programs that are under test.

use semver::Version;
use serde_json::Value;
use testdata::{BootBits, Host, Set};

use super::firmware::bootable;
use super::published::{Class, IMAGES, Published};
use super::tree::{Node, Tree};

/// Where failed boots are noted: the end of a path.
const NOTED: &str = "/record/attempts.json";

/// Releases that were started, were not proven, and had left no word before the power went away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost(Vec<Version>);

impl Lost {
    /// Those that a state tells of: a set that was started before the one that runs `at_once`, and what was noted of one that
    /// has been overwritten since. Where a set fails in this boot none runs at once: that one was not lost to a cut.
    pub(super) fn found(at_once: Option<Set>, bits: [BootBits; 2], classes: &[Class], tree: &Tree) -> Self {
        let started = |bits: BootBits| bits.priority > 0 && bits.tries == 0 && !bits.successful;
        let sets = [Set::A, Set::B].into_iter().zip(bits).zip(classes.chunks(3));
        let sets = sets.filter(|((set, bits), _)| at_once.is_some_and(|runs| runs != *set) && started(*bits));
        let mut lost: Vec<Version> = sets.filter_map(|(_, classes)| version(&classes[0])).collect();
        for (path, node) in &tree.nodes {
            if let Node::File { content, .. } = node
                && path.ends_with(NOTED)
                && let Ok(noted) = serde_json::from_slice::<Value>(&content.bytes)
            {
                let releases = noted["releases"].as_array().into_iter().flatten();
                let unexplained = releases.filter(|one| one["mark"]["cause"] == "unexplained");
                lost.extend(unexplained.filter_map(|one| one["version"].as_str()?.parse().ok()));
            }
        }
        Self(lost)
    }

    /// Whether one of them is missed by whoever wants the newest: the set that boots next is older.
    pub(super) fn is_missed(&self, host: &Host, published: &Published) -> bool {
        let next = [Set::A, Set::B].into_iter().filter(|set| bootable(host.bits(*set)));
        let Some(next) = next.max_by_key(|set| host.bits(*set).priority) else { return false };
        let place = 3 * usize::from(next == Set::B);
        self.is_newer_than(&published.class_of(place, &host.disk().read_all(&next.label(IMAGES[place].1))))
    }

    fn is_newer_than(&self, next: &Class) -> bool {
        version(next).is_some_and(|next| self.0.iter().any(|lost| *lost > next))
    }
}

fn version(class: &Class) -> Option<Version> {
    match class {
        Class::Whole(version) => version.parse().ok(),
        Class::Absent | Class::Partial => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::cuts::tree::Content;

    fn whole(version: &str) -> Class {
        Class::Whole(version.to_owned())
    }

    #[test]
    fn only_a_first_boot_that_was_lost_is_missed_and_only_by_an_older_release() {
        let bits = |priority, tries, successful| BootBits { priority, tries, successful };
        let (proven, started) = (bits(1, 0, true), bits(2, 0, false));
        let mut classes = vec![whole("1.0.0"); 3];
        classes.extend(vec![whole("1.2.0"); 3]);
        let found = |at_once, other| Lost::found(at_once, [proven, other], &classes, &Tree::default());
        let lost = found(Some(Set::A), started);
        let newer = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"].map(|next| lost.is_newer_than(&whole(next)));
        assert_eq!(newer, [true, true, false, false]);
        assert!(!lost.is_newer_than(&Class::Partial));
        // It runs; it failed in this boot; it waits; it was cleared; it was proven.
        let runs_a = [bits(2, 1, false), bits(0, 0, false), proven].map(|other| (Some(Set::A), other));
        for (at_once, other) in [(Some(Set::B), started), (None, started)].into_iter().chain(runs_a) {
            assert_eq!(found(at_once, other), Lost(Vec::new()), "{at_once:?} {other:?}");
        }
    }

    #[test]
    fn what_was_noted_of_a_boot_counts_where_nobody_knows_why_it_ended() {
        for (cause, count) in [("unexplained", 1), ("failed", 0), ("left", 0)] {
            let noted = serde_json::json!({ "releases": [
                { "version": "1.2.0", "mark": { "cause": cause } }, { "version": "1.1.0", "awaited": {} },
            ]});
            let mut tree = Tree::default();
            let file = Node::File { content: Content::new(noted.to_string().as_bytes()), mode: 0o644 };
            tree.nodes.insert(format!("var/lib/bottlerocket/update{NOTED}"), file);
            let lost = Lost::found(Some(Set::A), [BootBits::default(); 2], &[], &tree);
            assert_eq!(lost.0.len(), count, "{cause}");
        }
    }
}
