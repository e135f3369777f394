//! Stories of memory and disk: what the state says after commands, reboots, restarts and failures.

use api_model::{CommandStatus, CommandType, UpdateImage, UpdateState, UpdateStatus};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use semver::Version;

use super::ended::Outcome;
use super::facts::{Active, Facts, Failed, Inactive};
use super::memory::{InProgress, Memory};
use super::state;
use super::status;
use crate::start::Boot;

fn image(minor: u64) -> UpdateImage {
    UpdateImage { arch: "x86_64".to_owned(), version: Version::new(1, minor, 0), variant: "metal".to_owned() }
}

fn at(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(second), 0).unwrap()
}

/// A disk with two sets, as far as a boot and a status of it go. What the programs do to it is written down here
/// once more, apart from the rules under test.
#[derive(Debug, Clone)]
struct Disk {
    running: u64,
    other: Option<u64>,
    tries: bool,
    other_proven: bool,
    activated: bool,
}

impl Disk {
    fn factory() -> Self {
        Self { running: 0, other: None, tries: false, other_proven: false, activated: false }
    }

    fn clear(&mut self) {
        (self.other, self.tries, self.other_proven, self.activated) = (None, false, false, false);
    }

    fn stage(&mut self, minor: u64) {
        self.clear();
        (self.other, self.tries) = (Some(minor), true);
    }

    /// A boot of the activated set that goes well or falls back.
    fn boot(&mut self, good: bool) {
        if !self.activated {
            return;
        }
        if good {
            let was = std::mem::replace(&mut self.running, self.other.unwrap());
            (self.other, self.tries, self.other_proven, self.activated) = (Some(was), false, true, false);
        } else {
            self.tries = false;
        }
    }

    fn facts(&self) -> Facts {
        let failed = self.activated && !self.tries;
        Facts {
            active: Active {
                variant: "metal".to_owned(),
                arch: "x86_64".to_owned(),
                version: Version::new(1, self.running, 0),
                next_to_boot: !self.activated || failed,
            },
            inactive: Some(Inactive {
                variant: None,
                arch: None,
                version: self.other.map(|minor| Version::new(1, minor, 0)),
                valid: self.tries || self.other_proven,
                next_to_boot: self.activated && !failed,
                failed_boot: failed,
                proven: Some(self.other_proven),
                against: None,
            }),
            failed: None,
            next_boot: None,
            proven: None,
            held: None,
            disk: None,
            turn: None,
        }
    }
}

fn chosen(minor: u64) -> Outcome {
    Outcome::Refreshed { available: vec![image(minor).version], chosen: Some(image(minor)) }
}

fn failed() -> Outcome {
    Outcome::Failed { exit_status: 1, reason: "no".to_owned() }
}

/// A memory that has refreshed to 1.1.0, and its disk.
fn refreshed() -> (Memory, Disk) {
    let disk = Disk::factory();
    let memory = Memory::default().settled(&disk.facts(), Boot::Fresh, at(9));
    (memory.begun(CommandType::Refresh).ended(chosen(1), &disk.facts(), at(1)), disk)
}

fn staged() -> (Memory, Disk) {
    let (memory, mut disk) = refreshed();
    disk.stage(1);
    (memory.begun(CommandType::Prepare).ended(Outcome::Done, &disk.facts(), at(2)), disk)
}

fn ready() -> (Memory, Disk) {
    let (memory, mut disk) = staged();
    disk.activated = true;
    (memory.begun(CommandType::Activate).ended(Outcome::Done, &disk.facts(), at(3)), disk)
}

fn seen(memory: &Memory, disk: &Disk) -> UpdateStatus {
    status::status(memory, &disk.facts(), memory.most_recent_command.clone().unwrap())
}

#[test]
fn an_update_goes_from_idle_to_ready_and_is_over_after_its_boot() {
    let (memory, mut disk) = ready();
    let status = seen(&memory, &disk);
    assert_eq!(status.update_state, UpdateState::Ready);
    assert_eq!(status.staging_partition.unwrap().image, image(1));
    assert!(!status.active_partition.unwrap().next_to_boot);
    disk.boot(true);
    let memory = memory.settled(&disk.facts(), Boot::Fresh, at(9));
    let status = seen(&memory, &disk);
    assert_eq!(status.update_state, UpdateState::Idle);
    assert_eq!(status.chosen_update, None);
    assert_eq!(status.staging_partition, None, "the system before is kept to go back to; it is not staged");
    assert_eq!(status.most_recent_command.cmd_type, CommandType::Activate);
}

