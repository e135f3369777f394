//! Everything before the reboot, in the one order that is safe: is it wanted, may this host go, is it drained, is it still
//! wanted, then the reboot. Whatever says no on the way undoes what was done before it.

use std::time::Duration;

use host_io::OperationLock;
use semver::Version;

use super::due;
use super::end::{self, Left};
use super::hooks::{self, When};
use super::lock::{self, Door, No};
use super::note::{Desk, Note, Stage};
use super::refused::Refused;
use super::wanted;
use crate::config::{self, Config};
use crate::context::Context;
use crate::decide::attempts::Release;
use crate::error::Error;

/// How to take a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// For each hook.
    pub limit: Duration,
    /// A timer asks: a server that did not answer is left alone for a while.
    pub patient: bool,
}

/// Reboots into the update that waits for it, when it is this host's turn. On success the reboot was asked for.
///
/// # Errors
/// When it is not wanted, not this host's turn, or something on the way fails: then there is no reboot.
pub fn reboot(context: &Context, desk: &Desk<'_>, asked: Asked) -> Result<Version, Error> {
    let boot = context.host.boot_id()?;
    let before = before(context, desk, &boot, asked.limit)?;
    let entry = match wanted::update(context) {
        Ok(entry) => entry,
        Err(error) => {
            // What a process began that has ended since is undone.
            if before.is_some() {
                let _told = undo(context, desk, None, asked.limit);
            }
            return Err(error);
        }
    };
    context.evidence.note(|evidence| {
        evidence.to = Some(entry.version.clone());
        (evidence.variant, evidence.arch) = (Some(entry.variant.clone()), Some(entry.arch.clone()));
    });
    let config = config::load(&*context.fs, &context.paths)?;
    let slot = end::slot(context, &config)?;
    let before = match before {
        Some(before) if before.slot == slot => Some(before),
        // The settings name another server or group now: with that one this host begins anew.
        Some(before) => {
            let _told = undo(context, desk, Some(before), asked.limit);
            None
        }
        None => None,
    };
    let fresh = Note { slot, to: Some(Release::from(&entry)), ..Note::new(&boot, context.clock.now()) };
    let note = match before {
        Some(Note { drained, kept, unanswered, not_before, told, .. }) => {
            Note { drained, kept, unanswered, not_before, told, ..fresh }
        }
        None => fresh,
    };
    let mut turn = Turn { context, desk, asked, note };
    turn.ask(&config)?;
    turn.drain()?;
    turn.go(&entry.version)?;
    Ok(entry.version)
}

/// What is left of the turn before: one of this boot goes on, and one of another boot is ended first.
fn before(context: &Context, desk: &Desk<'_>, boot: &str, limit: Duration) -> Result<Option<Note>, Error> {
    let now = context.clock.now();
    let not_ended = |why: String| Err(Refused::NotEnded { why }.into());
    match desk.load(now).map_err(Refused::Note)? {
        Some(note) if note.boot == boot && due::is_coming(&note, now) => {
            not_ended("its reboot is on its way".to_owned())
        }
        Some(note) if note.boot == boot => Ok(Some(note)),
        Some(note) => match end::go_on(context, desk, note, limit)? {
            Left::Nothing | Left::Ended | Left::Rests => Ok(None),
            Left::Keeps { .. } => Ok(desk.load(now).map_err(Refused::Note)?),
            Left::Coming => not_ended("its reboot is on its way".to_owned()),
            Left::Waits(why) => not_ended(why),
        },
        None => Ok(None),
    }
}

/// Brings the host back and gives the slot back, as there is no reboot. What of that fails is told, and tried again by whoever
/// ends turns.
fn undo(context: &Context, desk: &Desk<'_>, note: Option<Note>, limit: Duration) -> Option<Left> {
    let ended = match note {
        Some(note) => end::go_on(context, desk, note, limit),
        None => end::settle(context, desk, limit),
    };
    ended
        .inspect_err(|error| {
            tracing::warn!("this host's turn has not ended: failed to {}", host_io::report::chain(error));
        })
        .ok()
}

