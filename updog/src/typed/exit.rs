//! How the program ends: what is printed, and the exit status (`docs/errors-and-exit-codes.md`).

use std::process::ExitCode;

use host_io::Advise as _;
use host_io::{report, say};
use serde_json::{Value, json};
use update_metadata::explain::instant;

use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;

/// Ends a run: a failure goes to stderr as a sentence and, for programs, to stdout as the last line.
#[must_use]
pub fn finish(result: Result<(), Error>, format: Format) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    say::line(&sentence(&error));
    if format == Format::Json {
        // Whoever read stdout may be gone; the exit status still tells.
        let _reader_may_be_gone = answer::json_line(&event(&error));
    }
    ExitCode::from(status(&error))
}

/// A failure as the last event of a run.
#[must_use]
pub fn event(error: &Error) -> Value {
    json!({ "event": "error", "error": fields(error) })
}

/// Ends a run that was not understood, or that only asked for help.
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    let _terminal_may_be_gone = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Nothing to do is no failure in the eyes of a person, though scripts are told by the exit status.
fn sentence(error: &Error) -> String {
    match error {
        Error::NoUpdate { why, .. } | Error::FailedHere { why, .. } | Error::Withheld { why, .. } => {
            format!("No update available: {why}")
        }
        other => report::sentence("updog", other),
    }
}

fn fields(error: &Error) -> Value {
    match error {
        Error::NoUpdate { why, held } => json!({
            "code": error.code(),
            "message": "No update available",
            "help": why,
            "held": held.as_ref().map(|(held, seed)| json!({
                "version": held.version.to_string(),
                "until": instant(held.until),
                "seed": seed.get(),
            })),
        }),
        Error::FailedHere { why, barred } => json!({
            "code": error.code(),
            "message": "No update available",
            "help": why,
            "held": null,
            "failed": { "version": barred.version.to_string(), "retry_after": barred.until, "reason": barred.reason },
        }),
        Error::Withheld { why, version, by } => json!({
            "code": error.code(),
            "message": "No update available",
            "help": why,
            "held": null,
            "withheld": {
                "version": version.to_string(),
                "role": by.role,
                "since": instant(by.hold.since),
                "reason": by.hold.reason_in_a_line(),
            },
        }),
        other => report::json(other),
    }
}

fn status(error: &Error) -> u8 {
    match error {
        Error::NoUpdate { .. }
        | Error::FailedHere { .. }
        | Error::Withheld { .. }
        | Error::Unhealthy { .. }
        | Error::Rollback(_)
        | Error::Recalled { .. }
        | Error::NoRecord { .. }
        | Error::Wish(_)
        | Error::Attempts(_)
        | Error::Config(_)
        | Error::Host(_)
        | Error::Reboot(_)
        | Error::Anchor { .. }
        | Error::Lock(_)
        | Error::Repository(_)
        | Error::Disk(_)
        | Error::Refused(_)
        | Error::NoPath(_)
        | Error::Rehearsal(_)
        | Error::MissingMigration(_)
        | Error::UnsafeMigration { .. }
        | Error::Unsigned(_)
        | Error::OverBudget(_)
        | Error::NoRoom(_)
        | Error::Cache(_)
        | Error::Install(_)
        | Error::Record(_)
        | Error::AfterClear { .. }
        | Error::AfterClearOfIdle { .. }
        | Error::First(_)
        | Error::Missing { .. }
        | Error::Unconfirmed
        | Error::Turn(_)
        | Error::Stopped(_)
        | Error::Start(_)
        | Error::Answer(_) => 1,
    }
}
