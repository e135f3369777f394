//! The key of a migration, `(FROM, TO)`, as manifests spell it (`docs/compatibility.md`, "Manifest").
//!
//! Published manifests are read with a search, not a match: the first `(`, a run of anything but space and comma, a
//! comma, any spaces, such a run again, `)`. Text around it does not matter, nor does a second pair; a space before the
//! comma or the closing parenthesis does. [`Edge`]'s `Display` is the one spelling that we write.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use thiserror::Error;

/// A step between two versions. Direction is not checked: see [`Edge::is_upward`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Where it starts.
    pub from: Version,
    /// Where it leads.
    pub to: Version,
}

/// A text is not the key of a migration.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{text:?} is not a pair of versions like \"(1.0.0, 1.1.0)\"")]
pub struct NotAnEdge {
    /// The text.
    pub text: String,
}

impl Edge {
    /// Whether it leads to a newer version: the only kind that is ever followed.
    #[must_use]
    pub fn is_upward(&self) -> bool {
        self.from < self.to
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.from, self.to)
    }
}

impl FromStr for Edge {
    type Err = NotAnEdge;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        first_pair(text)
            .and_then(|(from, to)| Some(Self { from: from.parse().ok()?, to: to.parse().ok()? }))
            .ok_or_else(|| NotAnEdge { text: text.to_owned() })
    }
}

/// The first pair in `text`, from left to right. Only the first counts, also when its parts are no versions.
fn first_pair(text: &str) -> Option<(&str, &str)> {
    text.match_indices('(').find_map(|(at, _)| pair_after(&text[at + 1..]))
}

/// The pair that begins right after an opening parenthesis.
fn pair_after(text: &str) -> Option<(&str, &str)> {
    let (from, rest) = text.split_at(run(text));
    let rest = rest.strip_prefix(',')?.trim_start_matches(' ');
    // The run may hold the closing parenthesis more than once; the last one closes.
    let close = rest[..run(rest)].rfind(')')?;
    let to = &rest[..close];
    (!from.is_empty() && !to.is_empty()).then_some((from, to))
}

/// How many bytes of `text` come before the first space or comma.
fn run(text: &str) -> usize {
    text.find([' ', ',']).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse::<Edge>().ok().map(|edge| edge.to_string())
    }

    #[test]
    fn accepted_spellings_are_read() {
        for text in [
            "(1.0.0, 1.1.0)",
            "(1.0.0,1.1.0)",
            "(1.0.0,      1.1.0)",
            "x(1.0.0, 1.1.0)y",
            "( (1.0.0, 1.1.0)",
            "() (1.0.0, 1.1.0)",
            "(1.0.0, 1.1.0)(1.2.0, 1.3.0)",
            "(1.0.0, 1.1.0) (1.2.0, 1.3.0)",
            "(1.0.0, 1.1.0), (1.2.0, 1.3.0)",
        ] {
            assert_eq!(read(text).as_deref(), Some("(1.0.0, 1.1.0)"), "{text:?}");
        }
        for text in ["(1.1.0, 1.0.0)", "(1.0.0, 1.0.0)", "(1.0.0-rc.1+b5, 1.1.0-alpha)"] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn rejected_spellings_are_refused() {
        for text in [
            "( 1.0.0, 1.1.0)",
            "(1.0.0 , 1.1.0)",
            "(1.0.0, 1.1.0 )",
            "(1.0.0,\t1.1.0)",
            "1.0.0, 1.1.0",
            "(1.0, 1.1)",
            "(v1.0.0, v1.1.0)",
            "(1.0.0, 1.1.0, 1.2.0)",
            "((1.0.0, 1.1.0))",
            "(1.0.0, 1.1.0",
            "(1.0.0 1.1.0)",
            "(, 1.1.0)",
            "(1.0.0, )",
            "(1.0.0,)",
            "",
            "(",
            "(x, y)(1.0.0, 1.1.0)",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    /// The same search, written as plain backtracking: every start, every length, the longest first.
    fn by_trying(text: &str) -> Option<(String, String)> {
        let chars: Vec<char> = text.chars().collect();
        let plain = |range: &[char]| !range.is_empty() && !range.iter().any(|c| [' ', ','].contains(c));
        for open in 0..chars.len() {
            for comma in (open + 1..chars.len()).rev() {
                for start in (comma + 1..chars.len()).rev() {
                    for close in (start..chars.len()).rev() {
                        if chars[open] == '('
                            && plain(&chars[open + 1..comma])
                            && chars[comma] == ','
                            && chars[comma + 1..start].iter().all(|c| *c == ' ')
                            && plain(&chars[start..close])
                            && chars[close] == ')'
                        {
                            let text = |range: &[char]| range.iter().collect();
                            return Some((text(&chars[open + 1..comma]), text(&chars[start..close])));
                        }
                    }
                }
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_search_finds_what_trying_everything_finds(text in "[(), 1é\t]{0,14}") {
            let found = first_pair(&text).map(|(from, to)| (from.to_owned(), to.to_owned()));
            prop_assert_eq!(found, by_trying(&text));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _any_answer = text.parse::<Edge>();
        }
    }
}
