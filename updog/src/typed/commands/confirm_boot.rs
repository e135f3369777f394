//! `confirm-boot`: mark this boot good, once the system does what it should. Needs no network and no operation lock.

use std::time::Duration;

use host_io::boot_note::{root_hash_of, stage};
use host_io::{BootNote, lock};
use serde_json::json;
use signpost::{Command, OsDisk, Status};

use crate::after::baseline::numbers::Numbers;
use crate::after::baseline::rule::Compared;
use crate::after::baseline::store;
use crate::after::health::{self, Limits, Passed, Unhealthy};
use crate::after::observe::{self, Keep};
use crate::config;
use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;
use crate::turn::confirmed;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "Examples:\n  updog confirm-boot                     wait for the API, run the checks, mark this boot good\n  updog confirm-boot --without-api       on a host that has no apiserver"
)]
pub struct Args {
    /// How many seconds the API may take until it answers
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub api_within: u64,
    /// There is no apiserver on this host: the health checks alone decide
    #[arg(long, conflicts_with = "api_within")]
    pub without_api: bool,
    /// How many seconds each health check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub check_within: u64,
    /// Confirm nothing: note why this boot is given up, and reboot if it is not proven and the other set boots
    #[arg(long, value_name = "REASON")]
    pub give_up: Option<String>,
}

/// Checks and marks, or says what is wrong. A set that was proven before stays so in any case.
///
/// # Errors
/// [`Error::Unhealthy`]; and when the disk cannot be used.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    // A boot may be the first one to leave anything here.
    lock::private::make(&context.paths.update_state());
    let disk = OsDisk::discover(&context.paths)?;
    let status = disk.status()?;
    if let Some(reason) = &args.give_up {
        return give_up(context, &status, reason);
    }
    // Only a first boot is worth a record: the others come every day.
    let first = !status.active().bits.successful;
    if first {
        context.evidence.begin();
        let version = context.host.os_release()?.version_id;
        context.evidence.note(|evidence| {
            evidence.from = Some(version);
            evidence.set = Some(status.active.to_string());
        });
    }
    let limits = Limits {
        api: (!args.without_api).then_some(Duration::from_secs(args.api_within)),
        check: Duration::from_secs(args.check_within),
    };
    let checked = context.waiter.wait(health::check(&context.paths, limits))?;
    let wants_baseline =
        config::load_quietly(&*context.fs, &context.paths).is_ok_and(|config| config.health_baseline);
    let weighed = checked.and_then(|passed| match first && wants_baseline {
        true => weigh(context, passed),
        false => Ok(passed),
    });
    let numbers = weighed.as_ref().map_or_else(|_| Numbers::new(), |passed| passed.numbers.clone());
    let result = match weighed.map(|passed| passed.names) {
        Ok(passed) => confirm(context, &disk, limits.api.is_some(), passed),
        Err(Unhealthy { stage: at, reason, said }) => {
            context.evidence.note(|evidence| evidence.notes.extend(said));
            if first {
                note(context, at, &reason);
            }
            let mut then = then(&status).to_owned();
            if at == stage::API {
                then.push_str("; on a host that has no apiserver it is \"updog confirm-boot --without-api\"");
            }
            Err(Error::Unhealthy { reason, then })
        }
    };
    if result.is_ok()
        && wants_baseline
        && let Err(error) = store::add_boot(&*context.fs, &context.paths, &numbers)
    {
        tracing::warn!("the numbers of this boot are no measure for later ones: {error}");
    }
    confirmed::note(context, result.is_ok());
    let outcome = if result.is_ok() { Outcome::Confirmed } else { Outcome::Failed };
    context.evidence.end(outcome, result.as_ref().err().map(|error| error as _));
    result
}

