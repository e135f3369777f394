//! Whether a state and what became of it keep the nine promises. Everything here is read by the fixtures, not by the
//! programs under test.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use testdata::{BootBits, Set};

use super::firmware::{bootable, waits};
use super::going::{Came, Seen};
use super::live::State;
use super::published::Class;
use super::tree::{Hash, Node, Tree};

/// What must hold at every instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Invariant {
    /// Some set boots, and what boots is byte for byte a published version.
    Boots,
    /// No half-written set is bootable, and no foreign byte is in one that is.
    Whole,
    /// Settings are those of the version that runs: no mixture, and never none.
    Settings,
    /// Each role file is old or new, and missing only where TUF takes it away.
    Trust,
    /// `updog status` and the API tell the truth about the disk.
    Truth,
    /// The same again succeeds, or is refused as documented and succeeds after `clear-failed`; the end is the same.
    Again,
    /// The table has a whole copy, and heals.
    Table,
    /// Until the other set is durably cleared there is a way back.
    WayBack,
    /// What was acknowledged is still there.
    Kept,
}

impl Invariant {
    pub(crate) const ALL: [Self; 9] = [
        Self::Boots,
        Self::Whole,
        Self::Settings,
        Self::Trust,
        Self::Truth,
        Self::Again,
        Self::Table,
        Self::WayBack,
        Self::Kept,
    ];

    /// The promise in a line.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Boots => "a set boots, byte for byte as published",
            Self::Whole => "no half-written set is bootable",
            Self::Settings => "settings are those of the version that runs",
            Self::Trust => "each role file is old or new",
            Self::Truth => "status and the API tell the truth",
            Self::Again => "the same again comes to the same end",
            Self::Table => "the table has a whole copy and heals",
            Self::WayBack => "the way back is there until the clear",
            Self::Kept => "what was acknowledged is still there",
        }
    }
}

/// What the fixtures read off the table of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) whole: [bool; 2],
    pub(super) bits: [BootBits; 2],
    /// What the firmware has made of it, and whether both copies are whole then.
    pub(super) picked: (Hash, bool),
}

/// A file that must be as it was, whenever the power goes away between two steps.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    pub(super) from: usize,
    pub(super) until: usize,
    pub(super) path: String,
    pub(super) hash: Hash,
}

/// What a story may end in.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// Whether a set waited for its first boot before all of it, where that is not the beginning of the story.
    pub(super) waited: bool,
    /// The settings of each version, as they are when nothing is cut.
    pub(super) settings: Vec<(String, Value)>,
    /// What each memory of trust has held in the course of the story; `None` where it was absent.
    pub(super) trust: HashMap<String, Vec<Option<Hash>>>,
    /// What was acknowledged, and from when to when.
    pub(super) promises: Vec<Promise>,
    /// Where it all ends when nothing is cut, from before the first act and after each.
    pub(super) ends: Vec<End>,
}

/// An end, up to times, names that are drawn, and history.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Whether the power went away in a first boot on the way: when it did is told in what is remembered of that boot.
    pub(super) first_boot_lost: bool,
    /// The exit code of what is typed last.
    pub(super) code: Option<i32>,
    /// Whether what is remembered of a judgement is one.
    pub(super) judged: bool,
    pub(super) version: Option<String>,
    pub(super) settings: Value,
    pub(super) bits: [BootBits; 2],
    pub(super) classes: Vec<Class>,
    pub(super) tree: Vec<Arc<str>>,
}

/// A promise that was not kept.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) invariant: Invariant,
    pub(super) how: String,
}

/// What the medium alone tells.
pub(super) fn of_medium(state: &State, step: usize, table: Table, expected: &Expected) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut hold = |holds: bool, invariant, how: String| {
        if !holds {
            broken.push(Broken { invariant, how });
        }
    };
    hold(table.whole.contains(&true), Invariant::Table, format!("whole copies: {:?}", table.whole));
    hold(table.picked.1, Invariant::Table, "the firmware has not mended it".to_owned());
    for (index, set) in [Set::A, Set::B].into_iter().enumerate() {
        if bootable(table.bits[index]) {
            let classes = &state.classes[index * 3..index * 3 + 3];
            let whole =
                matches!(&classes[0], Class::Whole(_)) && classes.iter().all(|one| *one == classes[0]);
            let what = classes.iter().map(Class::to_string).collect::<Vec<_>>().join(", ");
            hold(whole, Invariant::Whole, format!("set {set:?} with {:?} holds {what}", table.bits[index]));
        }
    }
    for (path, contents) in &expected.trust {
        let known = contents.contains(&state.tree.hash_of(path));
        hold(known, Invariant::Trust, format!("what {path} leads to is neither old nor new"));
    }
    for promise in expected.promises.iter().filter(|promise| (promise.from..promise.until).contains(&step)) {
        let kept = match state.tree.nodes.get(&promise.path) {
            Some(Node::File { content, .. }) => content.hash == promise.hash,
            _ => false,
        };
        hold(kept, Invariant::Kept, format!("{} is not what was acknowledged", promise.path));
    }
    broken
}

