//! Where the programs under test lie.

use std::path::PathBuf;

/// The built program `name`, beside the running test or program.
///
/// # Panics
/// When it has not been built; the message says how to.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program knows its own path");
    let mut dir = own.parent().expect("a program lies in a directory");
    // Test executables lie one level deeper than the programs.
    if dir.ends_with("deps") {
        dir = dir.parent().expect("deps lies in the target directory");
    }
    let path = dir.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask test`, or build it with `cargo build --bins`",
        path.display()
    );
    path
}
