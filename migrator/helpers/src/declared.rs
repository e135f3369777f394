//! Migrations without a program of their own: a list of steps, read by people and executed by us.
//!
//! ```toml
//! [[step]]
//! kind = "rename"
//! from = "settings.ntp.mode"
//! to = "settings.time.mode"
//!
//! [[step]]
//! kind = "replace"
//! setting = "settings.time.mode"
//! old = "burst"
//! new = "iburst"
//! ```
//!
//! Going forward the steps are taken from the first to the last, going back from the last to the first. Each obeys a law
//! (`docs/writing-migrations.md`), for live settings, their metadata and every pending transaction:
//!
//! - **add**: there and back is what was, but for what only the newer release knows.
//! - **remove**: there and back is what was, less the settings that are named.
//! - **rename**: there and back is what was.
//! - **replace**: there and back is what was, unless a value was the new one already.
//!
//! No step touches a setting that it does not name. For a host such a migration is a program like any other: our one
//! program with the list at its end ([`pack`]). `migrator` knows that program and executes the list itself.

use std::collections::BTreeMap;

use datastore::store_dir::{Contents, Metadata, Settings};
use datastore::{Key, Value};
use serde::Deserialize;

use crate::args::Direction;
use crate::error::Error;

/// Ends a program that has a list in it: before it stand the list's length, in eight bytes, and the list.
const MARK: &[u8; 8] = b"MIGSTEP1";

/// The most that a list may be, in bytes.
const LARGEST: usize = 1 << 20;

/// A list of steps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    #[serde(rename = "step", default)]
    steps: Vec<Step>,
}

/// One step. A setting's name stands for all that lies below it as well.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// The newer release has new settings; their defaults come from its model. Going back they are removed.
    Add {
        /// Which ones.
        settings: Vec<Key>,
    },
    /// The newer release does not know these settings any more. Going forward they are removed.
    Remove {
        /// Which ones.
        settings: Vec<Key>,
    },
    /// A setting, or all settings of a group, have another name.
    Rename {
        /// In the older release.
        from: Key,
        /// In the newer one.
        to: Key,
    },
    /// A value that is this one becomes that one. Others stay.
    Replace {
        /// Of which setting.
        setting: Key,
        /// In the older release.
        old: Value,
        /// In the newer one.
        new: Value,
    },
    /// The newer release notes more about a setting. Going back that is removed.
    AddMetadata {
        /// Which setting.
        setting: Key,
        /// The names of the entries.
        metadata: Vec<String>,
    },
    /// The newer release does not note that any more. Going forward it is removed.
    RemoveMetadata {
        /// Which setting.
        setting: Key,
        /// The names of the entries.
        metadata: Vec<String>,
    },
    /// An entry that is this one becomes that one. Others stay.
    ReplaceMetadata {
        /// Of which setting.
        setting: Key,
        /// The entry's name.
        metadata: String,
        /// In the older release.
        old: Value,
        /// In the newer one.
        new: Value,
    },
}

impl Declaration {
    /// Reads a list.
    ///
    /// # Errors
    /// When it is not one, has no step, or a step that can do nothing.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Other(format!("understand the list of steps: {why}"));
        if text.len() > LARGEST {
            return Err(wrong(format!("it is longer than {LARGEST} bytes")));
        }
        let list: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if list.steps.is_empty() {
            return Err(wrong("it has none".to_owned()));
        }
        list.steps.iter().try_for_each(|step| step.check().map_err(|why| wrong(format!("{step}: {why}"))))?;
        Ok(list)
    }

    /// The list at the end of a program.
    ///
    /// # Errors
    /// When there is one that cannot be understood. `None` when there is none.
    pub fn embedded(program: &[u8]) -> Result<Option<Self>, Error> {
        let Some(text) = embedded(program) else { return Ok(None) };
        let text = std::str::from_utf8(text)
            .map_err(|_| Error::Other("understand the list of steps: it is no text".to_owned()))?;
        Self::parse(text).map(Some)
    }

    /// The steps, in the order of the way forward.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Takes all steps.
    ///
    /// # Errors
    /// When a rename would put two settings in one place.
    pub fn apply(&self, contents: &mut Contents, direction: Direction) -> Result<(), Error> {
        let take = |step: &Step, contents: &mut Contents| step.take(contents, direction);
        match direction {
            Direction::Forward => self.steps.iter().try_for_each(|step| take(step, contents)),
            Direction::Backward => self.steps.iter().rev().try_for_each(|step| take(step, contents)),
        }
    }

    /// The settings that the way forward removes, by the names of the older release.
    pub fn removed(&self) -> impl Iterator<Item = &Key> {
        self.steps.iter().flat_map(|step| match step {
            Step::Remove { settings } => settings.as_slice(),
            Step::Add { .. }
            | Step::Rename { .. }
            | Step::Replace { .. }
            | Step::AddMetadata { .. }
            | Step::RemoveMetadata { .. }
            | Step::ReplaceMetadata { .. } => &[],
        })
    }

    /// What does not come back after going there and back, a sentence each.
    #[must_use]
    pub fn losses(&self) -> Vec<String> {
        self.steps.iter().filter_map(Step::loss).collect()
    }
}

