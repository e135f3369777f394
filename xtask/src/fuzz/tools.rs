//! Whether everything that fuzzing needs is installed.

use std::process::{Command, Stdio};

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

/// What is missing and how to get it, one sentence each.
pub(crate) fn missing() -> Vec<String> {
    let works = |command: &mut Command| {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !works(nightly("rustc").arg("--version")) {
        return vec![
            "Missing: the nightly toolchain; \"rustup toolchain install nightly\" gets it.".to_owned(),
        ];
    }
    if !works(nightly("cargo").args(["fuzz", "--version"])) {
        return vec!["Missing: cargo-fuzz; \"cargo install cargo-fuzz --locked\" gets it.".to_owned()];
    }
    Vec::new()
}
