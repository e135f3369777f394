//! Whether `docs/errors-and-exit-codes.md` has a row for every message of our programs, and every row a test that shows it.
//!
//! A message is what an `#[error("…")]` says; those that only pass on another's words have none of their own. A row's
//! test shows it when the test has the longest stretch of its words, or the name of the variant that carries them, or a
//! golden file with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::threats::is_test;
use crate::cargo::workspace;

/// Where messages of our programs are not: what only tests and developers run.
const ASIDE: [&str; 6] = ["bench", "bootpick", "fuzz", "target", "testdata", "xtask"];
const PAGE: &str = "docs/errors-and-exit-codes.md";
/// Where its tables of codes end, and the one of messages begins.
const HEADING: &str = "\n## Every message, and a test that shows it\n";

/// What is wrong with the page, one sentence each.
pub(crate) fn check() -> Vec<String> {
    let top = workspace();
    let mut sources = Vec::new();
    if let Err(error) = collect(&top, &mut sources) {
        return vec![format!("the sources cannot be listed: {error}")];
    }
    let mut messages = BTreeMap::new();
    for path in sources {
        match std::fs::read_to_string(&path) {
            Ok(source) => {
                for (words, variant) in messages_of(&source) {
                    messages.entry(words).or_insert_with(Vec::new).push(variant);
                }
            }
            Err(error) => return vec![format!("{} cannot be read: {error}", path.display())],
        }
    }
    match std::fs::read_to_string(top.join(PAGE)) {
        Ok(page) => {
            let Some((before, table)) = page.split_once(HEADING) else {
                return vec![format!("{PAGE} has no table of messages")];
            };
            // Lines keep their numbers: the heading has a line of its own behind an empty one.
            let page = "\n".repeat(before.lines().count() + 2) + table;
            findings(&page, &messages, &top)
        }
        Err(error) => vec![format!("{PAGE} cannot be read: {error}")],
    }
}

/// The Rust files below `dir`, those in `src` alone.
fn collect(dir: &Path, sources: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" && !name.starts_with('.') && !ASIDE.contains(&name.as_str()) {
            collect(&path, sources)?;
        } else if name.ends_with(".rs") && path.components().any(|part| part.as_os_str() == "src") {
            sources.push(path);
        }
    }
    Ok(())
}

/// The messages in `source` that have words of their own, each with the name that carries it.
fn messages_of(source: &str) -> Vec<(String, String)> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for rest in source.split("#[error(").skip(1) {
        let Some(literal) = rest.trim_start().strip_prefix('"') else { continue };
        let (words, after) = unquoted(literal);
        let Some((_, after)) = after.split_once(")]\n") else { continue };
        let mut lines = after.lines().map(str::trim_start);
        let named = lines.find(|line| !line.starts_with("//") && !line.starts_with("#[")).unwrap_or_default();
        let named = named.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let named = named.trim_start_matches("struct ").trim_start_matches("enum ");
        let name = named.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if !stretch(&words).is_empty() {
            found.push((words, name.to_owned()));
        }
    }
    found
}

/// A string literal up to its closing quote, and what follows it.
fn unquoted(literal: &str) -> (String, &str) {
    let mut words = String::new();
    let mut letters = literal.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (words, &literal[at + 1..]),
            '\\' => match letters.next() {
                // A literal over several lines goes on with its first letter there.
                Some((at, '\n')) => {
                    let rest = literal[at + 1..].trim_start();
                    let (more, after) = unquoted(rest);
                    return (words + &more, after);
                }
                Some((_, escaped)) => words.push(escaped),
                None => break,
            },
            letter => words.push(letter),
        }
    }
    (words, "")
}

/// The longest stretch of a message between what is filled in.
fn stretch(message: &str) -> String {
    let message = message.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let pieces = message.split('{').enumerate().map(|(number, piece)| match number {
        0 => piece,
        _ => piece.split_once('}').map_or("", |(_, words)| words),
    });
    let pieces = pieces.map(|piece| piece.trim_matches([' ', ':', ',', ';', '(', ')', '.']));
    let longest = pieces.max_by_key(|piece| piece.len()).unwrap_or_default();
    longest.replace('\u{1}', "{").replace('\u{2}', "}")
}

