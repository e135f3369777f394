//! The names of settings.
//!
//! A name is a path of segments joined by dots. A segment that holds a dot itself is put in double quotes; quotes may
//! open and close anywhere in a segment and are not part of it. Source: `docs/compatibility.md`, "Datastore".

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name of a setting, in bytes of its quoted form.
pub const MAX_LEN: usize = 255;

/// The name of a setting, such as `settings.updates.seed`. Keys are ordered by their segments, so that a key and
/// everything below it stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    // Shared: a host has thousands of names, and each change of its settings makes maps of them anew.
    segments: Arc<[String]>,
}

/// Why a text is not the name of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing before, between or after dots.
    #[error("read {0:?} as a key: a segment is empty")]
    EmptySegment(String),
    /// A character that no segment may hold.
    #[error("read {text:?} as a key: {character:?} is not allowed")]
    Character {
        /// The whole text.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A quote that is never closed.
    #[error("read {0:?} as a key: a quote is not closed")]
    OpenQuote(String),
    /// More than [`MAX_LEN`] bytes.
    #[error("read {0:?} as a key: it is longer than {MAX_LEN} bytes")]
    TooLong(String),
}

impl Key {
    /// Reads a name as a person or a program writes it.
    ///
    /// # Errors
    /// When the text is not a name; the error holds it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut segments = Vec::new();
        let mut segment = String::new();
        let mut quoted = false;
        for character in text.chars() {
            match character {
                '"' => quoted = !quoted,
                '.' if !quoted => segments.push(std::mem::take(&mut segment)),
                character => segment.push(character),
            }
        }
        if quoted {
            return Err(KeyError::OpenQuote(text.to_owned()));
        }
        segments.push(segment);
        Self::from_segments(segments)
    }

    /// The name with these segments, given without quotes.
    ///
    /// # Errors
    /// When there is none, one is empty or holds what no segment may hold, or the name is too long.
    pub fn from_segments<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let key = Self { segments: segments.into_iter().map(Into::into).collect() };
        if key.segments.is_empty() || key.segments.iter().any(String::is_empty) {
            return Err(KeyError::EmptySegment(key.to_string()));
        }
        match key.segments.iter().flat_map(|segment| segment.chars()).find(|&c| !allowed(c)) {
            Some(character) => Err(KeyError::Character { text: key.to_string(), character }),
            None if key.len() > MAX_LEN => Err(KeyError::TooLong(key.to_string())),
            None => Ok(key),
        }
    }

    /// Bytes of the quoted form.
    fn len(&self) -> usize {
        let quoted = |segment: &String| segment.len() + if segment.contains('.') { 2 } else { 0 };
        self.segments.iter().map(quoted).sum::<usize>() + self.segments.len().saturating_sub(1)
    }

    /// The parts of the name, without quotes.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether this key lies below `other`, as `a.b` does below `a`.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.segments.len() > other.segments.len() && self.segments.starts_with(&other.segments)
    }
}

fn allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '/' | '-' | '.')
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            if segment.contains('.') { write!(f, "\"{segment}\"")? } else { f.write_str(segment)? }
        }
        Ok(())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_toggle_anywhere_and_are_no_part_of_the_name() {
        let segments = |text: &str| Key::parse(text).unwrap().segments().to_vec();
        assert_eq!(segments("settings.motd"), ["settings", "motd"]);
        assert_eq!(segments(r#"a"b.c"d"#), ["ab.cd"]);
        assert_eq!(segments(r#"a."b.c".d"#), ["a", "b.c", "d"]);
        assert_eq!(segments(r#"a.""b"#), ["a", "b"]);
        assert_eq!(segments("configuration-files./etc/motd_1"), ["configuration-files", "/etc/motd_1"]);
        assert_eq!(Key::parse(r#"a"b.c"d"#).unwrap().to_string(), r#""ab.cd""#);
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_its_text() {
        for text in ["", ".", "a.", ".a", "a..b", "\"\"", "a.\"\".b"] {
            assert!(matches!(Key::parse(text), Err(KeyError::EmptySegment(_))), "{text:?}");
        }
        assert_eq!(Key::parse("a.\"b"), Err(KeyError::OpenQuote("a.\"b".to_owned())));
        for (text, character) in [("a b", ' '), ("a.ü", 'ü'), ("a\0", '\0'), ("a.*", '*')] {
            assert_eq!(Key::parse(text), Err(KeyError::Character { text: text.to_owned(), character }));
        }
    }

    #[test]
    fn the_length_counts_in_the_quoted_form() {
        assert!(Key::parse(&"a".repeat(255)).is_ok());
        assert!(matches!(Key::parse(&"a".repeat(256)), Err(KeyError::TooLong(_))));
        let quoted = format!("\"{}.\"", "a".repeat(252));
        assert_eq!(quoted.len(), 255);
        assert!(Key::parse(&quoted).is_ok());
        assert!(matches!(Key::parse(&format!("b{quoted}")), Err(KeyError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_key(segments in prop::collection::vec("[A-Za-z0-9_/.-]{1,12}", 1..8)) {
            let key = Key::from_segments(segments.clone()).unwrap();
            prop_assert_eq!(key.segments(), &segments[..]);
            prop_assert_eq!(key.len(), key.to_string().len());
            prop_assert_eq!(Key::parse(&key.to_string()).unwrap(), key);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert_eq!(Key::parse(&key.to_string()).unwrap(), key);
            }
        }
    }
}
