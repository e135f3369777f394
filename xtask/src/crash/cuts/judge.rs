//! Whether a state and what became of it keep the nine promises. Everything here is read by the fixtures, not by the
//! programs under test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use testdata::{BootBits, Set};

use super::live::{Came, Seen, State};
use super::published::Class;
use super::story_log::plain;
use super::tree::{Hash, Node, Tree, hash};

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

/// What came of doing the same again after a cut by which so many acts had `ended`.
pub(super) fn of_the_same_again(came: &Came, end: &End, ended: usize, expected: &Expected) -> Vec<Broken> {
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
    let nearest = ends.iter().map(|known| differences(end, known)).min_by_key(|told| told.join("; ").len());
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

/// Whether a boot program would start it.
pub(super) fn bootable(bits: BootBits) -> bool {
    bits.priority > 0 && (bits.tries > 0 || bits.successful)
}

fn differences(end: &End, expected: &End) -> Vec<String> {
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
    let more = end.tree.iter().filter(|line| !expected.tree.contains(line) && !line.contains(JUDGED));
    let more = more.filter(counts);
    told.extend(more.map(|line| format!("with {line}")));
    told
}

/// What a release that waits was judged by last: the part of a path.
const JUDGED: &str = "/record/judged.json ";
/// What is remembered of first boots: parts of paths.
const FIRST_BOOT: [&str; 2] = ["/record/attempts.json", "/record/boot/"];

/// Trees up to times, names that are drawn, and history: one line a name. Lines are made once.
pub(super) struct Shapes {
    /// What has to do with history in this story: parts of paths.
    history: &'static [&'static str],
    lines: Mutex<HashMap<(String, Hash), Arc<str>>>,
}

impl Shapes {
    pub(super) fn new(history: &'static [&'static str]) -> Self {
        Self { history, lines: Mutex::default() }
    }

    pub(super) fn of(&self, tree: &Tree) -> Vec<Arc<str>> {
        let mut known = self.lines.lock().expect("nobody panics while holding it");
        // What the API was asked last, and what it then found, is history as well. A name that ends in `.new` is removed
        // by the next writer of what it would have become.
        // What the spare store holds is an older store, whichever was the last one that a commit has left.
        let told = |path: &str| {
            path.contains("/record/history")
                || path.ends_with("/record/status.json")
                || path.contains("/datastore/.spare")
                // Without a note in it.
                || path.ends_with("/record/boot")
                || self.history.iter().any(|part| path.contains(part))
        };
        let begun = |path: &str| path.split('/').any(|name| name.starts_with('.') && name.ends_with(".new"));
        let left = left_behind(tree);
        let nodes = tree.nodes.iter().filter(|(path, _)| {
            !told(path) && !begun(path) && !left.iter().any(|dir| path.starts_with(dir.as_str()))
        });
        let mut lines: Vec<Arc<str>> = nodes
            .map(|(path, node)| {
                let key = (path.clone(), node.hash());
                Arc::clone(known.entry(key).or_insert_with(|| line(path, node).into()))
            })
            .collect();
        lines.sort();
        lines
    }
}

/// States of trust and cache that no link leads to, one of each: whoever writes there next removes it.
fn left_behind(tree: &Tree) -> Vec<String> {
    let links = tree.nodes.keys().filter(|path| path.contains("/update/") && path.ends_with("/current"));
    let bases = links.filter_map(|link| Some((link.strip_suffix("current")?, tree.resolve(link, true)?)));
    let unlinked = bases.flat_map(|(base, linked)| {
        let below = tree.nodes.range(base.to_owned()..).take_while(move |(path, _)| path.starts_with(base));
        let dirs = below.filter(|(_, node)| matches!(node, Node::Dir { .. })).map(|(path, _)| path);
        let left: Vec<&String> =
            dirs.filter(|path| !path[base.len()..].contains('/') && **path != linked).collect();
        // Only ever one: a writer that left more has removed none.
        if left.len() == 1 { left } else { Vec::new() }
    });
    unlinked.cloned().collect()
}

