//! For `cargo xtask bench migrate`: a value that another one replaces.

use std::process::ExitCode;

use migration_helpers::helpers::ReplaceString;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(ReplaceString { setting: "settings.mode", old: "burst", new: "iburst" })
}
