//! `migrate_v1.1.0_add-metrics`: 1.1.0 knows `settings.metrics.send-metrics`. Its default comes from the model of
//! 1.1.0; on the way back the older release must not find a setting that it does not know.

use std::process::ExitCode;

use migration_helpers::helpers::AddSettings;
use migration_helpers::migrate;

fn main() -> ExitCode {
    migrate(AddSettings(&["settings.metrics.send-metrics"]))
}
