//! `trust`: what this host trusts, and forgetting it. Needs no network.

use clap::Subcommand;
use host_io::OperationLock;
use serde_json::{Value, json};
use trusted_repo::memory::view::{self, Anchor, Held, HeldRole, Memory};
use update_metadata::explain::instant;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Action {
    /// Say which roles are trusted, and where they are from
    #[command(
        after_help = "Examples:\n  updog trust show                       which roles are trusted here\n  updog trust show --json                the same in fields"
    )]
    Show,
    /// Forget what was remembered: the next check trusts the image's root as on the first day
    #[command(
        after_help = "Examples:\n  updog trust reset                      say what would be forgotten\n  updog trust reset --yes                forget it"
    )]
    Reset {
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
}

/// Answers on stdout.
///
/// # Errors
/// When the shipped root or the memory's directory cannot be read; for a reset also without `--yes`.
pub fn run(context: &Context, action: &Action) -> Result<(), Error> {
    match action {
        Action::Show => show(context),
        Action::Reset { yes } => reset(context, *yes),
    }
}

fn show(context: &Context) -> Result<(), Error> {
    let path = context.paths.trusted_root();
    let bytes = context.fs.read(&path).map_err(|source| Error::Anchor { path: path.clone(), source })?;
    let anchor = view::anchor(&bytes)?;
    let memories = view::show(&*context.fs, &context.paths.trust())?;
    match context.format {
        Format::Json => answer::pretty(&json!({
            "shipped": {
                "path": path.display().to_string(),
                "sha256": anchor.sha256,
                "version": anchor.role.version,
                "expires": instant(anchor.role.expires),
            },
            "remembered": memories.iter().map(|memory| fields(memory, &anchor)).collect::<Vec<_>>(),
        })),
        Format::Text => answer::lines(text(&path.display().to_string(), &anchor, &memories)),
    }
}

fn reset(context: &Context, yes: bool) -> Result<(), Error> {
    let trust = context.paths.trust();
    if !yes {
        let memories = view::show(&*context.fs, &trust)?;
        if memories.is_empty() {
            return answer::lines(["Nothing is remembered".to_owned()]);
        }
        answer::lines(memories.iter().map(|memory| format!("Would forget: {}", of_what(memory))))?;
        return Err(Error::Unconfirmed);
    }
    let _lock = OperationLock::acquire(&context.paths)?;
    let count = view::reset(&*context.fs, &trust)?;
    answer::done([match context.format {
        Format::Json => json!({ "event": "done", "forgotten": count }).to_string(),
        Format::Text if count == 0 => "Nothing was remembered".to_owned(),
        Format::Text => format!("Forgotten: {count}"),
    }]);
    Ok(())
}

fn of_what(memory: &Memory) -> String {
    match &memory.held {
        Ok(held) => {
            format!("{} (anchor {}…)", held.metadata_base_url, held.anchor.get(..12).unwrap_or_default())
        }
        Err(reason) => format!("{}, unreadable ({reason})", memory.key),
    }
}

fn origin(role: &HeldRole) -> &'static str {
    if role.is_anchor { "shipped" } else { "remembered" }
}

fn fields(memory: &Memory, anchor: &Anchor) -> Value {
    match &memory.held {
        Err(reason) => json!({ "key": memory.key, "unreadable": reason }),
        Ok(held) => json!({
            "key": memory.key,
            "anchor": held.anchor,
            "anchor_is_shipped": held.anchor == anchor.sha256,
            "metadata_base_url": held.metadata_base_url,
            "floor": held.floor.map(instant),
            "timestamp_since": held.timestamp_since.map(instant),
            "roles": held.roles.iter().map(|role| json!({
                "name": role.name,
                "version": role.role.version,
                "expires": instant(role.role.expires),
                "from": origin(role),
            })).collect::<Vec<_>>(),
        }),
    }
}

fn text(path: &str, anchor: &Anchor, memories: &[Memory]) -> Vec<String> {
    let Anchor { sha256, role } = anchor;
    let mut lines = vec![
        format!("Shipped:    {path}"),
        format!("  root        version {}, expires {}", role.version, instant(role.expires)),
        format!("  SHA-256     {sha256}"),
    ];
    if memories.is_empty() {
        lines.push("Remembered: nothing yet, the next check starts from the shipped root".to_owned());
    }
    for memory in memories {
        match &memory.held {
            Ok(held) => lines.extend(remembered(held, anchor)),
            Err(reason) => lines.push(format!("Unreadable: {} ({reason})", memory.key)),
        }
    }
    lines
}

fn remembered(held: &Held, anchor: &Anchor) -> Vec<String> {
    let mut lines = vec![format!("Remembered: {}", held.metadata_base_url)];
    let whose = if held.anchor == anchor.sha256 { "the shipped one" } else { "of another image" };
    lines.push(format!("  anchor      {whose}, SHA-256 {}", held.anchor));
    for role in &held.roles {
        let (version, expires) = (role.role.version, instant(role.role.expires));
        lines.push(format!("  {:<11} version {version}, expires {expires}, {}", role.name, origin(role)));
    }
    if let Some(since) = held.timestamp_since {
        lines.push(format!("  not moved   since {}", instant(since)));
    }
    if let Some(floor) = held.floor {
        lines.push(format!("  floor       {}", instant(floor)));
    }
    lines
}