fn findings(page: &str, messages: &BTreeMap<String, Vec<String>>, top: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    let mut told = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let Some((words, tests)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) else {
            continue;
        };
        told.push(words);
        let Some(variants) = messages.get(words) else {
            findings.push(format!("line {number}: no program says {words:?}"));
            continue;
        };
        let mut named = tests.split('`').skip(1).step_by(2);
        let (Some(file), Some(test)) = (named.next(), named.next()) else {
            findings.push(format!("line {number}: the row names no test"));
            continue;
        };
        let source = std::fs::read_to_string(top.join(file)).unwrap_or_default();
        if !is_test(&source, test) {
            findings.push(format!("line {number}: {file} has no test {test}"));
        } else if !shows(&body(&source, test), &stretch(words), variants, &top.join(file)) {
            findings.push(format!("line {number}: {test} shows nothing of {words:?}"));
        }
    }
    if told.is_empty() {
        findings.push("it has no table at all".to_owned());
    }
    findings.extend(
        messages
            .iter()
            .filter(|(words, _)| !told.contains(&words.as_str()))
            .map(|(words, variants)| format!("{words:?} ({}) has no row", variants.join(", "))),
    );
    findings
}

/// The lines of the function `name`, as one text in which literals over several lines are whole.
fn body(source: &str, name: &str) -> String {
    let begins = |line: &&str| {
        let line = line.trim_start();
        line.split_once("fn ").is_some_and(|(_, rest)| rest.split('(').next() == Some(name))
    };
    let mut lines = source.lines().skip_while(|line| !begins(line));
    let Some(first) = lines.next() else { return String::new() };
    let indent = &first[..first.len() - first.trim_start().len()];
    let end = format!("{indent}}}");
    let mut text = String::new();
    for line in lines.take_while(|line| *line != end) {
        match line.strip_suffix('\\') {
            Some(goes_on) => text.push_str(&goes_on.trim_start().replace("\\\"", "\"")),
            None => text.push_str(&(line.trim_start().replace("\\\"", "\"") + "\n")),
        }
    }
    text
}

/// Whether a test's body has the words, or the name that carries them, or names a golden file with the words.
fn shows(body: &str, words: &str, variants: &[String], file: &Path) -> bool {
    let is_word =
        |name: &String| body.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name);
    let golden = |word: &str| {
        let path = file.parent().map(|dir| dir.join("golden").join(word)).filter(|path| path.is_file());
        path.and_then(|path| std::fs::read_to_string(path).ok()).is_some_and(|text| text.contains(words))
    };
    body.replace("{{", "{").replace("}}", "}").contains(words)
        || variants.iter().any(is_word)
        || body.split('"').skip(1).step_by(2).any(golden)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "enum Error {\n    #[error(\"read {path}: \\\n        it is \\\"torn\\\"\")]\n    /// Why.\n    Torn { path: P },\n    #[error(\"{0}\")]\n    Other(X),\n    #[error(transparent)]\n    Same(Y),\n    #[error(\n        \"write {}\", .0\n    )]\n    Write(P),\n}\n#[cfg(test)]\nmod tests { #[error(\"of a test\")]\nstruct X; }\n";

    fn messages() -> BTreeMap<String, Vec<String>> {
        messages_of(SOURCE).into_iter().map(|(words, name)| (words, vec![name])).collect()
    }

    #[test]
    fn the_messages_of_a_source_are_read_with_their_names() {
        let messages = messages_of(SOURCE);
        let expected = [("read {path}: it is \"torn\"", "Torn"), ("write {}", "Write")];
        assert_eq!(messages, expected.map(|(words, name)| (words.to_owned(), name.to_owned())));
        assert_eq!(stretch("read {path}: it is \"torn\""), "it is \"torn\"");
        assert_eq!(stretch("{0}: {{}} of {1}"), "{} of");
    }

    #[test]
    fn a_row_without_a_test_that_shows_it_is_found_and_a_message_without_a_row() {
        let top = workspace();
        let here = "`xtask/src/test/messages.rs` `the_messages_of_a_source_are_read_with_their_names`";
        let page = |torn: &str, write: &str| {
            format!("| message | test |\n|---|---|\n| `read {{path}}: it is \"torn\"` | {torn} |\n{write}")
        };
        let write = format!("| `write {{}}` | {here} |\n");
        assert_eq!(findings(&page(here, &write), &messages(), &top), [""; 0]);
        assert_eq!(findings(&page("–", &write), &messages(), &top), ["line 3: the row names no test"]);
        assert_eq!(findings(&page(here, ""), &messages(), &top), ["\"write {}\" (Write) has no row"]);
        let gone = here.replace("the_messages_of", "no_messages_of");
        assert!(findings(&page(&gone, &write), &messages(), &top)[0].starts_with("line 3: xtask/src/test/"));
        let other = "`xtask/src/test/threats.rs` `a_row_without_a_test_is_found`";
        assert!(findings(&page(other, &write), &messages(), &top)[0].contains("shows nothing of"));
        let more = format!("{write}| `nobody says this` | {here} |\n");
        assert!(findings(&page(here, &more), &messages(), &top)[0].contains("no program says"));
    }
}