fn line(path: &str, node: &Node) -> String {
    let what = match node {
        Node::File { content, .. } => format!("{:032x}", timeless(&content.bytes)),
        Node::Dir { .. } => "directory".to_owned(),
        Node::Link { target } => format!("-> {}", plain(&target.to_string_lossy())),
    };
    format!("{} {what}", plain(path))
}

/// The hash of a file whose times are left out where it is JSON.
fn timeless(bytes: &[u8]) -> Hash {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return hash(bytes) };
    blank(&mut value);
    hash(value.to_string().as_bytes())
}

fn blank(value: &mut Value) {
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => text.clear(),
        Value::Array(all) => all.iter_mut().for_each(blank),
        Value::Object(all) => all.values_mut().for_each(blank),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::crash::cuts::tree::Content;

    #[test]
    fn when_a_first_boot_was_lost_is_no_other_end_and_what_boots_then_is() {
        let end = |priority, lines: &[&str]| End {
            first_boot_lost: false,
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
        assert_eq!(differences(&late, &early).len(), 3);
        let lost = End { first_boot_lost: true, ..early };
        assert!(differences(&late, &lost).is_empty());
        let others = [end(2, &["var/record/sets.json 1"]), end(1, &["var/record/sets.json 2"])];
        for (other, differs) in others.iter().zip([1, 2]) {
            assert_eq!(differences(other, &lost).len(), differs);
        }
    }

    #[test]
    fn a_judgement_that_came_on_the_way_is_no_difference_and_another_one_or_none_is() {
        let end = |lines: &[&str]| End {
            first_boot_lost: false,
            code: None,
            version: None,
            settings: Value::Null,
            bits: [BootBits::default(); 2],
            classes: Vec::new(),
            tree: lines.iter().map(|line| Arc::from(*line)).collect(),
        };
        let judged = "var/lib/bottlerocket/update/record/judged.json";
        let (none, one, other) = (end(&[]), end(&[&format!("{judged} 1")]), end(&[&format!("{judged} 2")]));
        assert!(differences(&one, &none).is_empty());
        assert!(!differences(&none, &one).is_empty() && !differences(&other, &one).is_empty());
    }

    #[test]
    fn a_state_that_no_link_leads_to_is_no_difference_and_one_that_is_linked_is() {
        let tree = |linked: &str, dirs: &[(&str, &[u8])]| {
            let mut tree = Tree::default();
            let base = "var/lib/update/trust/key";
            let link = Node::Link { target: PathBuf::from(linked) };
            tree.nodes.insert(format!("{base}/current"), link);
            for above in ["var", "var/lib", "var/lib/update", "var/lib/update/trust", base] {
                tree.nodes.insert(above.to_owned(), Node::Dir { mode: 0o755 });
            }
            for (dir, bytes) in dirs {
                tree.nodes.insert(format!("{base}/{dir}"), Node::Dir { mode: 0o755 });
                let file = Node::File { content: Content::new(bytes), mode: 0o644 };
                tree.nodes.insert(format!("{base}/{dir}/snapshot.json"), file);
            }
            Shapes::new(&[]).of(&tree)
        };
        let alone = tree("aaaaaaaaaaaaaaaaaaaa", &[("aaaaaaaaaaaaaaaaaaaa", b"new")]);
        let old: (&str, &[u8]) = ("bbbbbbbbbbbbbbbbbbbb", b"old");
        let beside = tree("aaaaaaaaaaaaaaaaaaaa", &[("aaaaaaaaaaaaaaaaaaaa", b"new"), old]);
        let behind = tree("bbbbbbbbbbbbbbbbbbbb", &[("aaaaaaaaaaaaaaaaaaaa", b"new"), old]);
        assert_eq!(alone, beside);
        assert_ne!(alone, behind);
    }
}
