//! `clear-failed`: let releases be tried again that did not stay when they ran here. Needs no network.

use host_io::OperationLock;
use serde_json::json;

use crate::after::observe::{self, Keep};
use crate::context::Context;
use crate::decide::attempts::Attempts;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};

/// Forgets why releases did not stay, and says which ones.
///
/// # Errors
/// When another update runs, or what is remembered cannot be changed.
pub fn run(context: &Context) -> Result<(), Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.events.tell(&Event::Started);
    // What the disk still shows is taken in first, so that it does not come back at the next look.
    let before = observe::attempts(context, Keep::Yes);
    let cleared: Vec<_> = before.marked().into_iter().map(|(release, _)| release.clone()).collect();
    observe::try_change(context, Attempts::cleared).map_err(Error::Attempts)?;
    if context.format == Format::Text {
        let lines = cleared
            .iter()
            .map(|release| format!("May be tried again: {} {}", release.variant, release.version));
        answer::done(lines);
        if cleared.is_empty() {
            answer::done(["No release is held".to_owned()]);
        }
    }
    let cleared = json!(
        cleared
            .iter()
            .map(|release| json!({
                "variant": release.variant, "arch": release.arch, "version": release.version,
            }))
            .collect::<Vec<_>>()
    );
    context.events.tell(&Event::Done(Done {
        command: "clear-failed",
        more: [("cleared".to_owned(), cleared)].into_iter().collect(),
        ..Done::default()
    }));
    Ok(())
}
