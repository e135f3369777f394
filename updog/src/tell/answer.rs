//! Answers on stdout, in the shapes that other programs read.

use host_io::{Medium, say};
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::decide::choice::Choice;
use crate::decide::why;
use crate::error::Error;
use crate::flip::record::Entry;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::update::Outcome;

/// One indented JSON value.
///
/// # Errors
/// When stdout cannot be written.
pub fn pretty(value: &impl Serialize) -> Result<(), Error> {
    lines([serde_json::to_string_pretty(value).expect("answers are plain data")])
}

/// One JSON value on one line.
///
/// # Errors
/// When stdout cannot be written.
pub fn json_line(value: &impl Serialize) -> Result<(), Error> {
    lines([serde_json::to_string(value).expect("answers are plain data")])
}

/// Lines of text, which are what the command is for.
///
/// # Errors
/// When stdout cannot be written.
pub fn lines(lines: impl IntoIterator<Item = String>) -> Result<(), Error> {
    say::answer(&text(lines)).map_err(Error::Answer)
}

/// Lines of text about what is done; it stays done if they cannot be written.
pub fn done(lines: impl IntoIterator<Item = String>) {
    say::outcome(&text(lines));
}

fn text(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

/// How an update ended. `said` is what to call it when there was one.
pub fn outcome(context: &Context, command: &'static str, said: &str, outcome: &Outcome, reboot: bool) {
    let event = match outcome {
        Outcome::Nothing { choice, machine, bytes_fetched } => {
            let why = why::not(choice, machine);
            context.events.before_an_answer();
            match choice {
                // A version that was named is wanted: that it is not there is no answer to whether one is required.
                Choice::NotOffered { version, .. } => {
                    say::line(&format!("Nothing done about {version}: {why}"))
                }
                _ => say::line(&format!("No update required: {why}")),
            }
            Done { command, bytes_fetched: *bytes_fetched, why: Some(why), ..Done::default() }
        }
        Outcome::Installed { update, set, read_back, bytes_fetched } => {
            let medium = medium(read_back.medium());
            if read_back.medium() == Medium::ImageFile {
                tracing::info!("this disk is an image file: its read-back is advisory");
            }
            if context.format == Format::Text {
                context.events.before_an_answer();
                done([format!("{said}: {} {}", update.variant, update.version)]);
            }
            Done {
                command,
                update: serde_json::to_value(update).expect("an update is plain data"),
                set: Some(set.to_string()),
                bytes_fetched: *bytes_fetched,
                bytes_written: read_back.tally().written,
                bytes_skipped: read_back.tally().skipped,
                read_back: Some(medium),
                reboot,
                ..Done::default()
            }
        }
    };
    context.events.tell(&Event::Done(event));
}

/// What was read back, in the words of events.
#[must_use]
pub fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Device => "device",
        Medium::ImageFile => "image-file",
    }
}

/// What a set holds, as far as the record says it.
#[must_use]
pub fn installed(entry: &Entry) -> Value {
    json!({ "variant": entry.variant, "arch": entry.arch, "version": entry.version.to_string() })
}
