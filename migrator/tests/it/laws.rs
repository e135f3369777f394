//! Any pair of releases: their settings models, the steps between them, and the settings of a host, against what the
//! laws of `docs/writing-migrations.md` promise. What is promised is worked out from the releases, not by the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use datastore::store_dir::{Contents, Metadata, Settings};
use datastore::{Key, Value};
use migration_helpers::args::Direction;
use migration_helpers::declared::Declaration;
use proptest::prelude::*;
use serde_json::json;
use settings_model::{Model, fit};

/// Numbers that decide, one after the other; zero when they have run out.
struct Dice(std::vec::IntoIter<u32>);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0.next().unwrap_or_default() as usize % sides.max(1)
    }

    fn happens(&mut self) -> bool {
        self.throw(2) == 1
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.throw(of.len()))
    }
}

/// What a setting takes.
#[derive(Debug, Clone, PartialEq)]
enum Takes {
    Texts(Vec<String>),
    Number,
    Truth,
    List,
}

/// One setting over both releases.
#[derive(Debug, Clone)]
struct Setting {
    /// Its name in the older release, which may hold an id.
    old: Option<String>,
    /// Its name in the newer one.
    new: Option<String>,
    takes_old: Takes,
    takes_new: Takes,
    required: bool,
    /// The values that are replaced, in the order of the steps.
    replaced: Vec<(Value, Value)>,
    /// The same for the entry `m` of its metadata.
    noted: Vec<(Value, Value)>,
    /// Whether a step takes that entry away.
    forgotten: bool,
}

const IDS: [&str; 2] = ["one", "two"];

/// Two releases, and the steps from one to the other.
#[derive(Debug, Default)]
struct Releases {
    settings: Vec<Setting>,
    steps: String,
    names: usize,
}

impl Releases {
    fn made(dice: &mut Dice) -> Self {
        let mut releases = Self::default();
        for _ in 0..1 + dice.throw(3) {
            // A group has ids below it, or settings: a name would be both.
            let (group, with_id) = (releases.fresh("g"), dice.happens());
            for _ in 0..1 + dice.throw(3) {
                let last = releases.fresh("s");
                let name = if with_id { format!("{group}.<id>.{last}") } else { format!("{group}.{last}") };
                let required = !with_id && dice.happens();
                let setting = Setting { required, ..Setting::of(dice, Some(format!("settings.{name}"))) };
                releases.settings.push(setting);
            }
        }
        for _ in 0..1 + dice.throw(6) {
            releases.step(dice);
        }
        if releases.steps.is_empty() {
            releases.add(dice);
        }
        releases
    }

    /// A name that was never there.
    fn fresh(&mut self, letter: &str) -> String {
        self.names += 1;
        format!("{letter}{}", self.names)
    }

    fn step(&mut self, dice: &mut Dice) {
        // Settings of the newer release that have one name.
        let fixed: Vec<usize> = (0..self.settings.len())
            .filter(|at| self.settings[*at].new.as_ref().is_some_and(|name| !name.contains('<')))
            .collect();
        let groups: BTreeSet<String> = self
            .settings
            .iter()
            .filter_map(|setting| setting.new.as_ref())
            .map(|name| name.split('.').take(2).collect::<Vec<_>>().join("."))
            .collect();
        let groups: Vec<String> = groups.into_iter().collect();
        match (dice.throw(8), dice.one_of(&fixed).copied(), dice.one_of(&groups)) {
            (0, _, _) => self.add(dice),
            (1, Some(at), _) if !self.settings[at].required => {
                let name = self.settings[at].new.take().expect("one that is there");
                self.note(&format!("kind = \"remove\"\nsettings = [{name:?}]"));
            }
            (2, _, Some(group)) => {
                let below = |name: &String| name.starts_with(&format!("{group}."));
                let of_group = |setting: &&mut Setting| setting.new.as_ref().is_some_and(below);
                if self.settings.iter_mut().filter(of_group).any(|setting| setting.required) {
                    return;
                }
                self.settings.iter_mut().filter(of_group).for_each(|setting| setting.new = None);
                self.note(&format!("kind = \"remove\"\nsettings = [{group:?}]"));
            }
            (3, Some(at), _) => {
                let to = format!("settings.{}.{}", self.fresh("h"), self.fresh("s"));
                let from = self.settings[at].new.replace(to.clone()).expect("one that is there");
                self.note(&format!("kind = \"rename\"\nfrom = {from:?}\nto = {to:?}"));
            }
            (4, _, Some(group)) => {
                let to = format!("settings.{}", self.fresh("h"));
                for name in self.settings.iter_mut().filter_map(|setting| setting.new.as_mut()) {
                    if let Some(rest) = name.strip_prefix(&format!("{group}.")) {
                        *name = format!("{to}.{rest}");
                    }
                }
                self.note(&format!("kind = \"rename\"\nfrom = {group:?}\nto = {to:?}"));
            }
            (5 | 6, Some(at), _) => self.replace(dice, at),
            (7, Some(at), _) => self.metadata(dice, at),
            _ => {}
        }
    }

