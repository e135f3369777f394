//! For the tests of `migrator`: what the older release calls `one`, the newer one calls `two`.

use std::process::ExitCode;

use migration_helpers::helpers::ReplaceString;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(ReplaceString { setting: "settings.renamed", old: "one", new: "two" })
}
