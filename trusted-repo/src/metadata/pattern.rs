//! Which targets a delegation is for: patterns of paths, or prefixes of the digests of their names.
//!
//! Patterns are those of a shell (`*`, `?`, `[a-c]`, `[!a-c]`), part by part between slashes, which none of them crosses;
//! specification, section 4.5.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer};

/// A target that is looked for.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    digest: String,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, digest: hex::encode(digest(&SHA256, name.as_bytes())) }
    }
}

/// Whether a pattern has a name, part by part.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), name.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern, part) => {}
            _ => return false,
        }
    }
}

/// The targets of one delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paths {
    Patterns(Vec<String>),
    HashPrefixes(Vec<String>),
}

impl Paths {
    pub(crate) fn has(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| matches(pattern, asked.name)),
            Self::HashPrefixes(prefixes) => prefixes.iter().any(|prefix| asked.digest.starts_with(prefix)),
        }
    }

    /// Whether these are names of holds and nothing else: `hold-*.json`, or fewer.
    pub(crate) fn are_of_holds(&self) -> bool {
        let is_one = |pattern: &String| {
            let inner = pattern.strip_prefix("hold-").and_then(|rest| rest.strip_suffix(".json"));
            inner.is_some_and(|inner| !inner.contains('/'))
        };
        match self {
            Self::Patterns(patterns) => !patterns.is_empty() && patterns.iter().all(is_one),
            Self::HashPrefixes(_) => false,
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Either {
            paths: Option<Vec<String>>,
            path_hash_prefixes: Option<Vec<String>>,
        }
        match Either::deserialize(deserializer)? {
            Either { paths: Some(patterns), path_hash_prefixes: None } => Ok(Self::Patterns(patterns)),
            Either { paths: None, path_hash_prefixes: Some(prefixes) } => Ok(Self::HashPrefixes(prefixes)),
            _ => Err(serde::de::Error::custom("a delegation has either paths or path_hash_prefixes")),
        }
    }
}

/// Whether one part of a pattern has one part of a name. After a mismatch the last `*` takes one character more, and no
/// earlier one has to be tried again: the time is bounded by the product of both lengths.
fn part_matches(pattern: &str, part: &str) -> bool {
    let (pattern, part): (Vec<char>, Vec<char>) = (pattern.chars().collect(), part.chars().collect());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < part.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, read));
            at += 1;
            continue;
        }
        match one(&pattern[at..], part[read]) {
            Some(taken) => (at, read) = (at + taken, read + 1),
            None => match &mut star {
                None => return false,
                Some((after, from)) => {
                    *from += 1;
                    (at, read) = (*after, *from);
                }
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// How many characters of the pattern stand for this one, if they do.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        // One that is never closed stands for itself, as in a shell.
        '[' => match class(pattern) {
            Some((has, length)) => has(letter).then_some(length),
            None => (letter == '[').then_some(1),
        },
        plain => (*plain == letter).then_some(1),
    }
}

/// The class that begins a pattern, and its length.
fn class(pattern: &[char]) -> Option<(impl Fn(char) -> bool, usize)> {
    let negated = pattern.get(1) == Some(&'!');
    let first = if negated { 2 } else { 1 };
    // A bracket in the first place is one of the letters.
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|letter| *letter == ']')?;
    let letters = &pattern[first..end];
    let has = move |letter: char| {
        let mut rest = letters;
        let mut found = false;
        while let [low, after @ ..] = rest {
            rest = match after {
                ['-', high, after @ ..] => {
                    found |= (*low..=*high).contains(&letter);
                    after
                }
                _ => {
                    found |= *low == letter;
                    after
                }
            };
        }
        found != negated
    };
    Some((has, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_do_not_cross_a_slash() {
        for (pattern, name) in [
            ("*", "a"),
            ("*.tgz", "a.tgz"),
            ("targets/*.tgz", "targets/foo.tgz"),
            ("v-?.tgz", "v-2.tgz"),
            ("*/*", "a/b"),
            ("a*b*c", "aXbYbZc"),
            ("**", "anything"),
            ("", ""),
            ("[a-c]x[!0-9]", "bxq"),
            ("[]]", "]"),
            ("[", "["),
            ("a[", "a["),
            ("[*]", "*"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*", "a/b"),
            ("a?b", "a/b"),
            ("a[/]b", "a/b"),
            ("a[!x]b", "a/b"),
            ("**", "a/b"),
            ("*.tgz", "targets/foo.tgz"),
            ("v-?.tgz", "v-10.tgz"),
            ("a/*", "a"),
            ("a", "A"),
            ("[A-C]", "b"),
            ("[a-c]", "d"),
            ("", "a"),
            ("{a,b}", "a"),
            ("a", "a/"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn pattern_that_was_made_to_take_for_ever_is_told_soon() {
        let pattern = "*a".repeat(2_000) + "b";
        assert!(!matches(&pattern, &"a".repeat(8_000)));
    }

    #[test]
    fn a_role_is_for_holds_only_if_all_its_paths_are() {
        let are = |patterns: &[&str]| {
            Paths::Patterns(patterns.iter().map(|pattern| (*pattern).to_owned()).collect()).are_of_holds()
        };
        assert!(are(&["hold-*.json"]) && are(&["hold-guard.json", "hold-m*.json"]));
        for patterns in [
            &[][..],
            &["hold-*"],
            &["*"],
            &["hold-*.json", "migrate*"],
            &["hold-a/b.json"],
            &["x-hold-*.json"],
        ] {
            assert!(!are(patterns), "{patterns:?}");
        }
        assert!(!Paths::HashPrefixes(vec![String::new()]).are_of_holds());
    }

    #[test]
    fn prefixes_are_those_of_the_names_digest() {
        let asked = Asked::new("manifest.json");
        let has = |prefixes: &[&str]| {
            Paths::HashPrefixes(prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()).has(&asked)
        };
        let digest = hex::encode(digest(&SHA256, b"manifest.json"));
        assert!(has(&["zz", &digest[..2]]) && has(&[&digest]) && has(&[""]));
        assert!(!has(&[]) && !has(&[&digest[1..3]]) && !has(&[&format!("{digest}0")]));
    }
}
