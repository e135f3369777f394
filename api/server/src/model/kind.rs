//! The type of a setting and which values it takes.

use std::fmt;

use datastore::Value;

/// The type of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Any text, or one of `values` where there are any.
    String {
        /// The allowed texts; empty when all are.
        values: Vec<String>,
    },
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list of texts.
    Strings,
}

impl Kind {
    /// Whether a setting of this type may hold `value`.
    #[must_use]
    pub fn takes(&self, value: &Value) -> bool {
        match self {
            Self::String { values } => {
                value.as_str().is_some_and(|text| values.is_empty() || values.iter().any(|one| one == text))
            }
            Self::Integer => value.as_i64().is_some(),
            Self::Boolean => value.is_boolean(),
            Self::Strings => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }

    /// The value that a person means by `text`; `None` when it is none of this type. A list is written as JSON.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Value> {
        let value = match self {
            // A text is taken as it is, also one that looks like a number.
            Self::String { .. } => Value::from(text),
            Self::Integer => Value::from(text.parse::<i64>().ok()?),
            Self::Boolean => Value::from(text.parse::<bool>().ok()?),
            Self::Strings => serde_json::from_str(text).ok()?,
        };
        self.takes(&value).then_some(value)
    }
}

/// What the type takes, to be read after "it takes".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String { values } if values.is_empty() => f.write_str("a text"),
            Self::String { values } => write!(f, "one of {}", values.join(", ")),
            Self::Integer => f.write_str("a whole number"),
            Self::Boolean => f.write_str("true or false"),
            Self::Strings => f.write_str("a list of texts, such as [\"a\", \"b\"]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choice() -> Kind {
        Kind::String { values: vec!["a".to_owned(), "b".to_owned()] }
    }

    #[test]
    fn each_type_takes_its_own_values_and_no_others() {
        let any = Kind::String { values: Vec::new() };
        let samples =
            [json!("a"), json!(7), json!(true), json!(["a"]), json!(null), json!({}), json!(1.5), json!([1])];
        let taken = |kind: &Kind| samples.iter().map(|value| kind.takes(value)).collect::<Vec<_>>();
        assert_eq!(taken(&any), [true, false, false, false, false, false, false, false]);
        assert_eq!(taken(&Kind::Integer), [false, true, false, false, false, false, false, false]);
        assert_eq!(taken(&Kind::Boolean), [false, false, true, false, false, false, false, false]);
        assert_eq!(taken(&Kind::Strings), [false, false, false, true, false, false, false, false]);
        assert!(choice().takes(&json!("b")));
        assert!(!choice().takes(&json!("c")));
    }

    #[test]
    fn a_typed_text_becomes_a_value_of_the_settings_type() {
        assert_eq!(Kind::String { values: Vec::new() }.read("42"), Some(json!("42")));
        assert_eq!(Kind::Integer.read("42"), Some(json!(42)));
        assert_eq!(Kind::Integer.read("4.2"), None);
        assert_eq!(Kind::Boolean.read("true"), Some(json!(true)));
        assert_eq!(Kind::Boolean.read("yes"), None);
        assert_eq!(Kind::Strings.read(r#"["a"]"#), Some(json!(["a"])));
        assert_eq!(Kind::Strings.read("a"), None);
        assert_eq!(choice().read("c"), None);
    }
}
