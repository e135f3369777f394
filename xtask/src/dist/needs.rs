//! The tools that packages are made with.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::release::place;
use crate::bench::tools::{self, Tool, said, tool};
use crate::cargo::cargo;

const TOOLS: [Tool; 9] = [
    tool("dpkg-shlibdeps", "dpkg-dev"),
    tool("fakeroot", "fakeroot"),
    tool("gcc", "gcc"),
    tool("git", "git"),
    tool("lintian", "lintian"),
    tool("man", "man-db"),
    tool("mmdebstrap", "mmdebstrap"),
    tool("musl-gcc", "musl-tools"),
    tool("systemd-analyze", "systemd"),
];

/// A tool of cargo's, of the one version whose output was looked at.
struct CargoTool {
    name: &'static str,
    version: &'static str,
}

/// The one that packs comes first.
const CARGO_TOOLS: [CargoTool; 2] = [
    CargoTool { name: "cargo-deb", version: "3.8.0" },
    CargoTool { name: "cargo-cyclonedx", version: "0.5.9" },
];

/// The Debian packages that are missing here.
pub(crate) fn missing() -> Vec<&'static str> {
    tools::missing_packages(&TOOLS)
}

/// What else is missing here, which no Debian package has.
pub(crate) fn missing_others() -> Vec<String> {
    let mut lacks: Vec<String> =
        CARGO_TOOLS.iter().filter(|tool| !there(tool)).map(|tool| tool.name.to_owned()).collect();
    if !has_target(&static_target()) {
        lacks.push(format!("the target {}", static_target()));
    }
    lacks
}

/// What is missing here to pack programs that are there already.
pub(crate) fn missing_packer() -> Vec<String> {
    CARGO_TOOLS[..1].iter().filter(|tool| !there(tool)).map(|tool| tool.name.to_owned()).collect()
}

/// Fetches that.
pub(crate) fn fetch_packer() -> Result<(), Box<dyn Error>> {
    fetch_tools(&CARGO_TOOLS[..1])
}

/// Refuses in one sentence where something is missing.
pub(super) fn all_there() -> Result<(), Box<dyn Error>> {
    let packages = missing().into_iter().map(|package| format!("the Debian package {package}"));
    let lacks: Vec<String> = packages.chain(missing_others()).collect();
    if lacks.is_empty() {
        return Ok(());
    }
    Err(format!(
        "find all that packages are made with: {} is missing; \"cargo xtask setup --for dist --install\" fetches it",
        lacks.join(", ")
    )
    .into())
}

/// Fetches what no Debian package has: cargo's tools, and the standard library of static programs.
pub(crate) fn fetch() -> Result<(), Box<dyn Error>> {
    fetch_tools(&CARGO_TOOLS)?;
    if !has_target(&static_target()) {
        let status = Command::new("rustup").args(["target", "add", &static_target()]).status()?;
        if !status.success() {
            return Err(format!("add the target {} with rustup: {status}", static_target()).into());
        }
    }
    Ok(())
}

fn fetch_tools(tools: &[CargoTool]) -> Result<(), Box<dyn Error>> {
    for tool in tools.iter().filter(|tool| !there(tool)) {
        let mut command = cargo();
        command.args(["install", tool.name, "--version", tool.version, "--locked", "--quiet", "--root"]);
        command.arg(tools_dir());
        let status = command.status()?;
        if !status.success() {
            return Err(format!("install {} {}: cargo ended with {status}", tool.name, tool.version).into());
        }
    }
    Ok(())
}

/// A tool of cargo's, as it was fetched.
pub(super) fn cargo_tool(name: &str) -> PathBuf {
    tools_dir().join("bin").join(name)
}

/// What static programs are built for.
pub(super) fn static_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn tools_dir() -> PathBuf {
    place().join("tools")
}

fn there(tool: &CargoTool) -> bool {
    // As cargo calls it: the name of the subcommand comes first.
    let word = tool.name.trim_start_matches("cargo-");
    said(Command::new(cargo_tool(tool.name)).args([word, "--version"]))
        .is_ok_and(|text| text.split_whitespace().any(|word| word.trim_start_matches('v') == tool.version))
}

fn has_target(target: &str) -> bool {
    said(Command::new("rustc").args(["--print", "sysroot"]))
        .is_ok_and(|root| Path::new(root.trim()).join("lib/rustlib").join(target).is_dir())
}
