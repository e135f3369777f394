//! State and wire status from facts and memory. Nothing here is stored.

use api_model::{MostRecentCommand, PartitionInfo, UpdateImage, UpdateState, UpdateStatus};

use super::facts::{Facts, Failed};
use super::memory::Memory;

/// How far an update has come: what the disk holds first, what was chosen second.
#[must_use]
pub fn state(memory: &Memory, facts: &Facts) -> UpdateState {
    match staged(memory, facts) {
        Some(staged) if staged.next_to_boot => UpdateState::Ready,
        Some(_) => UpdateState::Staged,
        None if memory.chosen_update.is_some() => UpdateState::Available,
        None => UpdateState::Idle,
    }
}

/// The image that waits in the inactive set. An earlier system that is kept to go back to is not one.
#[must_use]
pub fn staged(memory: &Memory, facts: &Facts) -> Option<PartitionInfo> {
    let set = facts.inactive.as_ref()?;
    let version = set.version.clone()?;
    let ours = memory.staged.as_ref().filter(|image| image.version == version);
    let waits = set.valid && !memory.withdrawn && !set.proven.unwrap_or(ours.is_none());
    waits.then(|| PartitionInfo {
        image: ours.cloned().unwrap_or_else(|| UpdateImage {
            arch: set.arch.clone().unwrap_or_else(|| facts.active.arch.clone()),
            version,
            variant: set.variant.clone().unwrap_or_else(|| facts.active.variant.clone()),
        }),
        next_to_boot: set.next_to_boot,
    })
}

/// The status as callers see it; `last` is the last command that has ended.
#[must_use]
pub fn status(memory: &Memory, facts: &Facts, last: MostRecentCommand) -> UpdateStatus {
    let active = &facts.active;
    UpdateStatus {
        update_state: state(memory, facts),
        available_updates: memory.available_updates.clone(),
        chosen_update: memory.chosen_update.clone(),
        active_partition: Some(PartitionInfo {
            image: UpdateImage {
                arch: active.arch.clone(),
                version: active.version.clone(),
                variant: active.variant.clone(),
            },
            next_to_boot: active.next_to_boot,
        }),
        staging_partition: staged(memory, facts),
        most_recent_command: last,
        failed_update: facts.failed.as_ref().map(Failed::told),
        next_boot: facts.next_boot.clone(),
        proven: facts.proven,
        held: facts.held.clone().unwrap_or_default(),
        disk: facts.disk.clone().unwrap_or_default(),
        turn: facts.turn.clone(),
        // Nothing of it is known here: whoever answers adds it.
        owed: Vec::new(),
    }
}
