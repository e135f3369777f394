//! What of the settings a template looks at, found without rendering it.
//!
//! A change is nothing to a file whose template does not look at what changed; so one setting beside thousands costs
//! what is made of it. Where a template does more than print, ask and repeat, it is taken to look at everything: that
//! costs time and is never wrong.

use std::collections::{BTreeMap, BTreeSet};

use datastore::{Key, Value};
use minijinja::Template;
use settings_model::tree;

/// What of the settings something looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// It may be all of them.
    Anything,
    /// These settings and groups.
    These(BTreeSet<Key>),
}

impl Default for Reads {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Reads {
    /// What a template looks at.
    #[must_use]
    pub fn of(template: &Template<'_, '_>) -> Self {
        if !is_plain(template.source()) {
            return Self::Anything;
        }
        let mut reads = BTreeSet::new();
        for name in template.undeclared_variables(true) {
            let mut path = name.split('.');
            match path.next() {
                Some("settings") => {}
                // It prints whatever there is.
                Some("debug") => return Self::Anything,
                _ => continue,
            }
            let Ok(key) = Key::from_segments(name.split('.')) else { return Self::Anything };
            if key.segments().len() == 1 {
                return Self::Anything;
            }
            reads.insert(key);
        }
        Self::These(reads)
    }

    /// This and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::These(mut one), Self::These(other)) => {
                one.extend(other);
                Self::These(one)
            }
            _ => Self::Anything,
        }
    }

    /// Whether it looks at `key`, at a group that it lies in, or into it.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        match self {
            Self::Anything => true,
            Self::These(reads) => {
                reads.iter().any(|read| read == key || key.is_below(read) || read.is_below(key))
            }
        }
    }

    /// Those of `settings` that it looks at, nested, without the outer `settings`.
    #[must_use]
    pub fn nested(&self, settings: &BTreeMap<Key, Value>) -> Value {
        let Self::These(reads) = self else { return tree::nested(settings) };
        let mut seen = BTreeMap::new();
        for read in reads {
            seen.extend(tree::at_or_below(settings, read));
            // A name may lead into the value of a setting.
            for len in 1..read.segments().len() {
                let above = Key::from_segments(&read.segments()[..len]).ok();
                seen.extend(above.and_then(|above| settings.get_key_value(&above)));
            }
        }
        tree::nested(seen)
    }
}

/// Whether nothing in a template hides the name `settings`, or brings another template in.
fn is_plain(source: &str) -> bool {
    source.split("{%").skip(1).all(|tag| {
        let tag = tag.trim_start_matches(['-', '+']).trim_start();
        let end = tag.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tag.len());
        match tag.split_at(end) {
            ("if" | "elif" | "else" | "endif" | "for" | "endfor" | "endset", _) => true,
            ("set", rest) => {
                let target = rest.split(['=', '%']).next().unwrap_or_default();
                !target.contains("settings")
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;
    use serde_json::json;

    use super::*;

    fn reads(source: &str) -> Option<Vec<String>> {
        let mut environment = Environment::new();
        environment.add_template("t", source).unwrap();
        match Reads::of(&environment.get_template("t").unwrap()) {
            Reads::Anything => None,
            Reads::These(keys) => Some(keys.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        let named = |source| reads(source).unwrap_or_else(|| panic!("{source}"));
        assert_eq!(named("text {{ id }} {{ it.source | env }}"), [""; 0]);
        assert_eq!(named("{{ settings.motd }}"), ["settings.motd"]);
        assert_eq!(
            named("{% if settings.a.b and not settings.c %}x{% endif %}"),
            ["settings.a.b", "settings.c"]
        );
        assert_eq!(
            named("{%- for x in settings.a.list %}{{ x.y }}{% else %}{{ settings.d }}{% endfor -%}"),
            ["settings.a.list", "settings.d"]
        );
        assert_eq!(named(r#"{{ settings.network["https-proxy"] }}"#), ["settings.network"]);
        assert_eq!(
            named("{{ it[settings.which] }}{{ x(settings.arg, k=settings.kw) }}"),
            ["settings.arg", "settings.kw", "settings.which"]
        );
        assert_eq!(
            named("{% set s = settings.a %}{{ s.b }}{% set t %}{{ settings.b }}{% endset %}"),
            ["settings.a", "settings.b"]
        );
        assert_eq!(named("{% for settings in settings.a %}{{ settings.b }}{% endfor %}"), ["settings.a"]);
    }

    #[test]
    fn what_cannot_be_followed_counts_as_everything() {
        for source in [
            "{{ settings }}",
            "{% for group in settings %}{{ group }}{% endfor %}",
            r#"{{ settings["motd"] }}"#,
            "{% set settings = settings.a %}{{ settings.b }}",
            "{%- with settings = settings.a %}{{ settings.b }}{% endwith %}",
            "{% macro m(settings) %}{{ settings.b }}{% endmacro %}{{ settings.c }}",
            "{%+ include \"other\" %}",
            "{{ debug() }}",
        ] {
            assert_eq!(reads(source), None, "{source}");
        }
    }

    #[test]
    fn only_what_is_looked_at_is_nested_and_a_value_on_the_way_is_too() {
        let key = |name: &str| Key::parse(name).unwrap();
        let settings: BTreeMap<Key, Value> = [
            ("settings.a.b.c", json!(1)),
            ("settings.a.bb", json!(2)),
            ("settings.list", json!([3])),
            ("settings.motd", json!("x")),
        ]
        .map(|(name, value)| (key(name), value))
        .into();
        let reads = Reads::These([key("settings.a.b"), key("settings.list.first")].into());
        assert_eq!(reads.nested(&settings), json!({"a": {"b": {"c": 1}}, "list": [3]}));
        assert_eq!(Reads::Anything.nested(&settings), tree::nested(&settings));
        for (name, has) in [
            ("settings.a.b.c", true),
            ("settings.a", true),
            ("settings.a.bb", false),
            ("settings.list", true),
        ] {
            assert_eq!(reads.has(&key(name)), has, "{name}");
        }
    }
}
