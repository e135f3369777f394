//! The law of each ready-made helper, held through `migrator`: there by an update, back by a rollback.
//!
//! The store has what a law could be broken by: names that only begin alike, settings below others, metadata,
//! transactions that hold some of the settings and take others away, values that somebody has changed. What is promised
//! is worked out from that store by rules over names and values, and not by the helpers.

use std::collections::{BTreeMap, BTreeSet};

use datastore::store_dir::{Contents, Metadata, Settings};
use datastore::{Key, Value};
use serde_json::json;

use super::host::{Host, MISBEHAVE, settings};

/// What a helper makes of a setting's name, and of its value; `None` where it is gone.
type OfSetting = fn(&str, &Value) -> Option<(String, Value)>;
/// The same of an entry of metadata: the setting's name, the entry's name and its value.
type OfNote = fn(&str, &str, &Value) -> Option<(String, Value)>;

/// The law of one helper.
struct Law {
    name: &'static str,
    there: (OfSetting, OfNote),
    back: (OfSetting, OfNote),
    /// Settings that migrations lose and the kept store gives back.
    given_back: &'static [&'static str],
    /// The step of a list that has the same law, if there is one.
    step: Option<&'static str>,
}

const SAME: (OfSetting, OfNote) = (
    |name, value| Some((name.to_owned(), value.clone())),
    |name, _, value| Some((name.to_owned(), value.clone())),
);

const LAWS: [Law; 12] = [
    // Back, what the newer release added is gone; but the older release had it as well, and gets it back.
    Law {
        name: "addsettings",
        there: SAME,
        back: (without_text, SAME.1),
        given_back: &["settings.text"],
        step: None,
    },
    Law {
        name: "prefix",
        there: SAME,
        back: (
            |name, value| {
                let gone = name.starts_with("settings.group.") || name.starts_with("settings.te");
                (!gone).then(|| (name.to_owned(), value.clone()))
            },
            SAME.1,
        ),
        given_back: &[
            "settings.text",
            "settings.text-like",
            "settings.group.text",
            "settings.group.deep.list",
        ],
        step: None,
    },
    Law {
        name: "remove",
        there: (
            |name, value| {
                let gone = ["settings.text", "settings.group.text"].contains(&name);
                (!gone).then(|| (name.to_owned(), value.clone()))
            },
            SAME.1,
        ),
        back: SAME,
        given_back: &["settings.text", "settings.group.text"],
        step: None,
    },
    Law {
        name: "renamesettings",
        there: (
            |name, value| Some((renamed(name, "settings.text", "settings.words.first"), value.clone())),
            |name, _, value| Some((renamed(name, "settings.text", "settings.words.first"), value.clone())),
        ),
        back: (
            |name, value| Some((renamed(name, "settings.words.first", "settings.text"), value.clone())),
            |name, _, value| Some((renamed(name, "settings.words.first", "settings.text"), value.clone())),
        ),
        given_back: &[],
        step: Some("kind = \"rename\"\nfrom = \"settings.text\"\nto = \"settings.words.first\""),
    },
    Law {
        name: "subtree",
        there: (
            |name, value| Some((moved(name, "settings.group.", "settings.other.place."), value.clone())),
            |name, _, value| Some((moved(name, "settings.group.", "settings.other.place."), value.clone())),
        ),
        back: (
            |name, value| Some((moved(name, "settings.other.place.", "settings.group."), value.clone())),
            |name, _, value| Some((moved(name, "settings.other.place.", "settings.group."), value.clone())),
        ),
        given_back: &[],
        step: Some("kind = \"rename\"\nfrom = \"settings.group\"\nto = \"settings.other.place\""),
    },
    Law {
        name: "string",
        there: (|name, value| swapped(name, value, "settings.text", json!("old"), json!("new")), SAME.1),
        back: (|name, value| swapped(name, value, "settings.text", json!("new"), json!("old")), SAME.1),
        given_back: &[],
        step: Some("kind = \"replace\"\nsetting = \"settings.text\"\nold = \"old\"\nnew = \"new\""),
    },
    Law {
        name: "lists",
        there: (
            |name, value| swapped(name, value, "settings.list", json!(["a", "b"]), json!(["a", "b", "c"])),
            SAME.1,
        ),
        back: (
            |name, value| swapped(name, value, "settings.list", json!(["a", "b", "c"]), json!(["a", "b"])),
            SAME.1,
        ),
        given_back: &[],
        step: Some(
            "kind = \"replace\"\nsetting = \"settings.list\"\nold = [\"a\", \"b\"]\nnew = [\"a\", \"b\", \"c\"]",
        ),
    },
    Law {
        name: "addmetadata",
        there: SAME,
        back: (SAME.0, without_note),
        given_back: &[],
        step: Some("kind = \"add-metadata\"\nsetting = \"settings.text\"\nmetadata = [\"note\"]"),
    },
    Law {
        name: "removemetadata",
        there: (SAME.0, without_note),
        back: SAME,
        given_back: &[],
        step: Some("kind = \"remove-metadata\"\nsetting = \"settings.text\"\nmetadata = [\"note\"]"),
    },
    Law {
        name: "metadata",
        there: (SAME.0, |name, note, value| {
            let here = (name, note) == ("settings.text", "note") && *value == json!("old");
            Some((name.to_owned(), if here { json!("new") } else { value.clone() }))
        }),
        back: (SAME.0, |name, note, value| {
            let here = (name, note) == ("settings.text", "note") && *value == json!("new");
            Some((name.to_owned(), if here { json!("old") } else { value.clone() }))
        }),
        given_back: &[],
        step: Some(
            "kind = \"replace-metadata\"\nsetting = \"settings.text\"\nmetadata = \"note\"\nold = \"old\"\nnew = \"new\"",
        ),
    },
    Law {
        name: "metadatalists",
        there: (SAME.0, |name, note, value| {
            let here = (name, note) == ("settings.list", "services") && *value == json!(["p"]);
            Some((name.to_owned(), if here { json!(["p", "q"]) } else { value.clone() }))
        }),
        back: (SAME.0, |name, note, value| {
            let here = (name, note) == ("settings.list", "services") && *value == json!(["p", "q"]);
            Some((name.to_owned(), if here { json!(["p"]) } else { value.clone() }))
        }),
        given_back: &[],
        step: Some(
            "kind = \"replace-metadata\"\nsetting = \"settings.list\"\nmetadata = \"services\"\nold = [\"p\"]\nnew = [\"p\", \"q\"]",
        ),
    },
    Law { name: "nothing", there: SAME, back: SAME, given_back: &[], step: None },
];