#[test]
fn a_staged_image_is_still_staged_after_a_reboot_and_a_restart_changes_nothing() {
    let (memory, disk) = staged();
    for boot in [Boot::Fresh, Boot::Same] {
        let later = memory.clone().settled(&disk.facts(), boot, at(9));
        assert_eq!(later, memory);
        assert_eq!(seen(&later, &disk).update_state, UpdateState::Staged);
    }
}

#[test]
fn after_a_boot_that_fell_back_nothing_is_chosen_until_the_next_refresh() {
    let (memory, mut disk) = ready();
    disk.boot(false);
    let memory = memory.settled(&disk.facts(), Boot::Fresh, at(9));
    assert_eq!(seen(&memory, &disk).update_state, UpdateState::Idle);
    assert_eq!(seen(&memory, &disk).chosen_update, None);
    let memory = memory.begun(CommandType::Refresh).ended(chosen(2), &disk.facts(), at(9));
    assert_eq!(
        seen(&memory.settled(&disk.facts(), Boot::Same, at(9)), &disk).update_state,
        UpdateState::Available
    );
}

#[test]
fn a_failed_prepare_takes_back_what_was_staged_also_when_it_is_still_on_the_disk() {
    let (memory, mut disk) = staged();
    let early = memory.clone().begun(CommandType::Prepare).ended(failed(), &disk.facts(), at(5));
    disk.clear();
    let late = memory.begun(CommandType::Prepare).ended(failed(), &disk.facts(), at(5));
    let (_, whole) = staged();
    for (memory, disk) in [(early, whole), (late, disk)] {
        let status = seen(&memory.settled(&disk.facts(), Boot::Fresh, at(9)), &disk);
        assert_eq!(status.update_state, UpdateState::Available);
        assert_eq!(status.staging_partition, None);
        assert_eq!(status.most_recent_command.cmd_status, CommandStatus::Failed);
        assert_eq!(status.most_recent_command.stderr, "no");
    }
}

#[test]
fn a_failed_refresh_claims_no_update_but_leaves_what_is_staged() {
    let (memory, disk) = refreshed();
    let after = memory.begun(CommandType::Refresh).ended(failed(), &disk.facts(), at(5));
    assert_eq!(seen(&after, &disk).update_state, UpdateState::Idle);
    for (memory, disk) in [staged(), ready()] {
        let before = seen(&memory, &disk);
        let after = seen(&memory.begun(CommandType::Refresh).ended(failed(), &disk.facts(), at(5)), &disk);
        assert_eq!((after.update_state, after.chosen_update), (before.update_state, before.chosen_update));
        assert_eq!(after.staging_partition, before.staging_partition);
    }
}

#[test]
fn a_cancelled_command_is_a_failure_of_signal_15_unless_it_was_done_by_then() {
    let last = |memory: Memory| {
        let last = memory.most_recent_command.unwrap();
        (last.cmd_type, last.cmd_status, last.exit_status)
    };
    let failed_by = |outcome| {
        let (memory, disk) = refreshed();
        let memory = memory.begun(CommandType::Prepare).cancelled().ended(outcome, &disk.facts(), at(5));
        assert_eq!(status::state(&memory, &disk.facts()), UpdateState::Available);
        last(memory)
    };
    for outcome in [failed(), Outcome::Unseen, Outcome::Done] {
        assert_eq!(failed_by(outcome), (CommandType::Prepare, CommandStatus::Failed, 15));
    }
    let (memory, disk) = staged();
    let memory = memory.begun(CommandType::Prepare).cancelled().ended(Outcome::Done, &disk.facts(), at(5));
    assert_eq!(last(memory), (CommandType::Prepare, CommandStatus::Success, 0));
}

#[test]
fn of_a_flip_that_was_killed_the_disk_decides_and_a_killed_prepare_has_failed() {
    let killed = || Outcome::Killed { exit_status: 9, reason: "killed".to_owned() };
    let ended = |memory: Memory, command, disk: &Disk| {
        let memory = memory.begun(command).ended(killed(), &disk.facts(), at(5));
        let last = memory.most_recent_command.clone().unwrap();
        (last.cmd_status, last.exit_status, seen(&memory, disk).update_state)
    };
    let (memory, mut disk) = staged();
    let failed = (CommandStatus::Failed, 9, UpdateState::Staged);
    assert_eq!(ended(memory.clone(), CommandType::Activate, &disk), failed);
    disk.activated = true;
    let done = (CommandStatus::Success, 0, UpdateState::Ready);
    assert_eq!(ended(memory, CommandType::Activate, &disk), done);
    let (memory, mut disk) = ready();
    disk.activated = false;
    let done = (CommandStatus::Success, 0, UpdateState::Staged);
    assert_eq!(ended(memory, CommandType::Deactivate, &disk), done);
    let (memory, disk) = staged();
    let failed = (CommandStatus::Failed, 9, UpdateState::Available);
    assert_eq!(ended(memory, CommandType::Prepare, &disk), failed);
}

