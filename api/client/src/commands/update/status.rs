//! `update status`: how far an update is.

use api_model::{
    CommandStatus, FailedUpdate, MostRecentCommand, NextBoot, NextBootWhy, PartitionInfo, RebootTurn,
    UpdateState, UpdateStatus,
};
use serde_json::json;

use crate::api::Api;
use crate::error::Error;
use crate::screen::{facts, time};
use crate::tell::{answer, answer_json};
use crate::update::form::Form;
use crate::update::progress::{Latest, latest};
use crate::update::summary::holds;
use crate::update::wait::{self, State};

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "With --json: {\"running\": whether a command runs, \"status\": what /updates/status says when none does, \"progress\": how far it is}."
)]
pub struct Args {
    #[command(flatten)]
    pub(super) form: Form,
}

/// Prints it. A command that runs is an answer too.
///
/// # Errors
/// When the server does not answer.
pub async fn run(api: &Api, args: Args) -> Result<(), Error> {
    let (running, status) = match wait::state(api).await? {
        State::Running => (true, None),
        State::Ended(status) => (false, Some(status)),
        State::NeverRun => (false, None),
    };
    let progress = if running { latest(api).await } else { None };
    if args.form.is_json() {
        return answer_json(&json!({"running": running, "status": status, "progress": progress}));
    }
    answer(&match (running, status) {
        (true, _) => running_screen(progress.as_ref()),
        (false, Some(status)) => screen(&status),
        (false, None) => {
            "No update command has ended on this host yet; look for updates: apiclient update check"
                .to_owned()
        }
    })
}

fn running_screen(progress: Option<&Latest>) -> String {
    match progress.map(|latest| (latest, latest.stage())) {
        Some((latest, Some(stage))) => format!("An update command runs: {}, {stage}", latest.command),
        Some((latest, None)) => format!("An update command runs: {}", latest.command),
        None => "An update command runs".to_owned(),
    }
}

fn screen(status: &UpdateStatus) -> String {
    let mut lines = vec![("State", state(status))];
    if let Some(active) = &status.active_partition {
        lines.push(("Runs", set(active)));
    }
    if status.proven == Some(false) {
        lines.push((
            "Proven",
            "no: this boot is not marked good yet, and no update is taken before it is".to_owned(),
        ));
    }
    if let Some(staged) = &status.staging_partition {
        lines.push(("Staged", set(staged)));
    }
    if let Some(chosen) = &status.chosen_update {
        lines.push(("Chosen", chosen.version.to_string()));
    }
    if !status.available_updates.is_empty() {
        let versions: Vec<String> = status.available_updates.iter().map(ToString::to_string).collect();
        lines.push(("Available", versions.join(", ")));
    }
    if let Some(next) = &status.next_boot {
        lines.push(("Next boot", next_boot(next)));
    }
    if let Some(failed) = &status.failed_update {
        lines.push(("Failed here", failure(failed)));
    }
    lines.extend(status.turn.as_ref().map(|turn| ("Turn", in_turn(turn))));
    lines.extend(status.disk.iter().map(|what| ("Disk", what.clone())));
    for owed in &status.owed {
        lines.push(("Owed", format!("{}: {}", owed.to, owed.reason)));
    }
    lines.push(("Last command", last(&status.most_recent_command)));
    lines.push(("Next", next(status).to_owned()));
    facts(&lines)
}

fn state(status: &UpdateStatus) -> String {
    let meaning = match status.update_state {
        UpdateState::Idle => "no update is known",
        UpdateState::Available => "an update is known, and nothing of it is installed",
        UpdateState::Staged => "an update is installed, and not applied",
        UpdateState::Ready => "the next boot starts the update",
    };
    format!("{:?}: {meaning}", status.update_state)
}

fn set(set: &PartitionInfo) -> String {
    let image = &set.image;
    let next = if set.next_to_boot { ", starts with the next boot" } else { "" };
    format!("{} ({}, {}){next}", image.version, image.variant, image.arch)
}

fn next_boot(next: &NextBoot) -> String {
    let what = holds(next);
    match next.why {
        NextBootWhy::Update => format!("{what}, the update"),
        NextBootWhy::Rollback => format!("{what}, which this host goes back to"),
        NextBootWhy::FallbackExpected => format!("{what}, unless this boot is marked good"),
        NextBootWhy::Other => what,
    }
}

fn failure(failed: &FailedUpdate) -> String {
    let again = match (failed.held, failed.retry_after) {
        (true, _) => "; it is held back".to_owned(),
        (false, Some(at)) => format!("; it may be tried again from {}", time(at)),
        (false, None) => String::new(),
    };
    let times = if failed.attempts == 1 { "once" } else { &format!("{} times", failed.attempts) };
    format!("{} ({}, tried {times}): {}{again}", failed.image.version, failed.stage, failed.reason)
}

/// How far the reboot in this host's turn is.
fn in_turn(turn: &RebootTurn) -> String {
    let at = time(turn.since);
    let mut said = match turn.stage.as_str() {
        "refused" => format!("the lock server did not let this host go at {at}"),
        "asked" => format!("the lock server was asked at {at}, and the slot may be held"),
        "kept" => {
            let kept = time(turn.kept_since.unwrap_or(turn.since));
            format!(
                "the slot is kept since {kept}, as the release did not stay; apiclient update clear-failed lets others go on"
            )
        }
        "reboots" => format!("the reboot was asked for at {at} or later, and the turn has not ended"),
        _ if turn.server.is_some() => format!("the slot is held since {at}"),
        _ => format!("begun at {at}"),
    };
    if turn.drained {
        said.push_str("; hooks have drained this host");
    }
    if let Some(problem) = &turn.problem {
        said.push_str(&format!("; {problem}"));
    }
    if let Some(again) = turn.not_before {
        said.push_str(&format!("; asked again from {}", time(again)));
    }
    said
}

fn last(last: &MostRecentCommand) -> String {
    let outcome = match last.cmd_status {
        CommandStatus::Success => "done".to_owned(),
        CommandStatus::Unknown => "nobody saw its end".to_owned(),
        CommandStatus::Failed => {
            let said = last.stderr.lines().next().unwrap_or_default();
            format!("failed ({}): {said}", last.exit_status)
        }
    };
    format!("{} at {}: {outcome}", last.cmd_type, time(last.timestamp))
}

fn next(status: &UpdateStatus) -> &'static str {
    if status.rollback().is_some() {
        return "apiclient reboot to go back, or to stay with what runs apiclient update cancel";
    }
    match (status.proven, status.update_state) {
        (Some(false), UpdateState::Idle) => {
            return "updog confirm-boot marks this boot good, if it is; then apiclient update check";
        }
        (Some(false), _) => {
            return "updog confirm-boot marks this boot good, if it is; then apiclient update apply";
        }
        _ => {}
    }
    let held = status.failed_update.as_ref().is_some_and(|failed| failed.held);
    match status.update_state {
        UpdateState::Idle if held => {
            "apiclient update check, or to try it again apiclient update clear-failed"
        }
        UpdateState::Idle => "apiclient update check",
        UpdateState::Available | UpdateState::Staged => "apiclient update apply",
        UpdateState::Ready => "apiclient reboot, or to take it back apiclient update cancel",
    }
}
