//! Everything after the boot: what was drained comes back, and the slot is given back, or kept where the release did not stay.
//! Called again and again until nothing is left; each step is noted durably before the next.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use trusted_repo::Address;
use update_metadata::explain::instant;

use super::confirmed;
use super::due::{Due, Now, due};
use super::hooks::{self, When};
use super::identity;
use super::lock::{self, Door};
use super::note::{Desk, Note, Slot, Stage};
use super::refused::Refused;
use crate::after::observe::{self, Keep};
use crate::config::{self, Config};
use crate::context::Context;
use crate::decide::attempts::{Cause, Release};
use crate::error::Error;

/// What is left of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// It has ended now.
    Ended,
    /// A note without a slot: the server said no.
    Rests,
    /// The reboot is on its way.
    Coming,
    /// It waits for this.
    Waits(String),
    /// The slot is kept.
    Keeps {
        /// For what.
        why: String,
        /// Until when.
        until: DateTime<Utc>,
        /// Whether that is so since this call.
        new: bool,
    },
}

/// Does what is due about the turn of this host, if there is one.
///
/// # Errors
/// When a hook fails, the server does not take the slot back, or it cannot be noted. It is to be called again.
pub fn settle(context: &Context, desk: &Desk<'_>, limit: Duration) -> Result<Left, Error> {
    let found = desk.load(context.clock.now()).map_err(Refused::Note)?;
    let Some(note) = found else { return Ok(Left::Nothing) };
    go_on(context, desk, note, limit)
}

/// [`settle`], from this note on.
///
/// # Errors
/// As there.
pub fn go_on(context: &Context, desk: &Desk<'_>, mut note: Note, limit: Duration) -> Result<Left, Error> {
    let config = config::load_quietly(&*context.fs, &context.paths).ok();
    if note.stage == Stage::Other && note.slot.is_none() {
        note.slot = config.as_ref().and_then(|config| slot(context, config).ok().flatten());
    }
    let boot = context.host.boot_id()?;
    let running = running(context)?;
    let attempts = observe::attempts(context, Keep::No);
    let of_a_boot = |cause| !matches!(cause, Cause::Left);
    let did_not_stay: Vec<Release> = attempts
        .marked()
        .into_iter()
        .filter(|(_, mark)| of_a_boot(mark.cause))
        .map(|(release, _)| release.clone())
        .collect();
    let now = Now {
        boot: &boot,
        at: context.clock.now(),
        confirmed: confirmed::is(context, &boot),
        running: &running,
        did_not_stay: &did_not_stay,
        keep: config.as_ref().map_or(config::KEEP, |config| config.reboot_keep),
    };
    loop {
        match due(&note, &now) {
            Due::Rest => return Ok(Left::Rests),
            Due::Coming => return Ok(Left::Coming),
            Due::Unconfirmed => {
                return Ok(Left::Waits("this boot is not confirmed yet: \"updog confirm-boot\"".to_owned()));
            }
            Due::Forget => {
                desk.forget().map_err(Refused::Note)?;
                return Ok(Left::Nothing);
            }
            Due::Keep { kept, until } => {
                let why = format!("{} did not stay when it was started here", kept.release.version);
                let new = note.kept.as_ref() != Some(&kept);
                if new || note.stage != Stage::Kept {
                    let said = format!(
                        "the slot is kept until {}, or until what failed is cleared: {why}",
                        instant(until)
                    );
                    tracing::warn!("{said}");
                    context.evidence.note(|evidence| evidence.notes.push(said));
                    note = Note { stage: Stage::Kept, kept: Some(kept), ..note };
                    desk.keep(&note).map_err(Refused::Note)?;
                }
                return Ok(Left::Keeps { why, until, new });
            }
            Due::BringBack => match hooks::run(context, When::PostBoot, limit)? {
                // A cut before this is noted has them run once more, in the next boot or at the next call.
                Ok(()) => {
                    note = Note { drained: false, told: None, ..note };
                    desk.keep(&note).map_err(Refused::Note)?;
                }
                Err(why) => {
                    keep_told(desk, note, &why)?;
                    return Err(Refused::NotBack { why }.into());
                }
            },
            Due::GiveBack => {
                give_back(context, desk, config.as_ref(), note)?;
                return Ok(Left::Ended);
            }
        }
    }
}

