//! Calls of cargo: building the programs, and asking what the workspace is made of.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The workspace's top folder.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask lies one folder below the top").to_owned()
}

/// A call of the cargo that runs us, in the workspace's top folder. What the cargo that runs us says of our own package is
/// kept from it: build scripts that ask for that (ring's does) would run again in each of the two, one after the other, and
/// everything above them would be built again.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace());
    for (name, _) in std::env::vars_os() {
        if OF_OUR_PACKAGE.iter().any(|begin| name.as_encoded_bytes().starts_with(begin.as_bytes())) {
            command.env_remove(name);
        }
    }
    command
}

/// How the names begin of what cargo tells the programs of a package.
const OF_OUR_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The arguments that build every program. xtask itself is left out: it runs at this moment, and was just built.
pub(crate) const BUILD_PROGRAMS: [&str; 6] =
    ["build", "--workspace", "--bins", "--exclude", "xtask", "--quiet"];

/// The profile of what goes through so many states that it is worth being optimised first, xtask included.
const OPTIMISED: [&str; 2] = ["--profile", "explore"];

/// A call that builds every program in the way in which this one was built, so that they lie beside it.
pub(crate) fn build_programs() -> Command {
    let mut build = cargo();
    build.args(BUILD_PROGRAMS);
    if is_optimised() {
        build.args(OPTIMISED);
    }
    build
}

/// Whether this program is the one that [`run_optimised`] builds.
pub(crate) const fn is_optimised() -> bool {
    !cfg!(debug_assertions)
}

/// Runs xtask once more with the same arguments, optimised, and gives whether that ended well.
pub(crate) fn run_optimised() -> Result<bool, Box<dyn Error>> {
    let mut run = cargo();
    run.args(["run", "--quiet", "--package", "xtask"]).args(OPTIMISED).arg("--");
    Ok(run.args(std::env::args_os().skip(1)).status()?.success())
}

/// What `cargo metadata` says of this workspace, without what lies outside.
pub(crate) fn metadata() -> Result<Value, Box<dyn Error>> {
    let output = cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]).output()?;
    if !output.status.success() {
        return Err(format!("read cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_cargo_is_told_nothing_of_our_own_package() {
        let command = cargo();
        let removed = |name: &str| command.get_envs().any(|(of, value)| of == name && value.is_none());
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(std::env::var_os(name).is_some(), "cargo tells it to this test");
            assert!(removed(name), "{name}");
        }
    }
}