/// What is seen of it when it boots.
pub(super) fn of_seen(state: &State, seen: &Seen, expected: &Expected) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut hold = |holds: bool, invariant, how: String| {
        if !holds {
            broken.push(Broken { invariant, how });
        }
    };
    let (Some(version), Some(set)) = (&seen.booted.version, seen.booted.set) else {
        hold(false, Invariant::Boots, format!("nothing boots: {}", seen.booted.failed.join("; ")));
        return broken;
    };
    let index = usize::from(set == Set::B);
    let classes = &state.classes[index * 3..index * 3 + 3];
    let published = classes.iter().all(|class| *class == Class::Whole(version.clone()));
    hold(published, Invariant::Boots, format!("{version} boots from {set:?}, which holds {classes:?}"));
    hold(seen.healed, Invariant::Table, "after a boot not both copies are whole".to_owned());
    let known = expected.knows(version, &seen.settings);
    hold(known, Invariant::Settings, format!("{version} runs with the settings {}", seen.settings));
    let status = &seen.status["active"];
    for lie in lies(seen.bits, index, version, &status["version"], &status["next_to_boot"]) {
        hold(false, Invariant::Truth, format!("updog status: {lie}: {}", seen.status));
    }
    broken
}

/// What came of doing the same again after a cut by which so many acts had `ended`, and which left this `table`.
pub(super) fn of_the_same_again(
    came: &Came,
    end: &End,
    (ended, table): (usize, Table),
    expected: &Expected,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    if let (Some(version), Some(set)) = (&came.seen.booted.version, came.seen.booted.set) {
        let (said, bits) = &came.api;
        let active = &said["active_partition"];
        let index = usize::from(set == Set::B);
        for lie in lies(*bits, index, version, &active["image"]["version"], &active["next_to_boot"]) {
            broken.push(Broken { invariant: Invariant::Truth, how: format!("the API: {lie}: {said}") });
        }
    }
    let mut hold = |holds: bool, how: String| {
        if !holds {
            broken.push(Broken { invariant: Invariant::Again, how });
        }
    };
    // An act that had ended is not undone.
    let ends = expected.ends_after(ended);
    let on_the_way = [table.bits, came.seen.bits, came.api.1, came.bits];
    let waited = expected.waited || on_the_way.iter().flatten().any(|bits| waits(*bits));
    let nearest =
        ends.iter().map(|known| differences(end, known, waited)).min_by_key(|told| told.join("; ").len());
    let told = nearest.expect("before the first act there is an end, and each has one");
    hold(told.is_empty(), format!("another end: {}; typed last: {:?}", told.join("; "), came.typed.last()));
    broken
}

/// What came of going back by hand to the set that did not run.
pub(super) fn of_the_way_back(state: &State, came: &Came, expected: &Expected) -> Vec<Broken> {
    let Some(first) = &came.seen.booted.version else { return Vec::new() };
    let mut broken = Vec::new();
    let mut hold = |holds: bool, how: String| {
        if !holds {
            broken.push(Broken { invariant: Invariant::WayBack, how });
        }
    };
    let other = usize::from(came.seen.booted.set == Some(Set::A));
    let wanted = match &state.classes[other * 3] {
        Class::Whole(version) => Some(version),
        _ => None,
    };
    let back = came.booted.version.as_ref();
    hold(back == wanted, format!("from {first}: {:?}, {:?}", came.booted, came.typed));
    let known = back.is_some_and(|version| expected.knows(version, &came.settings));
    hold(known, format!("back with the settings {}", came.settings));
    broken
}

impl Expected {
    /// The ends that are left once so many acts had ended.
    pub(super) fn ends_after(&self, ended: usize) -> &[End] {
        &self.ends[ended..]
    }

    /// Whether a version has these settings where nothing is cut.
    fn knows(&self, version: &str, settings: &Value) -> bool {
        self.settings.iter().any(|(of, known)| of == version && known == settings)
    }
}

/// What is said of the set that runs, against the bits and the version that runs.
fn lies(bits: [BootBits; 2], index: usize, runs: &str, version: &Value, next_to_boot: &Value) -> Vec<String> {
    let (active, other) = (bits[index], bits[1 - index]);
    let flipped = bootable(other) && (other.priority > active.priority || !bootable(active));
    let mut lies = Vec::new();
    if version != runs {
        lies.push(format!("{version} runs, and not {runs}"));
    }
    if *next_to_boot != !flipped {
        lies.push(format!("next_to_boot is {next_to_boot}, with {bits:?}"));
    }
    lies
}

