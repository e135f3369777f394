//! The state of updates and the last command: the body of `GET /updates/status`.
//!
//! Readers of this JSON stop working when a field that they know turns null or negative, so the types leave no room for
//! that: there is no status before the first command has ended (the server answers 404 until then).

use std::time::Duration;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};

/// How long a client waits for the end of a refresh.
///
/// A refresh asks the repository twice, and `updog` gives up on one that says nothing for a minute and a half. Whoever
/// waits is to be told why it failed, not left alone: the server ends a refresh in [`REFRESH_LIMIT`] at the latest.
pub const REFRESH_PATIENCE: Duration = Duration::from_secs(120);
/// When the server ends a refresh: early enough for its end to be recorded and seen.
pub const REFRESH_LIMIT: Duration = REFRESH_PATIENCE.saturating_sub(Duration::from_secs(10));

/// How far an update has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UpdateState {
    /// No update is known.
    Idle,
    /// An update was chosen; nothing of it is on the disk.
    Available,
    /// An image is in the inactive set, whole and valid.
    Staged,
    /// The next boot starts that image.
    Ready,
}

/// One image by its name in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateImage {
    /// The architecture.
    pub arch: String,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1.1.0"))]
    pub version: Version,
    /// The flavour of the system.
    pub variant: String,
}

/// What is in a partition set and whether the next boot starts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartitionInfo {
    /// The image in the set.
    pub image: UpdateImage,
    /// Whether the next boot starts this set.
    pub next_to_boot: bool,
}

/// The command that changes the state of updates. More of them would break readers that know only these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandType {
    /// Look which updates there are.
    Refresh,
    /// Write the chosen update to the inactive set.
    Prepare,
    /// Let the next boot start it.
    Activate,
    /// Take that back.
    Deactivate,
}

impl CommandType {
    /// All commands, in the order of an update.
    pub const ALL: [Self; 4] = [Self::Refresh, Self::Prepare, Self::Activate, Self::Deactivate];
}

impl std::fmt::Display for CommandType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refresh => "refresh",
            Self::Prepare => "prepare",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
        })
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandStatus {
    /// It did what it says.
    Success,
    /// It did not; `stderr` says why.
    Failed,
    /// Nobody saw its end: the server was stopped while it ran.
    Unknown,
}

/// The last command that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MostRecentCommand {
    /// Which one.
    pub cmd_type: CommandType,
    /// What became of it.
    pub cmd_status: CommandStatus,
    /// When it ended, in UTC; a caller tells its own command from an earlier one by this.
    pub timestamp: DateTime<Utc>,
    /// The exit code of the program that did the work, or the signal that killed it.
    pub exit_status: u32,
    /// Why it failed; empty when it did not.
    pub stderr: String,
}

/// A release that did not come up on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailedUpdate {
    /// Which one.
    pub image: UpdateImage,
    /// How far it came.
    pub stage: String,
    /// Why it failed, as far as anybody saw.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it is not tried again until somebody clears it or a newer release appears.
    pub held: bool,
    /// From when on it may be tried again; absent when it may at once, or is held.
    #[serde(default)]
    pub retry_after: Option<DateTime<Utc>>,
}

/// Why another set than the running one boots next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NextBootWhy {
    /// It holds an update that was activated.
    Update,
    /// It ran here before, and the host goes back to it.
    Rollback,
    /// The running boot is not marked good yet, and without that it is left.
    FallbackExpected,
    /// A newer server has another reason.
    #[serde(other)]
    Other,
}

/// What boots next instead of what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NextBoot {
    /// The set.
    pub set: String,
    /// The version that it holds; null where nobody knows.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub version: Option<Version>,
    /// Why.
    pub why: NextBootWhy,
}

/// A release that this host does not take now, for what became of it here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldUpdate {
    /// The architecture.
    pub arch: String,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1.1.0"))]
    pub version: Version,
    /// The flavour of the system.
    pub variant: String,
    /// From when on it may be tried again; null when somebody has to say so.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Why it did not stay.
    #[serde(default)]
    pub reason: String,
}

/// Something that the server could not do, and tries again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Owed {
    /// To whom: a service, an instance of one as `service@id`, a setting, or a part of the server.
    pub to: String,
    /// Why, as a sentence for people.
    pub reason: String,
}

/// The state of updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateStatus {
    /// How far the update has come.
    pub update_state: UpdateState,
    /// Versions that this host may take, newest first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub available_updates: Vec<Version>,
    /// The one of them that it would take.
    pub chosen_update: Option<UpdateImage>,
    /// The running set.
    pub active_partition: Option<PartitionInfo>,
    /// The image that waits in the other set.
    pub staging_partition: Option<PartitionInfo>,
    /// The last command that has ended.
    pub most_recent_command: MostRecentCommand,
    /// The release that failed here last; absent when none did. Readers that know only the fields above never see it
    /// on a host where all went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_update: Option<FailedUpdate>,
    /// The other set where it boots next, and why; absent when the running set boots again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_boot: Option<NextBoot>,
    /// Whether a boot of the running set was marked good; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<bool>,
    /// The releases that this host does not take now; absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldUpdate>,
    /// What is wrong with the disk or its sets, or done about it, a sentence each; absent where all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<String>,
    /// The turn to reboot that this host has asked for, as long as it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<RebootTurn>,
    /// What settings could not be brought to a service, and what of them cannot be used; absent where all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Owed>,
}

