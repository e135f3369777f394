//! Whether every file and item that `docs/walkthrough.md` names exists.
//!
//! The rule for its author: a file is named as `` `folder/file.rs` `` from the top; after it, on the same line, each
//! further word in backticks is an item that is defined in that file.

use std::path::Path;

use crate::cargo::workspace;

/// The words that introduce an item.
const DEFINES: [&str; 9] =
    ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "macro_rules!"];

/// What the walkthrough names and nobody defines, one sentence each.
pub(crate) fn check() -> Vec<String> {
    let top = workspace();
    let path = top.join("docs/walkthrough.md");
    match std::fs::read_to_string(&path) {
        Ok(text) => findings(&text, &top),
        Err(error) => vec![format!("{} cannot be read: {error}", path.display())],
    }
}

/// The same for any page that follows the rule.
pub(super) fn findings(text: &str, top: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    let mut files = 0;
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut current: Option<(&str, String)> = None;
        // Every second piece between backticks is a code word.
        for word in line.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                files += 1;
                match std::fs::read_to_string(top.join(word)) {
                    Ok(source) => current = Some((word, source)),
                    Err(_) => {
                        findings.push(format!("line {number}: {word} does not exist"));
                        current = None;
                    }
                }
            } else if let Some((file, source)) = &current
                && is_identifier(word)
                && !defines(source, word)
            {
                findings.push(format!("line {number}: {file} does not define {word}"));
            }
        }
    }
    if files == 0 {
        findings.push("it names no file at all".to_owned());
    }
    findings
}

fn is_identifier(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn defines(source: &str, item: &str) -> bool {
    let words: Vec<&str> = source
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '!'))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).any(|pair| pair[1] == item && DEFINES.contains(&pair[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_defines_is_found_with_its_line() {
        let top = workspace();
        let text = "see `xtask/src/cargo.rs`: `metadata`, `no_such_item`\n```\n`gone.rs`\n```\nand `xtask/src/gone.rs`";
        assert_eq!(
            findings(text, &top),
            [
                "line 1: xtask/src/cargo.rs does not define no_such_item",
                "line 5: xtask/src/gone.rs does not exist"
            ]
        );
    }
}