/// Holds the numbers of a first boot against those of good boots before it. All comparisons are in the record, whatever comes
/// of them.
fn weigh(context: &Context, passed: Passed) -> Result<Passed, Unhealthy> {
    let compared = store::load(&*context.fs, &context.paths).compare(&passed.numbers);
    context.evidence.note(|evidence| evidence.notes.extend(compared.iter().map(ToString::to_string)));
    match compared.into_iter().find(Compared::is_worse) {
        None => Ok(passed),
        Some(worse) => Err(Unhealthy {
            stage: stage::HEALTH,
            reason: format!("it works, but worse than before: {worse}"),
            said: None,
        }),
    }
}

fn confirm(context: &Context, disk: &OsDisk, with_api: bool, passed: Vec<String>) -> Result<(), Error> {
    let api = if with_api { "the API answers" } else { "the API was not asked" };
    let said = match passed.as_slice() {
        [] => format!("{api}, and there are no health checks"),
        names => format!("{api}, and these health checks passed: {}", names.join(", ")),
    };
    context.evidence.note(|evidence| evidence.notes.push(said.clone()));
    // A cut here leaves a boot that is not proven, with a record that says no more than what is true.
    context.evidence.keep();
    let status = disk.apply(Command::MarkSuccessfulBoot)?;
    if let Err(error) = BootNote::keep_only(&*context.fs, &context.paths, &other_notes(context)) {
        tracing::warn!("notes of earlier boots stay: {error}");
    }
    // And the other set is looked at: if its boot failed, that is known from now on.
    let _known_from_now_on = observe::attempts(context, Keep::Yes);
    if context.format == Format::Text {
        answer::done([format!("This boot of set {} is marked good: {said}", status.active)]);
    }
    context.events.tell(&Event::Done(Done {
        command: "confirm-boot",
        set: Some(status.active.to_string()),
        more: [("checks".to_owned(), json!(passed))].into_iter().collect(),
        ..Done::default()
    }));
    Ok(())
}

/// Whose notes still tell something: a boot of the other set that failed.
fn other_notes(context: &Context) -> Vec<semver::Version> {
    let attempts = observe::attempts(context, Keep::No);
    attempts.marked().into_iter().map(|(release, _)| release.version.clone()).collect()
}

/// Gives up a boot that takes too long: the note tells why, and the other set is started where there is one that boots.
fn give_up(context: &Context, status: &Status, reason: &str) -> Result<(), Error> {
    if status.active().bits.successful {
        tracing::warn!("set {} was proven before: it is not given up ({reason})", status.active);
        return Ok(());
    }
    let version = context.host.os_release()?.version_id;
    let before = BootNote::read(&*context.fs, &context.paths, &version);
    // What went wrong first is the better reason.
    if before.as_ref().is_none_or(|note| note.failed.is_none()) {
        let stage = before.map_or_else(|| stage::SYSTEM.to_owned(), |note| note.stage);
        note(context, &stage, reason);
    }
    if status.inactive().is_some_and(|set| set.bits.would_boot()) {
        return Ok(context.host.reboot()?);
    }
    Err(Error::Unhealthy { reason: reason.to_owned(), then: then(status).to_owned() })
}

/// Leaves a word for the other set. A disk that takes none changes nothing.
fn note(context: &Context, stage: &str, reason: &str) {
    let Ok(os) = context.host.os_release() else { return };
    let note = BootNote {
        version: os.version_id,
        root_hash: root_hash_of(&context.host.command_line().unwrap_or_default()),
        stage: stage.to_owned(),
        failed: None,
        at: Some(context.clock.now()),
    };
    if let Err(error) = note.failed(reason).write(&*context.fs, &context.paths) {
        tracing::warn!("the other set will not learn why this boot is not good: {error}");
    }
}

fn then(status: &Status) -> &'static str {
    if status.active().bits.successful {
        "this set was marked good before, and stays so"
    } else if status.inactive().is_some_and(|set| set.bits.would_boot()) {
        "this boot stays unproven: mend it and run \"updog confirm-boot\" again, or reboot into the other set"
    } else {
        "this boot stays unproven, and the other set would not boot: mend it and run \"updog confirm-boot\" again"
    }
}
