//! For the tests of `migrator`: the newer release knows `settings.added`.

use std::process::ExitCode;

use migration_helpers::helpers::AddSettings;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(AddSettings(&["settings.added"]))
}
