//! What can happen.

use serde::Serialize;

use crate::look::plan::Plan;

/// What the program is doing that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// From the disk, to see what is there already.
    Scan,
    /// From the repository to memory or to the cache.
    Fetch,
    /// Nothing moves: the migrations of the next boot are tried on a copy of the settings.
    Rehearse,
    /// From the repository into a partition.
    Write,
    /// From memory to the medium.
    Sync,
    /// From the medium back, to compare.
    ReadBack,
}

impl Phase {
    /// The phase as people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Fetch => "fetch",
            Self::Rehearse => "rehearse",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::ReadBack => "read back",
        }
    }
}

/// How far one stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// To what: `boot`, `root`, `hash`, `migrations`, or `settings`.
    pub image: &'static str,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where that is known before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Bytes a second, lately; 0 where that is not known, and of a sync.
    pub rate: u64,
    /// Seconds until the end of the stage at that rate, where both are known.
    pub eta: Option<u64>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Done {
    /// The subcommand.
    pub command: &'static str,
    /// What was installed, activated or taken back; null when there was nothing to do.
    pub update: serde_json::Value,
    /// The set that was changed.
    pub set: Option<String>,
    /// Bytes received over the network, metadata included.
    pub bytes_fetched: u64,
    /// Bytes that went to the partitions.
    pub bytes_written: u64,
    /// Bytes that were already right there.
    pub bytes_skipped: u64,
    /// What was read back: a device, or an image file, where it is advisory; null when nothing was written.
    pub read_back: Option<&'static str>,
    /// Whether a reboot was asked for.
    pub reboot: bool,
    /// Why there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What only this command tells, by its names.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The operation lock is held.
    Started,
    /// What will be done.
    Plan {
        /// The plan.
        plan: &'a Plan,
        /// Whether the update begins now; otherwise it was only asked for.
        #[serde(skip)]
        begins: bool,
    },
    /// Bytes moved.
    Progress(Progress),
    /// It is done.
    Done(Done),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_what_other_programs_read() {
        let text = |event: &Event<'_>| serde_json::to_string(event).unwrap();
        assert_eq!(text(&Event::Started), r#"{"event":"started"}"#);
        let at = Progress {
            phase: Phase::ReadBack,
            image: "root",
            bytes: 5,
            total: Some(10),
            rate: 2,
            eta: Some(3),
        };
        assert_eq!(
            text(&Event::Progress(at)),
            r#"{"event":"progress","phase":"read-back","image":"root","bytes":5,"total":10,"rate":2,"eta":3}"#
        );
        assert_eq!(
            text(&Event::Progress(Progress { phase: Phase::Write, total: None, rate: 0, eta: None, ..at })),
            r#"{"event":"progress","phase":"write","image":"root","bytes":5,"rate":0,"eta":null}"#
        );
        let done = Done { command: "update", bytes_fetched: 3, ..Done::default() };
        assert!(text(&Event::Done(done)).starts_with(r#"{"event":"done","command":"update","update":null"#));
    }
}