    fn add(&mut self, dice: &mut Dice) {
        let name = format!("settings.{}.{}", self.fresh("n"), self.fresh("s"));
        self.note(&format!("kind = \"add\"\nsettings = [{name:?}]"));
        let setting = Setting::of(dice, Some(name));
        self.settings.push(Setting { old: None, ..setting });
    }

    fn replace(&mut self, dice: &mut Dice, at: usize) {
        let fresh = self.fresh("text");
        let setting = &mut self.settings[at];
        let Takes::Texts(values) = setting.takes_new.clone() else { return };
        let old = dice.one_of(&values).expect("a text at least").clone();
        let others: Vec<String> = values.into_iter().filter(|value| *value != old).collect();
        let new = match dice.throw(3) {
            // The only text there is may become anything.
            0 if others.is_empty() => {
                setting.takes_new = Takes::List;
                json!([old, "more"])
            }
            // It becomes one that somebody may have already.
            1 if !others.is_empty() => {
                let new = others[0].clone();
                setting.takes_new = Takes::Texts(others);
                json!(new)
            }
            _ => {
                setting.takes_new = Takes::Texts(others.into_iter().chain([fresh.clone()]).collect());
                json!(fresh)
            }
        };
        setting.replaced.push((json!(old), new.clone()));
        let name = setting.new.clone().expect("one that is there");
        self.note(&format!("kind = \"replace\"\nsetting = {name:?}\nold = {old:?}\nnew = {new}"));
    }

    fn metadata(&mut self, dice: &mut Dice, at: usize) {
        let fresh = self.fresh("note");
        let setting = &mut self.settings[at];
        let name = setting.new.clone().expect("one that is there");
        let kind = dice.throw(3);
        match kind {
            0 => setting.forgotten = true,
            1 if !setting.forgotten => setting.noted.push((json!("x"), json!(fresh))),
            _ => {}
        }
        match kind {
            0 => self.note(&format!("kind = \"remove-metadata\"\nsetting = {name:?}\nmetadata = [\"m\"]")),
            1 => self.note(&format!(
                "kind = \"replace-metadata\"\nsetting = {name:?}\nmetadata = \"m\"\nold = \"x\"\nnew = {fresh:?}"
            )),
            _ => self.note(&format!("kind = \"add-metadata\"\nsetting = {name:?}\nmetadata = [\"n\"]")),
        }
    }

    fn note(&mut self, step: &str) {
        self.steps.push_str(&format!("[[step]]\n{step}\n"));
    }