/// `program` with `list` at its end: a migration like any other.
///
/// # Errors
/// As [`Declaration::parse`], and when the program has a list already.
pub fn pack(program: &[u8], list: &str) -> Result<Vec<u8>, Error> {
    Declaration::parse(list)?;
    if embedded(program).is_some() {
        return Err(Error::Other("put a list of steps into a program: it has one already".to_owned()));
    }
    let length = (list.len() as u64).to_le_bytes();
    Ok([program, list.as_bytes(), &length, MARK].concat())
}

fn embedded(program: &[u8]) -> Option<&[u8]> {
    let rest = program.strip_suffix(MARK)?;
    let (rest, length) = rest.split_last_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    Some(&rest[rest.len().checked_sub(length)?..])
}

impl Step {
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Add { settings } | Self::Remove { settings } if settings.is_empty() => {
                Err("it names no setting")
            }
            Self::Rename { from, to } if from == to => Err("both names are the same"),
            Self::Rename { from, to } if from.is_below(to) || to.is_below(from) => {
                Err("one name lies below the other")
            }
            Self::Replace { old, new, .. } | Self::ReplaceMetadata { old, new, .. } if old == new => {
                Err("both values are the same")
            }
            Self::AddMetadata { metadata, .. } | Self::RemoveMetadata { metadata, .. }
                if metadata.is_empty() =>
            {
                Err("it names no entry")
            }
            _ => Ok(()),
        }
    }

    fn take(&self, contents: &mut Contents, direction: Direction) -> Result<(), Error> {
        use Direction::{Backward, Forward};
        match (self, direction) {
            (Self::Add { settings }, Backward) | (Self::Remove { settings }, Forward) => {
                settings.iter().for_each(|name| remove(contents, name));
            }
            (Self::Add { .. }, Forward)
            | (Self::Remove { .. }, Backward)
            | (Self::AddMetadata { .. }, Forward)
            | (Self::RemoveMetadata { .. }, Backward) => {}
            (Self::Rename { from, to }, Forward) => rename(contents, from, to)?,
            (Self::Rename { from, to }, Backward) => rename(contents, to, from)?,
            (Self::Replace { setting, old, new }, Forward) => replace(contents, setting, old, new),
            (Self::Replace { setting, old, new }, Backward) => replace(contents, setting, new, old),
            (Self::AddMetadata { setting, metadata }, Backward)
            | (Self::RemoveMetadata { setting, metadata }, Forward) => {
                if let Some(entries) = contents.metadata.get_mut(setting) {
                    entries.retain(|name, _| !metadata.contains(name));
                    if entries.is_empty() {
                        contents.metadata.remove(setting);
                    }
                }
            }
            (Self::ReplaceMetadata { setting, metadata, old, new }, direction) => {
                let (old, new) = if direction == Forward { (old, new) } else { (new, old) };
                let entry = contents.metadata.get_mut(setting).and_then(|entries| entries.get_mut(metadata));
                if let Some(value) = entry.filter(|value| *value == old) {
                    *value = new.clone();
                }
            }
        }
        Ok(())
    }

    fn loss(&self) -> Option<String> {
        let list = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Add { settings } => {
                Some(format!("what is set of {} is gone after going back", list(settings)))
            }
            Self::Remove { settings } => Some(format!(
                "{} does not come back by itself, only from the settings that are kept",
                list(settings)
            )),
            Self::Replace { setting, old, new } => {
                Some(format!("{setting} that was {new} already is {old} after going there and back"))
            }
            Self::Rename { .. } => None,
            Self::AddMetadata { setting, metadata } | Self::RemoveMetadata { setting, metadata } => {
                Some(format!("{} of {setting} is gone after going there and back", metadata.join(", ")))
            }
            Self::ReplaceMetadata { setting, metadata, old, new } => Some(format!(
                "{metadata} of {setting} that was {new} already is {old} after going there and back"
            )),
        }
    }
}

