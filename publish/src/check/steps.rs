//! Lists of steps between two releases, held against the settings models of both: a rule over values.

use datastore::Key;
use migration_helpers::declared::Step;
use settings_model::{Model, Name};

/// What is wrong with the steps, and what is worth a thought; a sentence each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) wrong: Vec<String>,
    pub(super) mind: Vec<String>,
}

/// The two releases, with their names for people.
pub(super) struct Releases<'a> {
    pub(super) older: (&'a str, &'a Model),
    pub(super) newer: (&'a str, &'a Model),
}

/// Judges all steps of the way from one release to the other, in their order. A setting that changes its name on the way
/// is known to the older release by its first one and to the newer by its last.
pub(super) fn judge(steps: &[&Step], releases: &Releases<'_>) -> Judged {
    let mut judged = Judged::default();
    let ((from, older), (to, newer)) = (releases.older, releases.newer);
    for (at, step) in steps.iter().enumerate() {
        let first = |key: &Key| first_name(&steps[..at], key);
        let last = |key: &Key| last_name(&steps[at + 1..], key);
        let mut older_knows = |key: &Key| {
            if let Some(name) = first(key).filter(|name| !knows(older, name)) {
                judged.wrong.push(format!("\"{step}\": {from} has no setting {name}"));
            }
        };
        match step {
            Step::Remove { settings } => settings.iter().for_each(older_knows),
            Step::Rename { from, .. } => older_knows(from),
            Step::Replace { setting, .. } => older_knows(setting),
            _ => {}
        }
        let mut newer_knows = |key: &Key| {
            if let Some(name) = last(key).filter(|name| !knows(newer, name)) {
                judged.wrong.push(format!("\"{step}\": {to} has no setting {name}"));
            }
        };
        match step {
            Step::Add { settings } => settings.iter().for_each(newer_knows),
            Step::Rename { to, .. } => newer_knows(to),
            Step::Replace { setting, .. } => newer_knows(setting),
            _ => {}
        }
        if let Step::Replace { setting, old, new } = step
            && steps.iter().filter(|other| matches!(other, Step::Replace { .. })).count() == 1
        {
            for (version, model, name, value) in
                [(from, older, first(setting), old), (to, newer, last(setting), new)]
            {
                let kind = name.and_then(|name| Some(&model.get(&name)?.kind));
                if let Some(kind) = kind.filter(|kind| !kind.takes(value)) {
                    judged
                        .wrong
                        .push(format!("\"{step}\": {version} does not take {value}; it takes {kind}"));
                }
            }
        }
    }
    for key in older.names().filter_map(Name::key) {
        match last_name(steps, &key) {
            Some(name) if !knows(newer, &name) => judged.mind.push(format!(
                "{to} has no setting {name}, and no step says what becomes of it: it stays in the store"
            )),
            Some(name) => {
                let replaced = steps.iter().any(|step| matches!(step, Step::Replace { .. }));
                let kinds = older.get(&key).zip(newer.get(&name));
                if let Some((was, is)) = kinds.filter(|(was, is)| was.kind != is.kind && !replaced) {
                    judged.mind.push(format!(
                        "{name} takes something else in {to}, and no step replaces a value: it takes {}, and took {}",
                        is.kind, was.kind
                    ));
                }
            }
            None => {}
        }
    }
    for key in newer.names().filter_map(Name::key) {
        if first_name(steps, &key).is_some_and(|name| !knows(older, &name)) {
            judged.mind.push(format!("{key} is new in {to}, and no step adds it: on the way back it stays"));
        }
    }
    judged
}

fn knows(model: &Model, key: &Key) -> bool {
    model.has(key) || model.has_below(key)
}

/// What `key` is called after these steps; `None` where one removes it.
fn last_name(steps: &[&Step], key: &Key) -> Option<Key> {
    let mut key = key.clone();
    for step in steps {
        match step {
            Step::Remove { settings } if is_in(&key, settings) => return None,
            Step::Rename { from, to } => key = renamed(&key, from, to),
            _ => {}
        }
    }
    Some(key)
}

/// What `key` was called before these steps; `None` where one adds it.
fn first_name(steps: &[&Step], key: &Key) -> Option<Key> {
    let mut key = key.clone();
    for step in steps.iter().rev() {
        match step {
            Step::Add { settings } if is_in(&key, settings) => return None,
            Step::Rename { from, to } => key = renamed(&key, to, from),
            _ => {}
        }
    }
    Some(key)
}

fn is_in(key: &Key, names: &[Key]) -> bool {
    names.iter().any(|name| key == name || key.is_below(name))
}

