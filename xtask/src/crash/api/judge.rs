//! Whether a status is true of a disk. The disk is read by the fixtures, not by the programs under test.

use serde_json::Value;
use testdata::{BootBits, Host, Set};

/// What the inactive set holds when the update is written: its three partitions, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written(Vec<Vec<u8>>);

/// What matters of a disk for a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Bits of the running set.
    pub(super) active: BootBits,
    /// Bits of the other set.
    pub(super) inactive: BootBits,
    /// Whether the other set holds the update, whole.
    pub(super) whole: bool,
}

impl Written {
    /// What is in the inactive set of `host` now.
    pub(super) fn of(host: &Host) -> Self {
        let roles = ["BOOT", "ROOT", "HASH"];
        Self(roles.iter().map(|role| host.disk().read_all(&Set::B.label(role))).collect())
    }
}

impl Facts {
    /// The disk of `host`, whose update would be `update`.
    pub(super) fn of(host: &Host, update: &Written) -> Self {
        Self { active: host.bits(Set::A), inactive: host.bits(Set::B), whole: Written::of(host) == *update }
    }

    /// Whether the other set boots next.
    fn activated(&self) -> bool {
        let bootable = |bits: BootBits| bits.priority > 0 && (bits.tries > 0 || bits.successful);
        bootable(self.inactive) && self.inactive.priority > self.active.priority
    }

    /// Whether the other set could be booted.
    fn valid(&self) -> bool {
        self.inactive.tries > 0 || self.inactive.successful
    }
}

/// Everything that `status` says and the disk does not bear out.
pub(super) fn lies(status: &Value, facts: Facts) -> Vec<String> {
    let mut lies = Vec::new();
    let mut hold = |true_of_it: bool, what: String| {
        if !true_of_it {
            lies.push(format!("{what}; the disk: {facts:?}"));
        }
    };
    let state = status["update_state"].as_str().unwrap_or_default();
    let last = &status["most_recent_command"];
    let (command, outcome) =
        (last["cmd_type"].as_str().unwrap_or_default(), last["cmd_status"].as_str().unwrap_or_default());
    hold(
        status["active_partition"]["image"]["version"] == "1.0.0",
        "the running version is another".to_owned(),
    );
    hold(
        status["active_partition"]["next_to_boot"] == !facts.activated(),
        format!("next_to_boot of the running set is {}", status["active_partition"]["next_to_boot"]),
    );
    match state {
        "Staged" => hold(facts.valid() && facts.whole && !facts.activated(), "Staged".to_owned()),
        "Ready" => hold(facts.valid() && facts.whole && facts.activated(), "Ready".to_owned()),
        "Idle" | "Available" => {
            hold(!facts.activated(), state.to_owned());
            hold(status["staging_partition"].is_null(), format!("{state} with a staged image"));
        }
        other => hold(false, format!("the state is {other:?}")),
    }
    match (command, outcome) {
        ("prepare", "Success") => hold(facts.valid() && facts.whole, "prepare succeeded".to_owned()),
        ("prepare", "Failed" | "Unknown") => {
            hold(!facts.activated(), format!("prepare {outcome}, activated"))
        }
        ("activate", "Success") => hold(facts.activated() && facts.whole, "activate succeeded".to_owned()),
        ("activate", "Failed") => hold(!facts.activated(), "activate failed".to_owned()),
        ("deactivate", "Success") => {
            hold(facts.valid() && !facts.activated(), "deactivate succeeded".to_owned())
        }
        ("deactivate", "Failed") => hold(facts.activated(), "deactivate failed".to_owned()),
        ("refresh", "Success" | "Failed" | "Unknown") | ("activate" | "deactivate", "Unknown") => {}
        other => hold(false, format!("the last command is {other:?}")),
    }
    // Nothing that is offered to the boot program may be anything else than the whole update.
    hold(!facts.valid() || facts.whole, "a set that is no whole update could be booted".to_owned());
    lies
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CLEARED: BootBits = BootBits { priority: 0, tries: 0, successful: false };
    const STAGED: BootBits = BootBits { priority: 0, tries: 1, successful: false };
    const READY: BootBits = BootBits { priority: 2, tries: 1, successful: false };

    fn facts(inactive: BootBits, whole: bool) -> Facts {
        Facts { active: BootBits::FACTORY, inactive, whole }
    }

    fn status(state: &str, next: bool, staged: bool, command: &str, outcome: &str) -> Value {
        json!({"update_state": state, "active_partition": {"image": {"version": "1.0.0"}, "next_to_boot": next},
            "staging_partition": staged.then(|| json!({})),
            "most_recent_command": {"cmd_type": command, "cmd_status": outcome}})
    }

    #[test]
    fn what_is_true_passes_and_each_lie_is_found() {
        let good = [
            (status("Available", true, false, "refresh", "Success"), facts(CLEARED, false)),
            (status("Available", true, false, "prepare", "Failed"), facts(CLEARED, false)),
            (status("Staged", true, true, "prepare", "Success"), facts(STAGED, true)),
            (status("Ready", false, true, "activate", "Success"), facts(READY, true)),
        ];
        for (status, facts) in good {
            assert_eq!(lies(&status, facts), Vec::<String>::new());
        }
        let bad = [
            (status("Staged", true, true, "prepare", "Success"), facts(CLEARED, true)),
            (status("Staged", true, true, "prepare", "Success"), facts(STAGED, false)),
            (status("Ready", true, true, "activate", "Success"), facts(STAGED, true)),
            (status("Available", true, false, "prepare", "Failed"), facts(READY, true)),
            (status("Available", true, true, "prepare", "Failed"), facts(CLEARED, false)),
            (status("Available", true, false, "activate", "Success"), facts(STAGED, true)),
            (status("Dizzy", true, false, "refresh", "Success"), facts(CLEARED, false)),
        ];
        for (status, facts) in bad {
            assert_ne!(lies(&status, facts), Vec::<String>::new(), "{status}");
        }
    }
}
