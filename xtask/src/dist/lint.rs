//! What lintian says of the packages.

use std::error::Error;
use std::path::PathBuf;

use crate::Outcome;
use crate::bench::tools::command;

/// Errors fail; warnings are shown. What is accepted stands with its reason in `dist/debian/*.lintian-overrides`.
pub(super) fn lintian(debs: &[PathBuf]) -> Outcome {
    let output = command("lintian")
        .args(["--fail-on=error", "--show-overrides", "--tag-display-limit=0"])
        .args(debs)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
    let shown: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("O:") && !line.starts_with("N:")).collect();
    for line in &shown {
        println!("  {line}");
    }
    println!("lintian: {} errors, {} warnings, {} overridden", count("E:"), count("W:"), count("O:"));
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1 | 2) => Ok(false),
        _ => Err(failed(&output)),
    }
}

fn failed(output: &std::process::Output) -> Box<dyn Error> {
    format!("run lintian: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into()
}
