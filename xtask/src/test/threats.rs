//! Whether every row of the tables in `docs/threats.md` names a test, and every test that it names is there.
//!
//! The rule for its author is the one of the walkthrough: a file as `` `folder/file.rs` `` from the top, and after it on
//! the same line the functions in backticks. Here each of them has to be a test, or a scenario of `cargo xtask vm`.

use std::path::Path;

use super::walkthrough;
use crate::cargo::workspace;

/// What is wrong with the page, one sentence each.
pub(crate) fn check() -> Vec<String> {
    let top = workspace();
    let path = top.join("docs/threats.md");
    match std::fs::read_to_string(&path) {
        Ok(text) => findings(&text, &top),
        Err(error) => vec![format!("{} cannot be read: {error}", path.display())],
    }
}

fn findings(text: &str, top: &Path) -> Vec<String> {
    let mut findings = walkthrough::findings(text, top);
    let mut rows = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if !line.starts_with('|') || is_ruler(line) || text.lines().nth(number).is_some_and(is_ruler) {
            continue;
        }
        rows += 1;
        let mut tests = 0;
        let mut source = None;
        for word in line.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                source = std::fs::read_to_string(top.join(word)).ok();
            } else if let Some(source) = &source {
                if is_test(source, word) || is_scenario(source, word) {
                    tests += 1;
                } else {
                    findings.push(format!("line {number}: {word} is no test"));
                }
            }
        }
        if tests == 0 {
            findings.push(format!("line {number}: the row names no test"));
        }
    }
    if rows == 0 {
        findings.push("it has no table at all".to_owned());
    }
    findings
}

/// The line below a table's head.
fn is_ruler(line: &str) -> bool {
    line.starts_with("|-") || line.starts_with("| -")
}

/// Whether `source` defines the function `name`, with an attribute before it that makes it a test.
pub(super) fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let defines =
        |line: &str| line.split_once("fn ").is_some_and(|(_, rest)| rest.split('(').next() == Some(name));
    lines.iter().enumerate().any(|(at, line)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        defines(line)
            && attributes
                .into_iter()
                .any(|line| line.ends_with("test]") || line.starts_with("#[test") || line.contains("::test("))
    })
}

/// Whether `source` defines the function `name` as a scenario of the virtual machine.
fn is_scenario(source: &str, name: &str) -> bool {
    let defines = [
        format!("pub(super) fn {name}(stage: &mut Stage<'_>) -> Result<(), Unmet> {{"),
        format!(
            "pub(in crate::vm::scenario) fn {name}(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {{"
        ),
    ];
    source.lines().any(|line| defines.iter().any(|defines| line == defines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_test_is_found() {
        let top = workspace();
        let page = |row: &str| format!("| threat | test |\n|---|---|\n| something bad | {row} |\n");
        let file = "xtask/src/test/threats.rs";
        let good = page(&format!("`{file}` `a_row_without_a_test_is_found`"));
        assert_eq!(findings(&good, &top), [""; 0]);
        let played = page("`xtask/src/vm/scenario/power.rs` `power_cut`");
        assert_eq!(findings(&played, &top), [""; 0]);
        let helper = page("`xtask/src/vm/scenario/power.rs` `control`");
        assert_eq!(findings(&helper, &top)[0], "line 3: control is no test");
        let lame = page(&format!("`{file}` `is_ruler`"));
        assert_eq!(findings(&lame, &top), ["line 3: is_ruler is no test", "line 3: the row names no test"]);
        let gone = page(&format!("`{file}` `no_such_test`"));
        assert_eq!(findings(&gone, &top)[0], format!("line 3: {file} does not define no_such_test"));
        assert!(findings(&page("nothing"), &top).contains(&"line 3: the row names no test".to_owned()));
    }
}
