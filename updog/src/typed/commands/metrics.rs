//! `metrics`: what monitoring sees of this host. Needs no network.

use serde_json::json;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::metrics::publish;

/// Answers on stdout, in the text format of Prometheus. With `write`, the file that `node_exporter` reads is brought up to
/// date first, or taken away where the settings do not want it.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(context: &Context, write: bool) -> Result<(), Error> {
    let written = if write { publish::now(context) } else { None };
    let text = written.unwrap_or_else(|| publish::page(context)).text();
    match context.format {
        Format::Json => answer::json_line(&json!({ "prometheus": text })),
        Format::Text => answer::lines(text.lines().map(str::to_owned)),
    }
}
