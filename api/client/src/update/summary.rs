//! The state of updates in one line.

use api_model::{NextBoot, UpdateState, UpdateStatus};

/// What boots next, in a few words.
#[must_use]
pub fn holds(next: &NextBoot) -> String {
    next.version.as_ref().map_or_else(|| format!("set {}", next.set), |version| version.to_string())
}

/// What a person should know of it, and the next step.
#[must_use]
pub fn summary(status: &UpdateStatus) -> String {
    if let Some(back) = status.rollback() {
        let what = holds(back);
        return format!(
            "This host goes back to {what} with the next boot, and takes no update before that: apiclient reboot, or to stay with what runs apiclient update cancel"
        );
    }
    let staged = status.staging_partition.as_ref().map(|staged| &staged.image.version);
    let chosen = status.chosen_update.as_ref().map(|chosen| &chosen.version);
    match (status.update_state, staged, chosen) {
        (UpdateState::Ready, Some(staged), _) => {
            format!("Update {staged} is applied already; it starts with the next boot: apiclient reboot")
        }
        (UpdateState::Staged, Some(staged), Some(chosen)) if staged == chosen => {
            format!("Update {staged} is installed; apply it with: apiclient update apply")
        }
        (_, _, Some(chosen)) => {
            format!("Update {chosen} is available; apply it with: apiclient update apply")
        }
        (_, _, None) => "No updates available.".to_owned(),
    }
}
