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

/// A call of the cargo that runs us, in the workspace's top folder.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace());
    command
}

/// The arguments that build every program. xtask itself is left out: it runs at this moment, and was just built.
pub(crate) const BUILD_PROGRAMS: [&str; 6] =
    ["build", "--workspace", "--bins", "--exclude", "xtask", "--quiet"];

/// What `cargo metadata` says of this workspace, without what lies outside.
pub(crate) fn metadata() -> Result<Value, Box<dyn Error>> {
    let output = cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]).output()?;
    if !output.status.success() {
        return Err(format!("read cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
