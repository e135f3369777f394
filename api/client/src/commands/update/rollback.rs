//! `update rollback`: returning to the other set.
//!
//! The server is asked first what that would change, and refuses where the other set does not boot or the settings
//! cannot go back; a person sees it and agrees; then the sets are flipped.

use std::io::{BufRead as _, IsTerminal as _};

use host_io::say;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::commands::reboot;
use crate::error::Error;
use crate::tell::{self, answer, answer_json};
use crate::update::form::Form;
use crate::update::rollback::lines;
use crate::update::wait;

/// How to return.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = "Examples:
  apiclient update rollback --dry-run
  apiclient update rollback --yes --reboot")]
pub struct Args {
    /// Only print what would change
    #[arg(long)]
    pub dry_run: bool,

    /// Take the settings as they were when the other set ran last, instead of migrating the present ones back
    #[arg(long)]
    pub restore_snapshot: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Reboot into the other set
    #[arg(short, long)]
    pub reboot: bool,

    #[command(flatten)]
    pub(super) form: Form,
}

/// Returns to the other set.
///
/// # Errors
/// When the other set does not boot, the settings cannot go back, nobody agreed, or the server does not answer. Nothing
/// is changed then.
pub async fn run(api: &Api, args: &Args) -> Result<(), Error> {
    let plan = ask(api, &uri(args.restore_snapshot, true)).await?;
    if args.dry_run {
        return if args.form.is_json() { answer_json(&plan) } else { answer(&lines(&plan).join("\n")) };
    }
    if !args.form.is_json() {
        say::line(&lines(&plan).join("\n"));
    }
    if !args.yes {
        agree()?;
    }
    ask(api, &uri(args.restore_snapshot, false)).await?;
    wait::until_idle(api, "the way back").await?;
    if args.reboot {
        reboot::run(api).await?;
    }
    if args.form.is_json() {
        let outcome = if args.reboot { "rebooting" } else { "rolled-back" };
        let event = json!({"event": "done", "command": "rollback", "outcome": outcome, "plan": plan});
        tell::outcome(&event.to_string());
        return Ok(());
    }
    say::line(if args.reboot { "Done; rebooting" } else { "Done; it takes effect with: apiclient reboot" });
    Ok(())
}

fn uri(restore_snapshot: bool, dry_run: bool) -> String {
    let wishes = [(dry_run, "dry-run=true"), (restore_snapshot, "restore-snapshot=true")];
    let query: Vec<&str> = wishes.into_iter().filter(|(wish, _)| *wish).map(|(_, word)| word).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/actions/rollback{mark}{}", query.join("&"))
}

/// What the server answers: the plan or the outcome, where it has a body.
async fn ask(api: &Api, uri: &str) -> Result<Value, Error> {
    let failed = Error::call("return to the other set");
    match api.send(Method::POST, uri, None).await {
        Ok(Answer { body, .. }) if body.is_empty() => Ok(Value::Null),
        Ok(Answer { body, .. }) => {
            serde_json::from_str(&body).map_err(|error| failed(Api::nonsense(uri, &error)))
        }
        Err(error) => Err(failed(error)),
    }
}

/// A person at a terminal is asked; anybody else must have said so before.
fn agree() -> Result<(), Error> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::NotAgreed("nobody is there to be asked"));
    }
    say::piece("Go on? [y/N] ");
    let mut said = String::new();
    stdin.lock().read_line(&mut said).map_err(Error::Print)?;
    match said.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::NotAgreed("the answer was not yes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_travel_in_the_query() {
        assert_eq!(uri(false, false), "/actions/rollback");
        assert_eq!(uri(true, true), "/actions/rollback?dry-run=true&restore-snapshot=true");
        assert_eq!(uri(true, false), "/actions/rollback?restore-snapshot=true");
    }
}