    fn model(&self, newer: bool) -> Model {
        let mut text = String::new();
        for setting in &self.settings {
            let (name, takes) =
                if newer { (&setting.new, &setting.takes_new) } else { (&setting.old, &setting.takes_old) };
            let Some(name) = name else { continue };
            let kind = match takes {
                Takes::Texts(values) => format!("type = \"string\"\nvalues = {}", json!(values)),
                Takes::Number => "type = \"integer\"\nmin = 0\nmax = 9".to_owned(),
                Takes::Truth => "type = \"boolean\"".to_owned(),
                Takes::List => "type = \"strings\"".to_owned(),
            };
            text.push_str(&format!(
                "[[setting]]\nkey = {name:?}\n{kind}\nrequired = {}\n",
                setting.required && !name.contains('<')
            ));
        }
        Model::parse(&text, Path::new("settings.toml")).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What a host has by the older release's model: settings, transactions, notes.
    fn host(&self, dice: &mut Dice) -> Contents {
        let mut contents = Contents::default();
        for setting in &self.settings {
            for key in keys(setting.old.as_deref()) {
                if setting.required || dice.happens() {
                    contents.live.insert(key.clone(), setting.takes_old.value(dice));
                    if dice.happens() {
                        let note = ["x", "own"][dice.throw(2)];
                        contents.metadata.insert(key.clone(), [("m".to_owned(), json!(note))].into());
                    }
                }
                match dice.throw(3) {
                    0 => {
                        let value = setting.takes_old.value(dice);
                        contents.pending.entry("tx".to_owned()).or_default().insert(key, value);
                    }
                    1 => drop(contents.unset.entry("tx".to_owned()).or_default().insert(key)),
                    _ => {}
                }
            }
        }
        contents
    }
}

impl Setting {
    fn of(dice: &mut Dice, name: Option<String>) -> Self {
        let takes = match dice.throw(6) {
            0 => Takes::Number,
            1 => Takes::Truth,
            2 => Takes::List,
            3 => Takes::Texts(vec!["a".to_owned()]),
            _ => Takes::Texts(["a", "b", "c"].map(str::to_owned).to_vec()),
        };
        Self {
            old: name.clone(),
            new: name,
            takes_old: takes.clone(),
            takes_new: takes,
            required: false,
            replaced: Vec::new(),
            noted: Vec::new(),
            forgotten: false,
        }
    }

