//! What a way back would change, in lines for people.
//!
//! The server passes on what `updog rollback --dry-run` found. It is read leniently: what a newer one adds is for
//! programs, and for people what we know of.

use serde::Deserialize;
use serde_json::Value;

/// What would change, as far as people are told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Plan {
    from: Image,
    to: Image,
    set: Option<String>,
    settings: Settings,
    warnings: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Image {
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    way: Option<String>,
    migrations: Vec<String>,
    different: Option<Vec<String>>,
}

/// How many settings that differ are named.
const NAMED: usize = 12;

/// The lines; none where the server has told nothing that we know of.
#[must_use]
pub fn lines(plan: &Value) -> Vec<String> {
    let Ok(Plan { from, to, set, settings, warnings }) = Plan::deserialize(plan) else { return Vec::new() };
    let mut lines = Vec::new();
    let set = set.map(|set| format!(" from set {set}")).unwrap_or_default();
    let now = from.version.map(|version| format!(" instead of {version}")).unwrap_or_default();
    let then = to.version.unwrap_or_else(|| "what it holds".to_owned());
    lines.push(format!("The next boot starts {then}{set}{now}."));
    lines.extend(settings_line(&settings));
    lines.extend(warnings.into_iter().map(|warning| format!("Mind: {warning}")));
    lines
}

fn settings_line(settings: &Settings) -> Option<String> {
    match settings.way.as_deref()? {
        "same" => Some("The settings stay as they are.".to_owned()),
        "snapshot" => {
            let then = "The settings become those of the time when that version was left";
            Some(match settings.different.as_deref() {
                None => format!("{then}; later changes are lost."),
                Some([]) => format!("{then}: they are as today."),
                Some(names) if names.len() > NAMED => {
                    let (named, more) = names.split_at(NAMED);
                    format!(
                        "{then}; these are different from today: {}, and {} more.",
                        named.join(", "),
                        more.len()
                    )
                }
                Some(names) => format!("{then}; these are different from today: {}.", names.join(", ")),
            })
        }
        "migrate" => {
            let count = settings.migrations.len();
            let names = settings.migrations.join(", ");
            Some(match count {
                0 => "The settings stay as they are: no migration is needed.".to_owned(),
                1 => format!("One migration carries the settings over: {names}."),
                count => format!("{count} migrations carry the settings over: {names}."),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_told_with_what_is_known_of_it() {
        let plan = json!({
            "from": {"version": "1.1.0", "variant": "metal"}, "to": {"version": "1.0.0"}, "set": "A", "news": 1,
            "settings": {"way": "migrate", "migrations": ["a", "b"]},
            "warnings": ["1.0.0 is below the minimum version"],
        });
        assert_eq!(
            lines(&plan),
            [
                "The next boot starts 1.0.0 from set A instead of 1.1.0.",
                "2 migrations carry the settings over: a, b.",
                "Mind: 1.0.0 is below the minimum version",
            ]
        );
        assert_eq!(lines(&json!({})), ["The next boot starts what it holds."]);
        assert_eq!(lines(&json!(null)), Vec::<String>::new());
    }

    #[test]
    fn each_way_of_the_settings_has_its_line() {
        let told = |way: &str| lines(&json!({"settings": {"way": way}})).get(1).cloned();
        assert!(told("same").unwrap().contains("stay as they are"));
        assert!(told("snapshot").unwrap().contains("later changes are lost"));
        assert!(told("migrate").unwrap().contains("no migration is needed"));
        assert_eq!(told("of a newer server"), None);
        let differ = |names: &[&str]| {
            lines(&json!({"settings": {"way": "snapshot", "different": names}})).swap_remove(1)
        };
        assert!(differ(&[]).ends_with("they are as today."));
        assert!(
            differ(&["settings.a", "settings.b"]).ends_with("different from today: settings.a, settings.b.")
        );
        assert!(differ(&["s"; NAMED + 2]).ends_with(", s, and 2 more."));
    }
}