/// The kind and the names, for a person.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add { settings } => {
                write!(f, "add {}", settings.iter().map(Key::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Remove { settings } => {
                write!(f, "remove {}", settings.iter().map(Key::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Replace { setting, .. } => write!(f, "replace {setting}"),
            Self::AddMetadata { setting, .. } => write!(f, "add metadata of {setting}"),
            Self::RemoveMetadata { setting, .. } => write!(f, "remove metadata of {setting}"),
            Self::ReplaceMetadata { setting, metadata, .. } => write!(f, "replace {metadata} of {setting}"),
        }
    }
}

/// The keys of `map` that are `name` or lie below it.
fn below<T>(map: &BTreeMap<Key, T>, name: &Key) -> Vec<Key> {
    // A key and all that lies below it stand together.
    map.range(name..)
        .map(|(key, _)| key)
        .take_while(|key| *key == name || key.is_below(name))
        .cloned()
        .collect()
}

fn trees(contents: &mut Contents) -> impl Iterator<Item = &mut Settings> {
    std::iter::once(&mut contents.live).chain(contents.pending.values_mut())
}

fn remove(contents: &mut Contents, name: &Key) {
    for tree in trees(contents) {
        for key in below(tree, name) {
            tree.remove(&key);
        }
    }
    for key in below(&contents.metadata, name) {
        contents.metadata.remove(&key);
    }
    for keys in contents.unset.values_mut() {
        keys.retain(|key| key != name && !key.is_below(name));
    }
}

fn rename(contents: &mut Contents, from: &Key, to: &Key) -> Result<(), Error> {
    for tree in trees(contents) {
        rename_in(tree, from, to)?;
    }
    let metadata: &mut Metadata = &mut contents.metadata;
    rename_in(metadata, from, to)?;
    for keys in contents.unset.values_mut() {
        let mut named: BTreeMap<Key, ()> = std::mem::take(keys).into_iter().map(|key| (key, ())).collect();
        rename_in(&mut named, from, to)?;
        keys.extend(named.into_keys());
    }
    Ok(())
}

fn rename_in<T>(map: &mut BTreeMap<Key, T>, from: &Key, to: &Key) -> Result<(), Error> {
    let old = below(map, from);
    if let Some(there) = below(map, to).first().filter(|_| !old.is_empty()) {
        return Err(Error::Occupied { from: from.clone(), to: there.clone() });
    }
    for key in old {
        let rest = &key.segments()[from.segments().len()..];
        let new = Key::from_segments(to.segments().iter().chain(rest).cloned())?;
        let value = map.remove(&key).expect("it was listed");
        map.insert(new, value);
    }
    Ok(())
}

fn replace(contents: &mut Contents, setting: &Key, old: &Value, new: &Value) {
    for tree in trees(contents) {
        if let Some(value) = tree.get_mut(setting).filter(|value| *value == old) {
            *value = new.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key::parse(name).unwrap()
    }

    fn contents(live: &[(&str, Value)]) -> Contents {
        let settings: Settings = live.iter().map(|(name, value)| (key(name), value.clone())).collect();
        let metadata =
            live.iter().map(|(name, _)| (key(name), [("m".to_owned(), json!("x"))].into())).collect();
        let unset = [("tx".to_owned(), settings.keys().cloned().collect())].into();
        Contents { pending: [("tx".to_owned(), settings.clone())].into(), live: settings, metadata, unset }
    }

    fn list(steps: &str) -> Declaration {
        Declaration::parse(steps).unwrap()
    }

    fn there(list: &Declaration, mut contents: Contents) -> Contents {
        list.apply(&mut contents, Direction::Forward).unwrap();
        contents
    }

    fn back(list: &Declaration, mut contents: Contents) -> Contents {
        list.apply(&mut contents, Direction::Backward).unwrap();
        contents
    }

    const RENAME: &str =
        "[[step]]\nkind = \"rename\"\nfrom = \"settings.old\"\nto = \"settings.new.group\"\n";

    #[test]
    fn a_setting_or_a_group_gets_another_name_everywhere_and_back() {
        let before = contents(&[
            ("settings.old.a", json!(1)),
            ("settings.old.b.c", json!(2)),
            ("settings.older", json!(3)),
        ]);
        let after = there(&list(RENAME), before.clone());
        let expected = contents(&[
            ("settings.new.group.a", json!(1)),
            ("settings.new.group.b.c", json!(2)),
            ("settings.older", json!(3)),
        ]);
        assert_eq!(after, expected);
        assert_eq!(back(&list(RENAME), after), before);
        let one = contents(&[("settings.old", json!("x"))]);
        assert_eq!(there(&list(RENAME), one), contents(&[("settings.new.group", json!("x"))]));
    }

    #[test]
    fn two_settings_never_end_in_one_place() {
        let mut both = contents(&[("settings.old", json!(1)), ("settings.new.group.x", json!(2))]);
        let error = list(RENAME).apply(&mut both, Direction::Forward).unwrap_err();
        assert!(error.to_string().contains("settings.new.group.x"), "{error}");
    }

    #[test]
    fn what_is_added_goes_on_the_way_back_and_what_is_removed_on_the_way_there() {
        let before = contents(&[("settings.a.b", json!(1)), ("settings.ab", json!(2))]);
        let less = contents(&[("settings.ab", json!(2))]);
        for (kind, changed, same) in [
            (
                "add",
                back as fn(&Declaration, Contents) -> Contents,
                there as fn(&Declaration, Contents) -> Contents,
            ),
            ("remove", there, back),
        ] {
            let list = list(&format!("[[step]]\nkind = \"{kind}\"\nsettings = [\"settings.a\"]\n"));
            assert_eq!(changed(&list, before.clone()), less, "{kind}");
            assert_eq!(same(&list, before.clone()), before, "{kind}");
        }
    }

    #[test]
    fn a_value_is_replaced_whatever_its_type_and_others_stay() {
        for (old, new) in
            [("\"a\"", "\"b\""), ("1", "2"), ("[\"a\"]", "[\"a\", \"b\"]"), ("true", "[\"yes\"]")]
        {
            let list = list(&format!(
                "[[step]]\nkind = \"replace\"\nsetting = \"settings.x\"\nold = {old}\nnew = {new}\n"
            ));
            let Step::Replace { old, new, .. } = &list.steps()[0] else { panic!("a replacement") };
            let (old, new) =
                (contents(&[("settings.x", old.clone())]), contents(&[("settings.x", new.clone())]));
            assert_eq!(there(&list, old.clone()), new);
            assert_eq!(back(&list, new), old);
            let own = contents(&[("settings.x", json!("own")), ("settings.y", json!("a"))]);
            assert_eq!(there(&list, own.clone()), own);
        }
    }

    #[test]
    fn what_is_noted_of_a_setting_comes_goes_and_changes() {
        let with = contents(&[("settings.x", json!(1))]);
        let without = Contents { metadata: Metadata::new(), ..with.clone() };
        let steps = |kind: &str, more: &str| {
            list(&format!("[[step]]\nkind = \"{kind}\"\nsetting = \"settings.x\"\n{more}\n"))
        };
        assert_eq!(back(&steps("add-metadata", "metadata = [\"m\"]"), with.clone()), without);
        assert_eq!(there(&steps("remove-metadata", "metadata = [\"m\"]"), with.clone()), without);
        let replace = steps("replace-metadata", "metadata = \"m\"\nold = \"x\"\nnew = \"y\"");
        let changed = there(&replace, with.clone());
        assert_eq!(changed.metadata[&key("settings.x")]["m"], json!("y"));
        assert_eq!(back(&replace, changed), with);
    }

    #[test]
    fn steps_go_back_in_the_other_order() {
        let list = list(
            "[[step]]\nkind = \"rename\"\nfrom = \"settings.a\"\nto = \"settings.b\"\n\
             [[step]]\nkind = \"replace\"\nsetting = \"settings.b\"\nold = 1\nnew = 2\n",
        );
        let before = contents(&[("settings.a", json!(1))]);
        let after = there(&list, before.clone());
        assert_eq!(after, contents(&[("settings.b", json!(2))]));
        assert_eq!(back(&list, after), before);
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_reason() {
        for (text, word) in [
            ("", "it has none"),
            ("[[step]]\nkind = \"move\"\n", "move"),
            ("[[step]]\nkind = \"add\"\nsettings = []\n", "names no setting"),
            ("[[step]]\nkind = \"add\"\nsettings = [\"a b\"]\n", "' ' is not allowed"),
            ("[[step]]\nkind = \"add\"\nsettings = [\"settings.a\"]\ncolour = 1\n", "colour"),
            (
                "[[step]]\nkind = \"rename\"\nfrom = \"settings.a\"\nto = \"settings.a.b\"\n",
                "below the other",
            ),
            ("[[step]]\nkind = \"replace\"\nsetting = \"settings.a\"\nold = 1\nnew = 1\n", "same"),
        ] {
            let error = Declaration::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_list_lies_at_the_end_of_a_program_and_nowhere_else() {
        let packed = pack(b"\x7fELF program", RENAME).unwrap();
        assert_eq!(Declaration::embedded(&packed).unwrap(), Some(list(RENAME)));
        assert_eq!(Declaration::embedded(b"\x7fELF program").unwrap(), None);
        assert!(pack(&packed, RENAME).is_err());
        for odd in [&MARK[..], b"\xff\xff\xff\xff\xff\xff\xff\xffMIGSTEP1", b"x\x09\0\0\0\0\0\0\0MIGSTEP1"] {
            assert_eq!(Declaration::embedded(odd).unwrap(), None, "{odd:?}");
        }
        assert!(Declaration::embedded(b"xx\x02\0\0\0\0\0\0\0MIGSTEP1").is_err());
    }
}