struct Turn<'a> {
    context: &'a Context,
    desk: &'a Desk<'a>,
    asked: Asked,
    note: Note,
}

impl Turn<'_> {
    fn keep(&self) -> Result<(), Error> {
        Ok(self.desk.keep(&self.note).map_err(Refused::Note)?)
    }

    /// Asks the server, where there is one.
    fn ask(&mut self, config: &Config) -> Result<(), Error> {
        let Some(slot) = self.note.slot.clone() else { return Ok(()) };
        let now = self.context.clock.now();
        if let Some(until) =
            self.note.not_before.filter(|until| self.asked.patient && end::waits(now, *until))
        {
            return Err(Refused::Patience { until, why: self.note.told.clone().unwrap_or_default() }.into());
        }
        let server = config.reboot_lock.as_ref().expect("a slot is made of the settings");
        // Before the question: once it is sent, the slot may be held.
        self.note.stage = Stage::Asked;
        self.keep()?;
        match lock::ask(self.context, Some(config), (server, &slot), Door::PreReboot)? {
            Ok(()) => {
                self.note = Note { unanswered: 0, not_before: None, told: None, ..self.note.clone() };
                self.note.stage = Stage::Held;
                self.context.evidence.note(|evidence| {
                    evidence.notes.push(format!(
                        "the lock server {} let this host go, of group {}",
                        slot.server, slot.group
                    ));
                });
                self.keep()
            }
            Err(No::Said(why)) => {
                self.note.stage = if self.note.kept.is_some() { Stage::Kept } else { Stage::Refused };
                self.note.unanswered = 0;
                self.note.not_before = None;
                self.note.told = Some(why.clone());
                self.keep()?;
                Err(Refused::NotNow { server: slot.server, why }.into())
            }
            Err(No::Nothing(why)) => {
                self.note.unanswered = self.note.unanswered.saturating_add(1);
                self.note.not_before = now.checked_add_signed(end::patience(self.note.unanswered));
                self.note.told = Some(why.clone());
                // Whether it is held is not known: it stays as one that may be, and is given back or asked for again.
                self.keep()?;
                Err(Refused::Unanswered { server: slot.server, why }.into())
            }
        }
    }

    /// Runs the hooks that drain the host, where there are any.
    fn drain(&mut self) -> Result<(), Error> {
        if !hooks::any(&self.context.paths, When::PreReboot) {
            return Ok(());
        }
        self.note.drained = true;
        self.keep()?;
        match hooks::run(self.context, When::PreReboot, self.asked.limit)? {
            Ok(()) => Ok(()),
            Err(why) => Err(self.undo(Refused::NotReady { why }.into())),
        }
    }

    /// The reboot, if it is still wanted: under the lock of updates, so that nobody takes it back at the same moment.
    fn go(&mut self, to: &Version) -> Result<(), Error> {
        let lock = match OperationLock::acquire(&self.context.paths) {
            Ok(lock) => lock,
            Err(error) => return Err(self.undo(error.into())),
        };
        match wanted::update(self.context) {
            Ok(entry) if entry.version == *to => {}
            Ok(entry) => {
                let why = format!("meanwhile {} boots next, and no longer {to}", entry.version);
                drop(lock);
                return Err(self.undo(Refused::NotWanted { why }.into()));
            }
            Err(error) => {
                drop(lock);
                return Err(self.undo(error));
            }
        }
        if self.note.slot.is_some() || self.note.drained {
            self.note.stage = Stage::Reboots;
            self.note.reboot_at = Some(self.context.clock.now());
            if let Err(error) = self.keep() {
                drop(lock);
                return Err(self.undo(error));
            }
        }
        match self.context.host.reboot() {
            Ok(()) => Ok(()),
            Err(error) => {
                drop(lock);
                self.note.stage = Stage::Held;
                Err(self.undo(Error::Reboot(error)))
            }
        }
    }

    /// Undoes what was done, as there is no reboot for this reason.
    fn undo(&mut self, why: Error) -> Error {
        tracing::warn!("there is no reboot: failed to {}", host_io::report::chain(&why));
        let _told = undo(self.context, self.desk, Some(self.note.clone()), self.asked.limit);
        why
    }
}