fn renamed(key: &Key, from: &Key, to: &Key) -> Key {
    if key != from && !key.is_below(from) {
        return key.clone();
    }
    let rest = &key.segments()[from.segments().len()..];
    // A name that is too long stays as it is: the steps themselves will not do better.
    Key::from_segments(to.segments().iter().chain(rest).cloned()).unwrap_or_else(|_| key.clone())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use migration_helpers::declared::Declaration;

    use super::*;

    fn model(settings: &[(&str, &str)]) -> Model {
        let entry = |(key, more): &(&str, &str)| format!("[[setting]]\nkey = {key:?}\n{more}\n");
        Model::parse(&settings.iter().map(entry).collect::<String>(), Path::new("m")).unwrap()
    }

    fn judged(older: &[(&str, &str)], newer: &[(&str, &str)], steps: &str) -> Judged {
        let list = Declaration::parse(steps).unwrap();
        let steps: Vec<&Step> = list.steps().iter().collect();
        let (older, newer) = (model(older), model(newer));
        judge(&steps, &Releases { older: ("1.0.0", &older), newer: ("1.1.0", &newer) })
    }

    const TEXT: &str = "type = \"string\"";

    #[test]
    fn steps_that_fit_both_releases_pass() {
        let older = [("settings.ntp.mode", TEXT), ("settings.box.<id>.on", TEXT), ("settings.old", TEXT)];
        let newer =
            [("settings.time.mode", TEXT), ("settings.crate.<id>.on", TEXT), ("settings.new.a", TEXT)];
        let steps = "[[step]]\nkind = \"rename\"\nfrom = \"settings.ntp\"\nto = \"settings.clock\"\n\
                     [[step]]\nkind = \"rename\"\nfrom = \"settings.clock\"\nto = \"settings.time\"\n\
                     [[step]]\nkind = \"replace\"\nsetting = \"settings.time.mode\"\nold = \"a\"\nnew = \"b\"\n\
                     [[step]]\nkind = \"rename\"\nfrom = \"settings.box\"\nto = \"settings.crate\"\n\
                     [[step]]\nkind = \"remove\"\nsettings = [\"settings.old\"]\n\
                     [[step]]\nkind = \"add\"\nsettings = [\"settings.new\"]\n";
        assert_eq!(judged(&older, &newer, steps), Judged::default());
    }

    #[test]
    fn a_name_that_a_release_does_not_know_is_told() {
        let (older, newer) = ([("settings.a", TEXT)], [("settings.b", TEXT)]);
        for (steps, told) in [
            (
                "kind = \"rename\"\nfrom = \"settings.aa\"\nto = \"settings.b\"",
                "1.0.0 has no setting settings.aa",
            ),
            (
                "kind = \"rename\"\nfrom = \"settings.a\"\nto = \"settings.bb\"",
                "1.1.0 has no setting settings.bb",
            ),
            ("kind = \"add\"\nsettings = [\"settings.x\"]", "1.1.0 has no setting settings.x"),
            ("kind = \"remove\"\nsettings = [\"settings.x\"]", "1.0.0 has no setting settings.x"),
        ] {
            let found = judged(&older, &newer, &format!("[[step]]\n{steps}\n"));
            assert!(found.wrong[0].ends_with(told), "{found:?}");
        }
    }

    #[test]
    fn a_value_that_a_release_does_not_take_is_told() {
        let (older, newer) = (
            [("settings.a", "type = \"integer\"")],
            [("settings.a", "type = \"string\"\nvalues = [\"one\"]")],
        );
        let found = judged(
            &older,
            &newer,
            "[[step]]\nkind = \"replace\"\nsetting = \"settings.a\"\nold = \"1\"\nnew = \"two\"\n",
        );
        assert_eq!(found.wrong.len(), 2, "{found:?}");
        assert!(found.wrong[1].contains("1.1.0 does not take \"two\"; it takes one of one"), "{found:?}");
    }

    #[test]
    fn what_no_step_names_is_worth_a_thought() {
        let older = [("settings.a", TEXT), ("settings.gone", TEXT)];
        let newer = [("settings.a", "type = \"strings\""), ("settings.new", TEXT)];
        let steps = "[[step]]\nkind = \"add-metadata\"\nsetting = \"settings.a\"\nmetadata = [\"m\"]\n";
        let found = judged(&older, &newer, steps);
        assert_eq!(found.wrong, [""; 0]);
        for told in
            ["settings.a takes something else", "no setting settings.gone", "settings.new is new in 1.1.0"]
        {
            assert!(found.mind.iter().any(|sentence| sentence.contains(told)), "{told}: {found:?}");
        }
    }
}
