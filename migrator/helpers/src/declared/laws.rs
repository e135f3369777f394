//! What each step promises, there and back.

use datastore::store_dir::{Contents, Metadata, Settings};
use datastore::{Key, Value};
use serde_json::json;

use super::{Declaration, Step};
use crate::args::Direction;

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

fn contents(live: &[(&str, Value)]) -> Contents {
    let settings: Settings = live.iter().map(|(name, value)| (key(name), value.clone())).collect();
    let metadata = live.iter().map(|(name, _)| (key(name), [("m".to_owned(), json!("x"))].into())).collect();
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

const RENAME: &str = "[[step]]\nkind = \"rename\"\nfrom = \"settings.old\"\nto = \"settings.new.group\"\n";

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
    for (old, new) in [("\"a\"", "\"b\""), ("1", "2"), ("[\"a\"]", "[\"a\", \"b\"]"), ("true", "[\"yes\"]")] {
        let list = list(&format!(
            "[[step]]\nkind = \"replace\"\nsetting = \"settings.x\"\nold = {old}\nnew = {new}\n"
        ));
        let Step::Replace { old, new, .. } = &list.steps()[0] else { panic!("a replacement") };
        let (old, new) = (contents(&[("settings.x", old.clone())]), contents(&[("settings.x", new.clone())]));
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
