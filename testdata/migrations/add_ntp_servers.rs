//! `migrate_v1.2.0_add-ntp-servers`: 1.2.0 knows `settings.ntp.servers`.

use std::process::ExitCode;

use migration_helpers::helpers::AddSettings;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(AddSettings(&["settings.ntp.servers"]))
}
