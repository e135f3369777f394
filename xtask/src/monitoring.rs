//! What `dist/monitoring` has for Prometheus, judged by Prometheus' own tool: the rules are sound, and say what their tests
//! expect of them.

use std::process::Command;

use crate::bench::tools::{Tool, missing_packages, tool};
use crate::cargo::workspace;

/// The tool, and what scrapes hosts in the tests of `updog`.
const TOOLS: [Tool; 2] = [tool("promtool", "prometheus"), tool("prometheus", "prometheus")];

/// The Debian packages that are missing here.
pub(crate) fn missing() -> Vec<&'static str> {
    missing_packages(&TOOLS)
}

/// What is wrong with the rules, a sentence each.
pub(crate) fn check() -> Vec<String> {
    let findings = [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]].map(judged);
    findings.into_iter().flatten().collect()
}

fn judged(words: [&str; 3]) -> Option<String> {
    let said = || words.join(" ");
    match Command::new("promtool").args(words).current_dir(workspace().join("dist/monitoring")).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let [out, err] =
                [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            Some(format!("promtool {} in dist/monitoring ended with {}:\n{out}{err}", said(), output.status))
        }
        Err(error) => Some(format!("promtool {} could not start: {error}", said())),
    }
}