/// Whether what is remembered of a judgement can be read as one.
pub(super) fn is_judged(tree: &Tree) -> bool {
    let mut files = tree.nodes.iter().filter(|(path, _)| path.ends_with(JUDGED.trim_end()));
    files.any(|(_, node)| match node {
        Node::File { content, .. } => {
            let judged = serde_json::from_slice::<Value>(&content.bytes).unwrap_or_default();
            judged["manifest_sha256"].is_string() && judged["rules"].is_object() && judged["held"].is_array()
        }
        Node::Dir { .. } | Node::Link { .. } => false,
    })
}

/// What is another end; `waited` tells whether a set waited somewhere on the way to it.
fn differences(end: &End, expected: &End, waited: bool) -> Vec<String> {
    let mut told = Vec::new();
    if end.code != expected.code {
        told.push(format!("the exit code {:?} and not {:?}", end.code, expected.code));
    }
    if end.version != expected.version {
        told.push(format!("{:?} runs, not {:?}", end.version, expected.version));
    }
    if end.settings != expected.settings {
        told.push(format!("settings {} and not {}", end.settings, expected.settings));
    }
    if end.bits != expected.bits {
        told.push(format!("bits {:?} and not {:?}", end.bits, expected.bits));
    }
    if end.classes != expected.classes {
        told.push(format!("images {:?} and not {:?}", end.classes, expected.classes));
    }
    let counts =
        |line: &&Arc<str>| !expected.first_boot_lost || !FIRST_BOOT.iter().any(|of| line.contains(of));
    let missing = expected.tree.iter().filter(|line| !end.tree.contains(line)).filter(counts);
    told.extend(missing.map(|line| format!("without {line}")));
    // A release that waits longer than it does where nothing is cut may be judged meanwhile, which is remembered.
    let is_only_judged = |line: &str| waited && end.judged && line.contains(JUDGED);
    let more = end.tree.iter().filter(|line| !expected.tree.contains(line) && !is_only_judged(line));
    let more = more.filter(counts);
    told.extend(more.map(|line| format!("with {line}")));
    told
}

/// What a release that waits was judged by last, in a line of a shape.
const JUDGED: &str = "/record/judged.json ";
/// What is remembered of first boots: parts of paths.
const FIRST_BOOT: [&str; 2] = ["/record/attempts.json", "/record/boot/"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::cuts::tree::Content;

    #[test]
    fn when_a_first_boot_was_lost_is_no_other_end_and_what_boots_then_is() {
        let end = |priority, lines: &[&str]| End {
            first_boot_lost: false,
            judged: true,
            code: Some(0),
            version: Some("1.0.0".to_owned()),
            settings: Value::Null,
            bits: [BootBits { priority, tries: 0, successful: true }, BootBits::default()],
            classes: Vec::new(),
            tree: lines.iter().map(|line| Arc::from(*line)).collect(),
        };
        let early = end(1, &["var/record/attempts.json 1", "var/record/sets.json 1"]);
        let late =
            end(1, &["var/record/attempts.json 2", "var/record/boot/1.1.0.json 1", "var/record/sets.json 1"]);
        assert_eq!(differences(&late, &early, true).len(), 3);
        let lost = End { first_boot_lost: true, ..early };
        assert!(differences(&late, &lost, true).is_empty());
        let others = [end(2, &["var/record/sets.json 1"]), end(1, &["var/record/sets.json 2"])];
        for (other, differs) in others.iter().zip([1, 2]) {
            assert_eq!(differences(other, &lost, true).len(), differs);
        }
    }

    #[test]
    fn a_judgement_that_came_on_the_way_is_no_difference_and_another_one_or_none_is() {
        let end = |lines: &[&str]| End {
            first_boot_lost: false,
            judged: true,
            code: None,
            version: None,
            settings: Value::Null,
            bits: [BootBits::default(); 2],
            classes: Vec::new(),
            tree: lines.iter().map(|line| Arc::from(*line)).collect(),
        };
        let judged = "var/lib/bottlerocket/update/record/judged.json";
        let (none, one, other) = (end(&[]), end(&[&format!("{judged} 1")]), end(&[&format!("{judged} 2")]));
        assert!(differences(&one, &none, true).is_empty());
        assert!(!differences(&none, &one, true).is_empty() && !differences(&other, &one, true).is_empty());
        // Where nothing waited there was nothing to be judged; and half of a file is no judgement.
        assert!(!differences(&one, &none, false).is_empty());
        assert!(!differences(&End { judged: false, ..one }, &none, true).is_empty());
        let tree = |text: &str| {
            let mut tree = Tree::default();
            let file = Node::File { content: Content::new(text.as_bytes()), mode: 0o644 };
            tree.nodes.insert(judged.to_owned(), file);
            tree
        };
        let whole = r#"{"manifest_sha256":"00","rules":{"locked_to":null,"minimum":null},"held":[]}"#;
        assert!(is_judged(&tree(whole)));
        assert!(!is_judged(&tree(&whole[..40])) && !is_judged(&tree("{}")) && !is_judged(&Tree::default()));
    }
}
