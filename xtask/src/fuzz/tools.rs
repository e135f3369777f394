//! Whether everything that fuzzing needs is installed.

use std::error::Error;
use std::process::{Command, Stdio};

use crate::cargo::cargo;

/// A command of the nightly toolchain. The toolchain that runs us leaves its name in the environment, and a `cargo` that
/// inherits it would be that one.
pub(crate) fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]);
    for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}

/// What is missing here.
pub(crate) fn missing() -> Vec<String> {
    let lacks = [("the nightly toolchain", !has_nightly()), ("cargo-fuzz", !has_cargo_fuzz())];
    lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(what, _)| what.to_owned()).collect()
}

/// Fetches what is missing, with rustup and cargo.
pub(crate) fn fetch() -> Result<(), Box<dyn Error>> {
    if !has_nightly() {
        let mut rustup = Command::new("rustup");
        done(rustup.args(["toolchain", "install", "nightly", "--profile", "minimal"]))?;
    }
    if !has_cargo_fuzz() {
        done(cargo().args(["install", "cargo-fuzz", "--locked", "--quiet"]))?;
    }
    Ok(())
}

fn has_nightly() -> bool {
    works(nightly("rustc").arg("--version"))
}

fn has_cargo_fuzz() -> bool {
    works(nightly("cargo").args(["fuzz", "--version"]))
}

fn works(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status().map_err(|error| format!("start {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("run {command:?}: {status}").into()) }
}
