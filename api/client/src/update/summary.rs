//! The state of updates in one line.

use api_model::{UpdateState, UpdateStatus};

/// What a person should know of it, and the next step.
#[must_use]
pub fn summary(status: &UpdateStatus) -> String {
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