fn without_text(name: &str, value: &Value) -> Option<(String, Value)> {
    (name != "settings.text").then(|| (name.to_owned(), value.clone()))
}

fn without_note(name: &str, note: &str, value: &Value) -> Option<(String, Value)> {
    ((name, note) != ("settings.text", "note")).then(|| (name.to_owned(), value.clone()))
}

fn renamed(name: &str, from: &str, to: &str) -> String {
    if name == from { to.to_owned() } else { name.to_owned() }
}

fn moved(name: &str, from: &str, to: &str) -> String {
    name.strip_prefix(from).map_or_else(|| name.to_owned(), |rest| format!("{to}{rest}"))
}

fn swapped(name: &str, value: &Value, setting: &str, from: Value, to: Value) -> Option<(String, Value)> {
    Some((name.to_owned(), if name == setting && *value == from { to } else { value.clone() }))
}

/// A store that has something of everything.
fn store() -> Contents {
    let noted = |name: &str, entries: &[(&str, Value)]| {
        let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        (key(name), entries)
    };
    Contents {
        live: settings([
            ("settings.text", json!("old")),
            ("settings.text-like", json!("old")),
            ("settings.list", json!(["a", "b"])),
            ("settings.list-like", json!(["a", "b"])),
            ("settings.group.text", json!("old")),
            ("settings.group.deep.list", json!(["a", "b"])),
            ("settings.group-like", json!(7)),
        ]),
        metadata: Metadata::from([
            noted("settings.text", &[("note", json!("old")), ("other", json!({ "any": "thing" }))]),
            noted("settings.text-like", &[("note", json!("old"))]),
            noted("settings.list", &[("services", json!(["p"])), ("note", json!("old"))]),
            noted("settings.group.text", &[("note", json!("old")), ("services", json!(["p"]))]),
        ]),
        pending: BTreeMap::from([
            (
                "some".to_owned(),
                settings([("settings.text", json!("old")), ("settings.group-like", json!(8))]),
            ),
            (
                "own".to_owned(),
                settings([("settings.text", json!("own")), ("settings.list", json!(["b", "a"]))]),
            ),
            ("below".to_owned(), settings([("settings.group.deep.list", json!([]))])),
        ]),
        unset: BTreeMap::from([
            ("below".to_owned(), BTreeSet::from([key("settings.group.text"), key("settings.text-like")])),
            ("away".to_owned(), BTreeSet::from([key("settings.text"), key("settings.list")])),
        ]),
    }
}

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

