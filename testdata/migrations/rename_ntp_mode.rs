//! `migrate_v1.1.0_rename-ntp-mode`: what 1.0.0 calls `burst`, 1.1.0 calls `iburst`. Any other value stays.

use std::process::ExitCode;

use migration_helpers::helpers::ReplaceString;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(ReplaceString { setting: "settings.ntp.mode", old: "burst", new: "iburst" })
}
