//! The type of a setting and which values it takes.

use std::fmt;

use datastore::Value;
use regex_lite::Regex;

use crate::Format;

/// The type of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A text.
    String(TextRule),
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// True or false.
    Boolean,
    /// A list of texts, each by the same rule.
    Strings(TextRule),
}

/// Which texts are taken; by default all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextRule {
    /// The allowed texts; empty when that does not matter.
    pub values: Vec<String>,
    /// What the text must mean.
    pub format: Option<Format>,
    /// What the whole text must match.
    pub pattern: Option<Pattern>,
    /// Whether the empty text is taken as well. It then stands for "not set".
    pub empty: Empty,
}

/// Whether an empty text passes every rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Empty {
    /// It is judged as any other.
    #[default]
    Judged,
    /// It does.
    Taken,
}

/// A regular expression that a whole text must match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// The pattern of that text, anchored at both ends.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn new(text: &str) -> Result<Self, regex_lite::Error> {
        Ok(Self { text: text.to_owned(), regex: Regex::new(&format!(r"\A(?:{text})\z"))? })
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn takes(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TextRule {
    /// Whether `text` is taken.
    #[must_use]
    pub fn takes(&self, text: &str) -> bool {
        (text.is_empty() && self.empty == Empty::Taken)
            || ((self.values.is_empty() || self.values.iter().any(|one| one == text))
                && self.format.is_none_or(|format| format.takes(text))
                && self.pattern.as_ref().is_none_or(|pattern| pattern.takes(text)))
    }

    fn is_any(&self) -> bool {
        self.values.is_empty() && self.format.is_none() && self.pattern.is_none()
    }
}

/// What it takes, to be read after "it takes".
impl fmt::Display for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.values[..], &self.format, &self.pattern) {
            ([], None, None) => f.write_str("a text")?,
            ([], Some(format), None) => format.fmt(f)?,
            ([], None, Some(pattern)) => write!(f, "a text that matches {pattern}")?,
            ([], Some(format), Some(pattern)) => write!(f, "{format} that matches {pattern}")?,
            (values, _, _) => write!(f, "one of {}", values.join(", "))?,
        }
        match self.empty {
            Empty::Taken if !self.is_any() => f.write_str(", or an empty text for none"),
            Empty::Taken | Empty::Judged => Ok(()),
        }
    }
}

impl Kind {
    /// Whether a setting of this type may hold `value`.
    #[must_use]
    pub fn takes(&self, value: &Value) -> bool {
        match self {
            Self::String(rule) => value.as_str().is_some_and(|text| rule.takes(text)),
            Self::Integer { min, max } => {
                value.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            Self::Boolean => value.is_boolean(),
            Self::Strings(rule) => value.as_array().is_some_and(|items| {
                items.iter().all(|item| item.as_str().is_some_and(|text| rule.takes(text)))
            }),
        }
    }

    /// The value that a person means by `text`; `None` when it is none of this type. A list is written as JSON. Whether
    /// the setting takes it is another question.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Value> {
        Some(match self {
            // A text is taken as it is, also one that looks like a number.
            Self::String(_) => Value::from(text),
            Self::Integer { .. } => Value::from(text.parse::<i64>().ok()?),
            Self::Boolean => Value::from(text.parse::<bool>().ok()?),
            Self::Strings(_) => serde_json::from_str(text).ok()?,
        })
    }
}

/// What the type takes, to be read after "it takes".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(rule) => rule.fmt(f),
            Self::Integer { min: i64::MIN, max: i64::MAX } => f.write_str("a whole number"),
            Self::Integer { min, max: i64::MAX } => write!(f, "a whole number from {min} on"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Boolean => f.write_str("true or false"),
            Self::Strings(rule) if rule.is_any() => f.write_str("a list of texts, such as [\"a\", \"b\"]"),
            Self::Strings(rule) => write!(f, "a list of texts such as [\"a\", \"b\"], each {rule}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ANY_NUMBER: Kind = Kind::Integer { min: i64::MIN, max: i64::MAX };

    fn any() -> Kind {
        Kind::String(TextRule::default())
    }

    fn choice() -> Kind {
        Kind::String(TextRule { values: vec!["a".to_owned(), "b".to_owned()], ..TextRule::default() })
    }

    #[test]
    fn each_type_takes_its_own_values_and_no_others() {
        let samples =
            [json!("a"), json!(7), json!(true), json!(["a"]), json!(null), json!({}), json!(1.5), json!([1])];
        let taken = |kind: &Kind| samples.iter().map(|value| kind.takes(value)).collect::<Vec<_>>();
        assert_eq!(taken(&any()), [true, false, false, false, false, false, false, false]);
        assert_eq!(taken(&ANY_NUMBER), [false, true, false, false, false, false, false, false]);
        assert_eq!(taken(&Kind::Boolean), [false, false, true, false, false, false, false, false]);
        assert_eq!(
            taken(&Kind::Strings(TextRule::default())),
            [false, false, false, true, false, false, false, false]
        );
        assert!(choice().takes(&json!("b")));
        assert!(!choice().takes(&json!("c")));
    }

    #[test]
    fn a_typed_text_becomes_a_value_of_the_settings_type() {
        assert_eq!(any().read("42"), Some(json!("42")));
        assert_eq!(ANY_NUMBER.read("42"), Some(json!(42)));
        assert_eq!(ANY_NUMBER.read("4.2"), None);
        assert_eq!(Kind::Boolean.read("true"), Some(json!(true)));
        assert_eq!(Kind::Boolean.read("yes"), None);
        assert_eq!(Kind::Strings(TextRule::default()).read(r#"["a"]"#), Some(json!(["a"])));
        assert_eq!(Kind::Strings(TextRule::default()).read("a"), None);
    }

    #[test]
    fn numbers_have_ends_and_lists_have_rules_for_each_item() {
        let seed = Kind::Integer { min: 0, max: 2048 };
        let taken = [-1, 0, 2048, 2049, i64::MAX].map(|number| seed.takes(&json!(number)));
        assert_eq!(taken, [false, true, true, false, false]);
        let hosts = Kind::Strings(TextRule { format: Some(Format::Host), ..TextRule::default() });
        assert!(hosts.takes(&json!(["a.example", "192.0.2.1"])));
        assert!(!hosts.takes(&json!(["a.example", "not a host"])));
        assert!(hosts.to_string().contains("each the name or the address of a host"), "{hosts}");
    }

    #[test]
    fn a_pattern_is_for_the_whole_text_and_empty_may_pass_it() {
        let rule =
            |empty| TextRule { pattern: Some(Pattern::new("a|bc").unwrap()), empty, ..TextRule::default() };
        let taken = |rule: &TextRule| ["a", "bc", "abc", "a\n", ""].map(|text| rule.takes(text));
        assert_eq!(taken(&rule(Empty::Judged)), [true, true, false, false, false]);
        assert_eq!(taken(&rule(Empty::Taken)), [true, true, false, false, true]);
        assert_eq!(rule(Empty::Taken).to_string(), "a text that matches a|bc, or an empty text for none");
        assert!(Pattern::new("(").is_err());
    }
}
