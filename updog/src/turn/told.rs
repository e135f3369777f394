//! A turn as it is told: in `status`, to people and to programs.

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Serialize;
use update_metadata::explain::instant;

use super::note::{Note, Stage};

/// What is told. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// How far it is.
    pub stage: Stage,
    /// When the server was asked last, or hooks began.
    pub since: DateTime<Utc>,
    /// Into which release the reboot leads, where that is known.
    pub to: Option<Version>,
    /// The lock server, where one is asked.
    pub server: Option<String>,
    /// The group of this host there.
    pub group: Option<String>,
    /// Whether hooks have drained this host, and it is not back.
    pub drained: bool,
    /// Since when the slot is kept, after a release that did not stay.
    pub kept_since: Option<DateTime<Utc>>,
    /// Before this a timer does not ask again.
    pub not_before: Option<DateTime<Utc>>,
    /// What went wrong last.
    pub problem: Option<String>,
}

impl From<Note> for Told {
    fn from(note: Note) -> Self {
        let (server, group) = note.slot.map(|slot| (slot.server, slot.group)).unzip();
        Self {
            stage: note.stage,
            since: note.since,
            to: note.to.map(|to| to.version),
            server,
            group,
            drained: note.drained,
            kept_since: note.kept.map(|kept| kept.since),
            not_before: note.not_before,
            problem: note.told,
        }
    }
}

impl Told {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let since = instant(self.since);
        let to = self.to.as_ref().map_or_else(String::new, |to| format!(" into {to}"));
        let state = match (self.stage, self.server.is_some()) {
            (Stage::Refused, _) => format!("refused at {since}, nothing is held"),
            (Stage::Asked, _) => format!("asked for at {since}, and the slot may be held"),
            (Stage::Held | Stage::Other, true) => format!("the slot is held since {since}"),
            (Stage::Held | Stage::Other, false) => format!("begun at {since}"),
            (Stage::Reboots, _) => format!("the reboot{to} was asked for, and the turn has not ended"),
            (Stage::Kept, _) => {
                let kept = self.kept_since.unwrap_or(self.since);
                format!("the slot is kept since {}, as the release did not stay", instant(kept))
            }
        };
        let drained = if self.drained { "; hooks have drained this host" } else { "" };
        let problem = self.problem.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        format!("{state}{drained}{problem}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::note::Slot;

    #[test]
    fn each_stage_is_told_in_a_line() {
        let at = "2024-06-01T00:00:00Z".parse().unwrap();
        let slot =
            Slot { server: "http://lock/".to_owned(), group: "web".to_owned(), id: "secret".to_owned() };
        let told = |note: Note| Told::from(note).line();
        let note = Note { slot: Some(slot), ..Note::new("b1", at) };
        for (stage, line) in [
            (Stage::Refused, "refused at 2024-06-01T00:00:00Z, nothing is held; it is busy"),
            (Stage::Asked, "asked for at 2024-06-01T00:00:00Z, and the slot may be held; it is busy"),
            (Stage::Held, "the slot is held since 2024-06-01T00:00:00Z; it is busy"),
            (
                Stage::Kept,
                "the slot is kept since 2024-06-01T00:00:00Z, as the release did not stay; it is busy",
            ),
        ] {
            assert_eq!(told(Note { stage, told: Some("it is busy".to_owned()), ..note.clone() }), line);
        }
        let drained = Note { stage: Stage::Reboots, drained: true, ..note };
        assert_eq!(
            told(drained.clone()),
            "the reboot was asked for, and the turn has not ended; hooks have drained this host"
        );
        let json = serde_json::to_string(&Told::from(drained)).unwrap();
        assert!(json.contains("\"stage\":\"reboots\"") && !json.contains("secret"), "{json}");
    }
}