/// What runs, as far as it says itself.
fn running(context: &Context) -> Result<Release, Error> {
    let os = context.host.os_release()?;
    let arch = context.host.arch().to_owned();
    Ok(Release { variant: os.variant_id, arch, version: os.version_id, root_hash: None })
}

/// The slot that this host asks for by its settings; `None` where no server is named.
///
/// # Errors
/// When this machine has no name.
pub fn slot(context: &Context, config: &Config) -> Result<Option<Slot>, Refused> {
    let Some(server) = &config.reboot_lock else { return Ok(None) };
    let machine = context.host.machine_id().map_err(Refused::Nameless)?;
    let id = identity::of(&machine).expect("a machine id is 32 hex digits");
    Ok(Some(Slot { server: server.bare().to_string(), group: config.reboot_group.clone(), id }))
}

fn keep_told(desk: &Desk<'_>, note: Note, why: &str) -> Result<(), Error> {
    if note.told.as_deref() != Some(why) {
        desk.keep(&Note { told: Some(why.to_owned()), ..note }).map_err(Refused::Note)?;
    }
    Ok(())
}

/// Tells the server, and forgets the note once it has agreed.
fn give_back(context: &Context, desk: &Desk<'_>, config: Option<&Config>, note: Note) -> Result<(), Error> {
    if let Some(slot) = &note.slot {
        // The slot goes back to where it was taken. The settings have what is secret of that address, as long as they name it.
        let named = config.and_then(|config| config.reboot_lock.as_ref());
        let same = named.is_some_and(|named| named.bare().as_str() == slot.server)
            && config.is_some_and(|config| config.reboot_group == slot.group);
        let address = match named.filter(|_| same) {
            Some(named) => Ok(named.clone()),
            None => Address::parse(&slot.server).map_err(|error| error.to_string()),
        };
        let asked = match &address {
            Ok(address) => {
                lock::ask(context, config, (address, slot), Door::SteadyState)?.map_err(lock::No::why)
            }
            Err(why) => Err(why.clone()),
        };
        match asked {
            Ok(()) => context.evidence.note(|evidence| {
                evidence.notes.push(format!("the lock server {} took the slot back", slot.server));
            }),
            // Whoever took the server away, or put another one in its place, waits for no answer of it.
            Err(why) if !same && config.is_some() => tracing::warn!(
                "a slot may be left at the lock server {}, which the settings do not name any more: {why}",
                slot.server
            ),
            Err(why) => {
                let server = slot.server.clone();
                keep_told(desk, note, &why)?;
                return Err(Refused::NotTaken { server, why }.into());
            }
        }
    }
    Ok(desk.forget().map_err(Refused::Note)?)
}

/// Whether a timer waits until then before it asks again. A time further ahead than any patience was noted by a clock that was
/// wrong.
#[must_use]
pub fn waits(now: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    now < until && until - now <= patience(u32::MAX)
}

/// How long the server is left alone after so many times without an answer: a quarter of an hour, doubled each time, four
/// hours at most.
#[must_use]
pub fn patience(unanswered: u32) -> TimeDelta {
    const MOST: i32 = 16;
    let times = 2_i32.checked_pow(unanswered.saturating_sub(1)).map_or(MOST, |times| times.min(MOST));
    TimeDelta::minutes(15) * times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_less_and_less_often() {
        let minutes: Vec<i64> = [0, 1, 2, 3, 5, 6, 40].map(|times| patience(times).num_minutes()).to_vec();
        assert_eq!(minutes, [15, 15, 30, 60, 240, 240, 240]);
    }

    #[test]
    fn a_clock_that_was_years_ahead_when_it_was_noted_keeps_no_timer_waiting() {
        let now: DateTime<Utc> = "2024-06-01T00:00:00Z".parse().unwrap();
        let waits = |minutes| waits(now, now + TimeDelta::minutes(minutes));
        assert_eq!([-1, 0, 1, 240, 241, 1_000_000].map(waits), [false, false, true, true, false, false]);
    }
}