#[test]
fn a_release_that_failed_here_is_told_and_not_chosen_until_it_may_be_tried_again() {
    let (memory, disk) = refreshed();
    let failed = |held, retry_after| Facts {
        failed: Some(Failed {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: image(1).version,
            stage: "kernel".to_owned(),
            reason: "it panicked".to_owned(),
            attempts: 1,
            held,
            retry_after,
        }),
        ..disk.facts()
    };
    let told = |facts: &Facts| {
        let memory = memory.clone().begun(CommandType::Refresh).ended(chosen(1), facts, at(5));
        status::status(&memory, facts, memory.most_recent_command.clone().unwrap())
    };
    for facts in [failed(true, None), failed(false, Some(at(6)))] {
        let status = told(&facts);
        assert_eq!((status.update_state, status.chosen_update), (UpdateState::Idle, None));
        assert_eq!(status.failed_update.unwrap().reason, "it panicked");
    }
    let status = told(&failed(false, Some(at(5))));
    assert_eq!(status.chosen_update, Some(image(1)));
}

#[test]
fn a_success_that_the_disk_does_not_bear_out_is_a_failure() {
    let (memory, disk) = refreshed();
    let memory = memory.begun(CommandType::Prepare).ended(Outcome::Done, &disk.facts(), at(2));
    let last = memory.most_recent_command.unwrap();
    assert_eq!((last.cmd_status, last.exit_status), (CommandStatus::Failed, 1));
    assert!(last.stderr.contains("holds an unknown version, and it cannot be activated"), "{}", last.stderr);
    let (memory, mut disk) = refreshed();
    disk.stage(7);
    let memory = memory.begun(CommandType::Prepare).ended(Outcome::Done, &disk.facts(), at(2));
    assert_eq!(memory.most_recent_command.as_ref().unwrap().cmd_status, CommandStatus::Failed);
}

#[test]
fn of_an_end_that_nobody_saw_the_disk_decides() {
    let status_of = |memory: Memory, disk: &Disk| {
        memory.ended(Outcome::Unseen, &disk.facts(), at(5)).most_recent_command.unwrap().cmd_status
    };
    let (memory, mut disk) = refreshed();
    let preparing = memory.clone().begun(CommandType::Prepare);
    assert_eq!(status_of(preparing.clone(), &disk), CommandStatus::Failed);
    disk.stage(1);
    assert_eq!(status_of(preparing, &disk), CommandStatus::Success);
    assert_eq!(status_of(memory.begun(CommandType::Refresh), &disk), CommandStatus::Unknown);
    let (memory, mut disk) = staged();
    let activating = memory.begun(CommandType::Activate);
    assert_eq!(status_of(activating.clone(), &disk), CommandStatus::Failed);
    disk.activated = true;
    assert_eq!(status_of(activating.clone(), &disk), CommandStatus::Success);
    disk.boot(true);
    assert_eq!(status_of(activating, &disk), CommandStatus::Unknown);
}

#[test]
fn without_a_look_at_the_disk_nothing_is_claimed_of_it() {
    let (memory, disk) = refreshed();
    let memory = memory.begun(CommandType::Prepare).ended_in_the_dark(Outcome::Done, "no disk", at(2));
    let last = memory.most_recent_command.clone().unwrap();
    assert_eq!(
        (last.cmd_status, last.stderr.as_str()),
        (CommandStatus::Unknown, "it cannot be checked: no disk")
    );
    assert_eq!(status::state(&memory, &disk.facts()), UpdateState::Available);
}

#[test]
fn an_image_that_a_person_staged_by_hand_is_seen_and_an_updog_that_says_less_is_understood() {
    let (memory, mut disk) = refreshed();
    disk.stage(3);
    assert_eq!(status::staged(&memory, &disk.facts()).unwrap().image, image(3));
    let mut facts = disk.facts();
    facts.inactive.as_mut().unwrap().proven = None;
    assert_eq!(status::staged(&memory, &facts), None, "it might be the earlier system");
    let (memory, disk) = staged();
    let mut facts = disk.facts();
    facts.inactive.as_mut().unwrap().proven = None;
    assert_eq!(status::staged(&memory, &facts).unwrap().image, image(1));
}