/// What a law makes of a store. What a transaction takes away goes by the rules for settings.
fn promised(before: &Contents, (of_setting, of_note): (OfSetting, OfNote)) -> Contents {
    let carried = |settings: &Settings| -> Settings {
        let new = settings.iter().filter_map(|(key, value)| of_setting(&key.to_string(), value));
        new.map(|(name, value)| (key(&name), value)).collect()
    };
    let mut after = Contents { live: carried(&before.live), ..Contents::default() };
    for (name, pending) in &before.pending {
        after.pending.insert(name.clone(), carried(pending));
    }
    for (name, unset) in &before.unset {
        let names = unset.iter().filter_map(|key| of_setting(&key.to_string(), &json!(null)));
        after.unset.insert(name.clone(), names.map(|(name, _)| key(&name)).collect());
    }
    for (of, entries) in &before.metadata {
        for (note, value) in entries {
            if let Some((name, value)) = of_note(&of.to_string(), note, value) {
                after.metadata.entry(key(&name)).or_default().insert(note.clone(), value);
            }
        }
    }
    // Transactions that have nothing in them are not stored.
    after.pending.retain(|_, settings| !settings.is_empty());
    after.unset.retain(|_, keys| !keys.is_empty());
    after
}

#[test]
fn each_helper_keeps_its_law_there_and_back() {
    for law in LAWS {
        let host = Host::with_store(&store());
        host.stage(&[("1.0.0", "1.1.0", &[&format!("migrate_v1.1.0_{}", law.name)])]);
        holds(&host, &law);
    }
}

#[test]
fn each_step_of_a_list_keeps_the_law_of_its_helper() {
    for law in LAWS {
        let Some(step) = law.step else { continue };
        let host = Host::with_store(&store());
        host.stage_list("migrate_v1.1.0_list", &format!("[[step]]\n{step}\n"));
        holds(&host, &law);
    }
}

/// There by an update, back by a rollback.
fn holds(host: &Host, &Law { name, there, back, given_back, step: _ }: &Law) {
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    let after = promised(&store(), there);
    assert_eq!(host.store(), ("1.1.0".to_owned(), after.clone()), "{name}, there");

    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    let mut again = promised(&after, back);
    for key in given_back.iter().map(|name| key(name)) {
        again.live.insert(key.clone(), store().live[&key].clone());
    }
    assert_eq!(host.store(), ("1.0.0".to_owned(), again), "{name}, back");
}

#[test]
fn what_a_person_unset_on_the_newer_release_does_not_come_back() {
    let host = Host::with_store(&store());
    host.stage(&[("1.0.0", "1.1.0", &["migrate_v1.1.0_remove"])]);
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    host.unset("settings.text-like");
    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    let live = host.live();
    assert!(!live.contains_key(&key("settings.text-like")), "{live:?}");
    assert_eq!(live[&key("settings.text")], json!("old"));
}

#[test]
fn where_nobody_can_tell_what_was_lost_the_kept_store_itself_returns_and_loses_nothing() {
    let host = Host::with_store(&store());
    let kept = host.base().join(host.chain().data_dir);
    host.stage(&[("1.0.0", "1.1.0", &["migrate_v1.1.0_remove", MISBEHAVE])]);
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    let newer = host.base().join(host.chain().data_dir);
    // The way there fails now, for that store alone.
    std::fs::write(kept.join("live/settings/misbehave"), "\"fail\"").unwrap();
    host.bits(true, true);
    let ran = host.boot("1.0.0");
    ran.expect_ok();
    assert!(ran.err.contains("linking the settings that 1.0.0 had when it was left"), "{}", ran.err);
    assert_eq!(host.live()[&key("settings.text")], json!("old"));
    assert!(newer.exists(), "those of 1.1.0 stay");
}

#[test]
fn without_the_kept_store_what_was_removed_is_left_to_the_defaults() {
    let host = Host::with_store(&store());
    let kept = host.base().join(host.chain().data_dir);
    host.stage(&[("1.0.0", "1.1.0", &["migrate_v1.1.0_remove"])]);
    host.bits(false, true);
    host.boot("1.1.0").expect_ok();
    std::fs::remove_dir_all(kept).unwrap();
    host.bits(true, true);
    host.boot("1.0.0").expect_ok();
    assert!(!host.live().contains_key(&key("settings.text")));
    assert!(host.live().contains_key(&key("settings.text-like")));
}
