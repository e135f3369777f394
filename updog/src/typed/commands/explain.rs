//! `explain`: what this host makes of every version that the repository knows, and why. Changes nothing on the disk.

use semver::Version;
use serde_json::json;
use signpost::OsDisk;
use update_metadata::explain::instant;

use crate::context::Context;
use crate::decide::choice::{Choice, NotOffered};
use crate::decide::explain::{Explained, Installed, explain, note_installed};
use crate::decide::{guard, why};
use crate::error::Error;
use crate::flip::apply;
use crate::flip::record::Record;
use crate::look::fetch::{self, Opened, Purse};
use crate::look::sets;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::update::{Asked, request};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// As for an update.
    pub asked: Asked,
}

/// Answers on stdout.
///
/// # Errors
/// When the repository cannot be used.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let opened = fetch::open(context, args.asked.variant.as_deref(), Purse::Open)?;
    opened.all_known()?;
    let Opened { manifest, machine, config, .. } = opened;
    let now = context.clock.now();
    let mut updates =
        explain(&manifest, &machine, &request(&args.asked, &config), config.minimum_version.as_ref(), now);
    if let Some(installed) = installed(context) {
        note_installed(&mut updates, &installed);
    }
    // That nobody has it is no reason against any of the others.
    let has = |version: &Version| {
        let is_it = |one: &Explained| {
            one.version == *version && one.variant == machine.variant && one.arch == machine.arch
        };
        updates.iter().any(is_it)
    };
    let unknown = args.asked.image.clone().filter(|asked| !has(asked));
    let unknown = unknown
        .map(|version| why::not(&Choice::NotOffered { version, reason: NotOffered::Unknown }, &machine));
    match context.format {
        Format::Json => answer::json_line(&json!({
            "running": { "variant": machine.variant, "arch": machine.arch, "version": machine.version },
            "seed": machine.seed.get(),
            "now": now,
            "updates": updates,
            "not_offered": unknown,
        })),
        Format::Text => {
            let head = format!("Runs {} {}, seed {}", machine.variant, machine.version, machine.seed);
            answer::lines(std::iter::once(head).chain(table(&updates)).chain(unknown))
        }
    }
}

/// What the other set has ready. A disk that cannot be read is no reason not to answer.
fn installed(context: &Context) -> Option<Installed> {
    let disk = OsDisk::discover(&context.paths).ok()?;
    let status = disk.status().ok()?;
    let (entry, boots_next) = match guard::activated(&status) {
        Ok(set) => {
            let record = Record::load_or_empty(&*context.fs, &context.paths);
            (sets::held_by(&disk, &record, set.name).ok()??, true)
        }
        Err(_) => (apply::find_staged(context, &disk).ok()?.entry().clone(), false),
    };
    // A release that ran here and was left is no update that waits.
    (!status.inactive()?.bits.successful).then_some(Installed {
        variant: entry.variant,
        arch: entry.arch,
        version: entry.version,
        boots_next,
    })
}

fn table(updates: &[Explained]) -> Vec<String> {
    let name = |one: &Explained| format!("{} {} {}", one.variant, one.version, one.arch);
    let width = updates.iter().map(|one| name(one).len()).max().unwrap_or_default();
    updates
        .iter()
        .map(|one| {
            let wave = one.wave_opens.map_or_else(String::new, |at| format!(" (wave: {})", instant(at)));
            format!("{:<width$}  {:<13}  {}{wave}", name(one), one.verdict.as_str(), one.reason)
        })
        .collect()
}