#[test]
fn memory_of_an_older_and_a_newer_server_is_read() {
    assert_eq!(serde_json::from_str::<Memory>("{}").unwrap(), Memory::default());
    let newer = r#"{"withdrawn":true,"in_progress":{"cmd_type":"prepare","pid":7},"evidence":[]}"#;
    let memory: Memory = serde_json::from_str(newer).unwrap();
    assert!(memory.withdrawn);
    assert_eq!(
        memory.in_progress,
        Some(InProgress { cmd_type: CommandType::Prepare, image: None, cancelled: false, since: None })
    );
}

#[derive(Debug, Clone)]
enum Step {
    Command(CommandType, Result<u64, bool>),
    Reboot(bool),
    Restart,
    ByHand(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let command = prop::sample::select(CommandType::ALL.to_vec());
    let end = prop_oneof![3 => (1u64..5).prop_map(Ok), 1 => any::<bool>().prop_map(Err)];
    prop::collection::vec(
        prop_oneof![
            8 => (command, end).prop_map(|(command, end)| Step::Command(command, end)),
            2 => any::<bool>().prop_map(Step::Reboot),
            1 => Just(Step::Restart),
            1 => (5u64..8).prop_map(Step::ByHand),
        ],
        1..40,
    )
}

proptest! {
    /// Any story: the state is what the table says after a success, and never claims what the disk does not hold.
    #[test]
    fn the_state_follows_the_table_and_never_lies(story in steps()) {
        let mut disk = Disk::factory();
        let mut memory = Memory::default().settled(&disk.facts(), Boot::Fresh, at(9));
        for (second, step) in story.into_iter().enumerate() {
            match step {
                Step::Command(command, end) => {
                    let before = status::state(&memory, &disk.facts());
                    if state::next(before, command, memory.choice()).is_err() {
                        continue;
                    }
                    memory = memory.begun(command);
                    let outcome = match (command, end) {
                        (CommandType::Refresh, Ok(minor)) => chosen(minor),
                        (CommandType::Prepare, Ok(_)) => {
                            let wanted = memory.chosen_update.clone().unwrap();
                            disk.stage(wanted.version.minor);
                            Outcome::Done
                        }
                        (CommandType::Activate, Ok(_)) => { disk.activated = true; Outcome::Done }
                        (CommandType::Deactivate, Ok(_)) => { disk.activated = false; Outcome::Done }
                        (CommandType::Prepare, Err(true)) => { disk.clear(); failed() }
                        (_, Err(_)) => failed(),
                    };
                    let succeeded = !matches!(outcome, Outcome::Failed { .. });
                    memory = memory.ended(outcome, &disk.facts(), at(u32::try_from(second).unwrap()));
                    let after = status::state(&memory, &disk.facts());
                    if succeeded {
                        prop_assert_eq!(Ok(after), state::next(before, command, memory.choice()));
                    } else if command == CommandType::Prepare {
                        prop_assert_eq!(after, UpdateState::Available);
                    } else if command == CommandType::Refresh && before == UpdateState::Available {
                        prop_assert_eq!(after, UpdateState::Idle);
                    } else {
                        prop_assert_eq!(after, before);
                    }
                    let last = memory.most_recent_command.clone().unwrap();
                    prop_assert_eq!(last.cmd_status == CommandStatus::Success, succeeded);
                }
                Step::Reboot(good) => {
                    let fell_back = disk.activated && !good;
                    disk.boot(good);
                    memory = memory.settled(&disk.facts(), Boot::Fresh, at(9));
                    if fell_back {
                        prop_assert_eq!(status::state(&memory, &disk.facts()), UpdateState::Idle);
                    }
                }
                Step::Restart => {
                    let before = status::state(&memory, &disk.facts());
                    let stored = serde_json::to_vec(&memory).unwrap();
                    memory = serde_json::from_slice::<Memory>(&stored).unwrap().settled(&disk.facts(), Boot::Same, at(9));
                    prop_assert_eq!(status::state(&memory, &disk.facts()), before);
                }
                Step::ByHand(minor) => {
                    disk.stage(minor);
                    memory = memory.settled(&disk.facts(), Boot::Same, at(9));
                }
            }
            let facts = disk.facts();
            let state = status::state(&memory, &facts);
            let set = facts.inactive.unwrap();
            match state {
                UpdateState::Staged => prop_assert!(set.valid && !disk.other_proven && !set.next_to_boot),
                UpdateState::Ready => prop_assert!(set.valid && !disk.other_proven && set.next_to_boot),
                UpdateState::Available => prop_assert!(memory.chosen_update.is_some()),
                UpdateState::Idle => prop_assert!(memory.chosen_update.is_none()),
            }
        }
    }
}
