//! Programs of the machine that a bench calls, and what to install where one is missing.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::workspace;

/// Where programs lie that ordinary users do not have in their path.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program, and the Debian package that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// Shorthand for a table of tools.
pub(crate) const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// Refuses in one sentence where tools are missing.
pub(crate) fn all_there(tools: &[Tool]) -> Result<(), Box<dyn Error>> {
    missing(tools, is_here).map_or(Ok(()), |sentence| Err(sentence.into()))
}

/// The packages of those that are missing here, each once.
pub(crate) fn missing_packages(tools: &[Tool]) -> Vec<&'static str> {
    packages(tools, is_here)
}

fn is_here(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').chain(SYSTEM).any(|dir| Path::new(dir).join(program).exists())
}

fn packages(tools: &[Tool], is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        tools.iter().filter(|tool| !is_there(tool.program)).map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn missing(tools: &[Tool], is_there: impl Fn(&str) -> bool) -> Option<String> {
    let packages = packages(tools, is_there);
    if packages.is_empty() {
        return None;
    }
    Some(format!("find all tools: install the Debian packages {}", packages.join(" ")))
}

/// A program of ours as it ships, where cargo puts it.
pub(crate) fn shipped(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace().join(target).join("release").join(name)
}

/// A call of a tool, in words that do not depend on the language of whoever calls.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("LC_ALL", "C").env("PATH", format!("{path}:{}", SYSTEM.join(":"))).stdin(Stdio::null());
    command
}

/// Runs a call to its end and gives what it says on stdout. What it says on stderr stands in the error.
pub(crate) fn said(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("start {program}: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = words.lines().rev().take(4).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!("run {program}: {}: {}", output.status, last.join("; ")).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_by_package_and_once() {
        let tools =
            [tool("casync", "casync"), tool("tar", "tar"), tool("mkfs.a", "fs"), tool("mkfs.b", "fs")];
        assert_eq!(missing(&tools, |_| true), None);
        let sentence = missing(&tools, |program| program == "tar").expect("three are missing");
        assert_eq!(sentence, "find all tools: install the Debian packages casync fs");
    }

    #[test]
    fn a_tool_that_fails_is_told_with_its_last_words() {
        let error = said(command("sh").args(["-c", "echo no >&2; exit 3"])).expect_err("it fails");
        assert!(error.to_string().contains("exit status: 3: no"), "{error}");
        assert_eq!(said(command("sh").args(["-c", "echo yes"])).expect("it runs"), "yes\n");
    }
}