    /// Each key that it has in the older release, with the one in the newer.
    fn pairs(&self) -> impl Iterator<Item = (Key, Option<Key>)> {
        let new = keys(self.new.as_deref());
        let gone = self.new.is_none();
        keys(self.old.as_deref())
            .into_iter()
            .enumerate()
            .map(move |(at, old)| (old, (!gone).then(|| new[at].clone())))
    }
}

impl Takes {
    fn value(&self, dice: &mut Dice) -> Value {
        match self {
            Self::Texts(values) => json!(dice.one_of(values).expect("a text at least")),
            Self::Number => json!(dice.throw(10)),
            Self::Truth => json!(dice.happens()),
            Self::List => json!(vec!["item"; dice.throw(3)]),
        }
    }
}

fn keys(name: Option<&str>) -> Vec<Key> {
    let key = |name: &str| Key::parse(name).unwrap();
    match name {
        None => Vec::new(),
        Some(name) if name.contains("<id>") => IDS.map(|id| key(&name.replace("<id>", id))).to_vec(),
        Some(name) => vec![key(name)],
    }
}

fn there(value: &Value, replaced: &[(Value, Value)]) -> Value {
    replaced.iter().fold(value.clone(), |value, (old, new)| if value == *old { new.clone() } else { value })
}

fn back(value: &Value, replaced: &[(Value, Value)]) -> Value {
    replaced
        .iter()
        .rev()
        .fold(value.clone(), |value, (old, new)| if value == *new { old.clone() } else { value })
}

/// What the laws say of `before` after going there, and after going there and back.
fn promised(releases: &Releases, before: &Contents) -> (Contents, Contents) {
    let (mut new, mut again) = (Contents::default(), Contents::default());
    let both: BTreeMap<Key, (&Setting, Option<Key>)> = releases
        .settings
        .iter()
        .flat_map(|setting| setting.pairs().map(move |(old, new)| (old, (setting, new))))
        .collect();
    let carry = |from: &Settings, new: &mut Settings, again: &mut Settings| {
        for (key, value) in from {
            let (setting, Some(name)) = &both[key] else { continue };
            let value = there(value, &setting.replaced);
            again.insert(key.clone(), back(&value, &setting.replaced));
            new.insert(name.clone(), value);
        }
    };
    carry(&before.live, &mut new.live, &mut again.live);
    for (name, settings) in &before.pending {
        let (mut there, mut and_back) = (Settings::new(), Settings::new());
        carry(settings, &mut there, &mut and_back);
        new.pending.insert(name.clone(), there);
        again.pending.insert(name.clone(), and_back);
    }
    for (name, keys) in &before.unset {
        let known = |key: &&Key| both[*key].1.is_some();
        let there = keys.iter().filter(known).map(|key| both[key].1.clone().expect("it is known")).collect();
        new.unset.insert(name.clone(), there);
        again.unset.insert(name.clone(), keys.iter().filter(known).cloned().collect());
    }
    for (key, entries) in &before.metadata {
        let (setting, Some(name)) = &both[key] else { continue };
        if setting.forgotten {
            continue;
        }
        let value = there(&entries["m"], &setting.noted);
        again.metadata.insert(key.clone(), [("m".to_owned(), back(&value, &setting.noted))].into());
        new.metadata.insert(name.clone(), [("m".to_owned(), value)].into());
    }
    (new, again)
}

/// Without transactions that have nothing in them: those are not stored.
fn stored(mut contents: Contents) -> Contents {
    contents.pending.retain(|_, settings| !settings.is_empty());
    contents.unset.retain(|_, keys| !keys.is_empty());
    contents.metadata.retain(|_, entries| !entries.is_empty());
    contents
}

fn misfits(model: &Model, settings: &Settings) -> Vec<String> {
    let lacking = fit::lacking(model, settings).map(|key| format!("{key} is missing"));
    fit(model, settings).misfits.iter().map(ToString::to_string).chain(lacking).collect()
}

/// What the newer release and its users do: it has its new settings, and some get other values.
fn live_on(releases: &Releases, contents: &mut Contents, dice: &mut Dice) {
    for setting in &releases.settings {
        for key in keys(setting.new.as_deref()) {
            let is_of_the_old_kind = setting.takes_new != Takes::List || setting.takes_old == Takes::List;
            if setting.old.is_none() || (is_of_the_old_kind && dice.happens()) {
                contents.live.insert(key.clone(), setting.takes_new.value(dice));
                if setting.old.is_none() {
                    let noted = BTreeMap::from([("m".to_owned(), json!("of the newer release"))]);
                    contents.metadata.insert(key, noted);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn forward_fits_the_newer_model_and_back_gives_what_was_there_less_what_the_laws_name(
        throws in prop::collection::vec(any::<u32>(), 0..240)
    ) {
        let mut dice = Dice(throws.into_iter());
        let releases = Releases::made(&mut dice);
        let list = Declaration::parse(&releases.steps).unwrap();
        let (older, newer) = (releases.model(false), releases.model(true));
        let before = stored(releases.host(&mut dice));
        prop_assert_eq!(misfits(&older, &before.live), Vec::<String>::new());
        let (new, again) = promised(&releases, &before);

        let mut contents = before.clone();
        list.apply(&mut contents, Direction::Forward).unwrap();
        prop_assert_eq!(&stored(contents.clone()), &stored(new), "{}", &releases.steps);
        prop_assert_eq!(misfits(&newer, &contents.live), Vec::<String>::new());
        for pending in contents.pending.values() {
            prop_assert!(fit(&newer, pending).misfits.is_empty(), "{:?}", pending);
        }

        let mut lived_on = contents.clone();
        list.apply(&mut contents, Direction::Backward).unwrap();
        prop_assert_eq!(stored(contents), stored(again), "{}", &releases.steps);

        // What people do on the newer release fits the older one as well.
        live_on(&releases, &mut lived_on, &mut dice);
        prop_assert_eq!(misfits(&newer, &lived_on.live), Vec::<String>::new());
        list.apply(&mut lived_on, Direction::Backward).unwrap();
        prop_assert_eq!(misfits(&older, &lived_on.live), Vec::<String>::new(), "{}", &releases.steps);
        let known: BTreeSet<Key> =
            releases.settings.iter().flat_map(|setting| keys(setting.old.as_deref())).collect();
        let metadata: &Metadata = &lived_on.metadata;
        let strange: Vec<&Key> = lived_on.live.keys().chain(metadata.keys()).filter(|key| !known.contains(key)).collect();
        prop_assert!(strange.is_empty(), "{:?} {}", strange, &releases.steps);
    }
}
