//! What is remembered of updates.
//!
//! Only what the disk cannot tell is kept here. Both releases of a host read this file, so fields are only ever added
//! and every field may be missing.

use api_model::{CommandType, MostRecentCommand, UpdateImage};
use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::state::Choice;
use crate::start::Boot;

/// What is remembered of updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Versions that this host may take, newest first, as of the last refresh.
    #[serde(default)]
    pub available_updates: Vec<Version>,
    /// The one of them that it would take.
    #[serde(default)]
    pub chosen_update: Option<UpdateImage>,
    /// What the last successful prepare put into the inactive set.
    #[serde(default)]
    pub staged: Option<UpdateImage>,
    /// The last prepare failed: an image that is still in the inactive set is not the one that was asked for, and is
    /// not offered for activation.
    #[serde(default)]
    pub withdrawn: bool,
    /// The version that ran when this was last settled.
    #[serde(default)]
    pub running_version: Option<Version>,
    /// The last command that has ended.
    #[serde(default)]
    pub most_recent_command: Option<MostRecentCommand>,
    /// The command whose end has not been seen yet.
    #[serde(default)]
    pub in_progress: Option<InProgress>,
}

/// A command that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgress {
    /// Which one.
    pub cmd_type: CommandType,
    /// What a prepare is to stage.
    #[serde(default)]
    pub image: Option<UpdateImage>,
    /// Somebody asked to stop it.
    #[serde(default)]
    pub cancelled: bool,
    /// When it was started.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
}

impl Memory {
    /// This memory, without what the disk no longer bears out.
    #[must_use]
    pub fn settled(mut self, facts: &Facts, boot: Boot, now: DateTime<Utc>) -> Self {
        let running = Some(facts.active.version.clone());
        if self.running_version != running {
            // Another system runs: what the earlier one chose or staged was for itself.
            self.available_updates.clear();
            self.chosen_update = None;
            self.staged = None;
            self.withdrawn = false;
            self.running_version = running;
        }
        let inactive = facts.inactive.as_ref();
        // Only once after it happened: a person or a later refresh may choose that release again.
        if inactive.is_some_and(|set| set.failed_boot) && (boot == Boot::Fresh || self.staged.is_some()) {
            self.chosen_update = None;
        }
        if self.chosen_update.as_ref().is_some_and(|chosen| facts.bars(chosen, now)) {
            self.chosen_update = None;
        }
        if !inactive.is_some_and(|set| set.valid) {
            self.staged = None;
            self.withdrawn = false;
        }
        self
    }

    /// This memory with `command` begun.
    #[must_use]
    pub fn begun(mut self, command: CommandType) -> Self {
        let image = self.chosen_update.clone().filter(|_| command == CommandType::Prepare);
        self.in_progress = Some(InProgress { cmd_type: command, image, cancelled: false, since: None });
        self
    }

    /// This memory with the command in progress begun at that time.
    #[must_use]
    pub fn since(mut self, now: DateTime<Utc>) -> Self {
        if let Some(command) = &mut self.in_progress {
            command.since = Some(now);
        }
        self
    }

    /// This memory with the command in progress asked to stop.
    #[must_use]
    pub fn cancelled(mut self) -> Self {
        if let Some(command) = &mut self.in_progress {
            command.cancelled = true;
        }
        self
    }

    /// Whether an update is chosen.
    #[must_use]
    pub fn choice(&self) -> Choice {
        if self.chosen_update.is_some() { Choice::Made } else { Choice::None }
    }
}
