//! How an error becomes one sentence for a person.
//!
//! Each layer's `Display` is a lower-case fragment that completes "failed to …" and never repeats its source. The chain
//! is joined here and nowhere else:
//!
//! ```text
//! updog: failed to write root image to /dev/vda6: read-back differs at offset 4194304
//! help: the inactive set stays cleared; run "updog update" again
//! ```

use std::error::Error;
use std::fmt::Write as _;

use crate::plain::{draws, in_a_line};

/// An error that knows what a person should do next, and its name for programs.
pub trait Advise: Error {
    /// The next step, as a sentence without a final stop. `None` where there is nothing better to say.
    fn help(&self) -> Option<String> {
        None
    }

    /// A stable word for programs that read `--json`; listed in `docs/errors-and-exit-codes.md`.
    fn code(&self) -> &'static str {
        "failed"
    }
}

/// The errors of a chain, joined with ": ", without a program's name, in one line whatever foreign errors have in theirs.
/// A layer that says what its predecessor already said (libraries often repeat their source) is not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(layer) = next {
        let said = said(layer);
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        next = layer.source();
    }
    // Words of others may have line breaks, which would begin another line of a log, or worse.
    if text.contains(draws) { one_line(&text) } else { text }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(in_a_line).collect()
}

/// What one layer says. TOML draws the place into several lines, which mean nothing in one.
fn said(layer: &(dyn Error + 'static)) -> String {
    let of_toml = layer.downcast_ref::<toml::de::Error>();
    let boxed = || layer.downcast_ref::<Box<toml::de::Error>>().map(AsRef::as_ref);
    of_toml.or_else(boxed).map_or_else(|| layer.to_string(), toml_in_a_line)
}

/// What is wrong with a text that is no TOML, and where, for whoever does not have the text any more.
#[must_use]
pub fn toml_in_a_line(error: &toml::de::Error) -> String {
    let drawn = error.to_string();
    let place = drawn.lines().next().and_then(|first| first.split_once(" at ")).map(|(_, place)| place);
    match place {
        Some(place) => format!("{place}: {}", in_words(error)),
        None => in_words(error),
    }
}

/// What a program prints on stderr when it fails: the chain and, where there is one, the help line.
#[must_use]
pub fn sentence(program: &str, error: &dyn Advise) -> String {
    let chain = one_line(&chain(as_error(error)));
    match error.help().map(|help| one_line(&help)) {
        Some(help) => format!("{program}: failed to {chain}\nhelp: {help}"),
        None => format!("{program}: failed to {chain}"),
    }
}

/// The same failure for programs: `{"code":…,"message":…,"help":…}`.
#[must_use]
pub fn json(error: &dyn Advise) -> serde_json::Value {
    serde_json::json!({
        "code": error.code(),
        "message": format!("failed to {}", chain(as_error(error))),
        "help": error.help().map(|help| one_line(&help)),
    })
}

fn as_error(error: &dyn Advise) -> &dyn Error {
    error
}

/// Why a text is no TOML, in one line that names the place.
#[must_use]
pub fn toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| 1 + before.matches('\n').count());
    format!("line {line}: {}", in_words(error))
}

/// The parser's message, where it says what was expected in the words of people who write files.
fn in_words(error: &toml::de::Error) -> String {
    let message = error.message();
    let Some((said, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        _ if expected.starts_with("internally tagged enum") || expected.starts_with("enum ") => "a table",
        other => other,
    };
    format!("{said}expected {words}")
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("write root image")]
    struct Outer(#[source] std::io::Error);

    impl Advise for Outer {
        fn help(&self) -> Option<String> {
            Some("run it again".to_owned())
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place_in_one_line() {
        #[derive(Debug, Error)]
        #[error("understand the file")]
        struct Plain(#[source] toml::de::Error);
        #[derive(Debug, Error)]
        #[error("understand the file")]
        struct Boxed(#[source] Box<toml::de::Error>);
        let text = "a = 1\nb = = 2\n";
        let error = || toml::from_str::<toml::Table>(text).unwrap_err();
        let words = "understand the file: line 2, column 5: extra `=`, expected nothing";
        assert_eq!(chain(&Plain(error())), words);
        assert_eq!(chain(&Boxed(Box::new(error()))), words);
    }

    #[test]
    fn what_was_expected_is_said_in_the_words_of_whoever_writes_the_file() {
        #[derive(Debug, serde::Deserialize)]
        struct File {
            _seed: Option<u32>,
            _mirrors: Option<Vec<String>>,
            _of_a_group: Option<std::collections::BTreeMap<String, String>>,
            _itself: Option<Box<File>>,
        }
        for (text, expected) in [
            ("_seed = \"x\"", "a whole number"),
            ("_mirrors = 1", "a list"),
            ("_of_a_group = 1", "a table"),
            ("_itself = 1", "a table"),
        ] {
            let error = toml::from_str::<File>(text).unwrap_err();
            for said in [toml(text, &error), toml_in_a_line(&error)] {
                assert!(said.ends_with(&format!("expected {expected}")), "{said}");
            }
        }
    }

    #[test]
    fn a_chain_is_one_sentence_and_one_next_step() {
        let drawing = Outer(std::io::Error::other("device\r\nWARN\u{1b}[2J is \u{202e}full"));
        assert_eq!(chain(&drawing), "write root image: device WARN\u{fffd}[2J is \u{fffd}full");
        let error = Outer(std::io::Error::other("device\nis full"));
        assert_eq!(
            sentence("updog", &error),
            "updog: failed to write root image: device is full\nhelp: run it again"
        );
        assert_eq!(json(&error)["code"], "failed");
    }
}