/// A turn to reboot. A reader takes any word for the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RebootTurn {
    /// How far it is: `refused`, `asked`, `held`, `reboots` or `kept`.
    pub stage: String,
    /// When the lock server was asked last, or hooks began.
    pub since: DateTime<Utc>,
    /// The lock server, where one is asked.
    #[serde(default)]
    pub server: Option<String>,
    /// The group of this host there.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether hooks have drained this host, and it is not back.
    #[serde(default)]
    pub drained: bool,
    /// Since when the slot is kept, after a release that did not stay.
    #[serde(default)]
    pub kept_since: Option<DateTime<Utc>>,
    /// Before this a timer does not ask again.
    #[serde(default)]
    pub not_before: Option<DateTime<Utc>>,
    /// What went wrong last.
    #[serde(default)]
    pub problem: Option<String>,
}

impl UpdateStatus {
    /// The way back that waits for its reboot.
    #[must_use]
    pub fn rollback(&self) -> Option<&NextBoot> {
        self.next_boot.as_ref().filter(|next| next.why == NextBootWhy::Rollback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = r#"{
  "update_state": "Ready",
  "available_updates": [
    "1.2.0",
    "1.1.0"
  ],
  "chosen_update": {
    "arch": "x86_64",
    "version": "1.2.0",
    "variant": "metal"
  },
  "active_partition": {
    "image": {
      "arch": "x86_64",
      "version": "1.0.0",
      "variant": "metal"
    },
    "next_to_boot": false
  },
  "staging_partition": {
    "image": {
      "arch": "x86_64",
      "version": "1.2.0",
      "variant": "metal"
    },
    "next_to_boot": true
  },
  "most_recent_command": {
    "cmd_type": "activate",
    "cmd_status": "Success",
    "timestamp": "2024-10-24T12:00:00.123456789Z",
    "exit_status": 0,
    "stderr": ""
  }
}"#;

    #[test]
    fn a_full_status_is_read_and_written_as_others_know_it() {
        let status: UpdateStatus = serde_json::from_str(READY).unwrap();
        assert_eq!(status.update_state, UpdateState::Ready);
        assert_eq!(status.available_updates, [Version::new(1, 2, 0), Version::new(1, 1, 0)]);
        assert_eq!(serde_json::to_string_pretty(&status).unwrap(), READY);
    }

    #[test]
    fn a_release_that_failed_is_told_beside_everything_else() {
        let failed = r#","failed_update":{"image":{"arch":"x86_64","version":"1.1.0","variant":"metal"},"stage":"health","reason":"no network","attempts":1,"held":true,"retry_after":null}}"#;
        let json = format!("{}{failed}", READY.strip_suffix('}').unwrap());
        let failed = serde_json::from_str::<UpdateStatus>(&json).unwrap().failed_update.unwrap();
        assert_eq!((failed.image.version, failed.held), (Version::new(1, 1, 0), true));
    }

    #[test]
    fn what_boots_next_is_told_also_for_reasons_of_a_later_day() {
        let with = |next: &str| {
            let json = format!(r#"{},"next_boot":{next}}}"#, READY.strip_suffix('}').unwrap());
            serde_json::from_str::<UpdateStatus>(&json).unwrap()
        };
        let status = with(r#"{"set":"A","version":"1.0.0","why":"rollback"}"#);
        assert_eq!(status.rollback().unwrap().version, Some(Version::new(1, 0, 0)));
        let status = with(r#"{"set":"A","version":null,"why":"whim"}"#);
        assert_eq!((status.next_boot.unwrap().why, status.held.len()), (NextBootWhy::Other, 0));
    }

    #[test]
    fn what_is_not_known_is_null_and_a_command_is_always_there() {
        let json = r#"{"update_state":"Idle","available_updates":[],"chosen_update":null,"active_partition":null,"staging_partition":null,"most_recent_command":{"cmd_type":"refresh","cmd_status":"Failed","timestamp":"2024-10-24T12:00:00Z","exit_status":1,"stderr":"failed to reach it"}}"#;
        let status: UpdateStatus = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), json);
        assert!(
            serde_json::from_str::<UpdateStatus>(&json.replace(r#""exit_status":1"#, r#""exit_status":-1"#))
                .is_err()
        );
        assert!(
            serde_json::from_str::<UpdateStatus>(&json.replace(r#""failed to reach it""#, "null")).is_err()
        );
    }

    #[test]
    fn the_words_for_states_commands_and_outcomes_are_fixed() {
        let words = |values: &[UpdateState]| serde_json::to_string(values).unwrap();
        assert_eq!(
            words(&[UpdateState::Idle, UpdateState::Available, UpdateState::Staged, UpdateState::Ready]),
            r#"["Idle","Available","Staged","Ready"]"#
        );
        assert_eq!(
            serde_json::to_string(&CommandType::ALL).unwrap(),
            r#"["refresh","prepare","activate","deactivate"]"#
        );
        for command in CommandType::ALL {
            assert_eq!(serde_json::to_string(&command).unwrap(), format!("\"{command}\""));
        }
        assert_eq!(
            serde_json::to_string(&[CommandStatus::Success, CommandStatus::Failed, CommandStatus::Unknown])
                .unwrap(),
            r#"["Success","Failed","Unknown"]"#
        );
    }
}
