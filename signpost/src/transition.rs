//! What each command changes, and when it is refused (`docs/compatibility.md`, "signpost").
//!
//! One rule is ours: no command may take away the last set that boots (`docs/design.md`, "Writing"). While the running
//! set is unproven the other one may be the only way back, so nothing that disables it is done then.

use core::fmt;

use crate::bits::{Attempts, BootBits};
use crate::set::SetName;
use crate::state::State;

/// What the boot program prefers after a flip, and what it keeps for the set that is left.
const PREFERRED: u8 = 2;
const FALLBACK: u8 = 1;

/// A change of the boot bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// The running set has shown that it works.
    MarkSuccessfulBoot,
    /// The other set is about to be written to: it must not boot.
    ClearInactive,
    /// The other set is written and checked: it may be tried once.
    MarkInactiveValid,
    /// The other set boots next.
    UpgradeToInactive,
    /// The other set does not boot next after all.
    CancelUpgrade,
    /// The other set, which held a system before, boots next.
    RollbackToInactive,
    /// The running set has reached its root: what starts it is not what keeps it from running.
    ReachedRoot,
    /// Nothing changes; both copies of the table are made equal and durable.
    RewriteTable,
}

impl Command {
    /// All commands, in the order of an update's life.
    pub const ALL: [Self; 8] = [
        Self::ClearInactive,
        Self::MarkInactiveValid,
        Self::UpgradeToInactive,
        Self::CancelUpgrade,
        Self::ReachedRoot,
        Self::MarkSuccessfulBoot,
        Self::RollbackToInactive,
        Self::RewriteTable,
    ];

    /// What it does, completing "failed to …".
    #[must_use]
    pub const fn errand(self) -> &'static str {
        match self {
            Self::MarkSuccessfulBoot => "mark this boot successful",
            Self::ClearInactive => "clear the inactive set",
            Self::MarkInactiveValid => "mark the inactive set valid",
            Self::UpgradeToInactive => "upgrade to the inactive set",
            Self::CancelUpgrade => "cancel the upgrade",
            Self::RollbackToInactive => "roll back to the inactive set",
            Self::ReachedRoot => "note that this boot has reached its root",
            Self::RewriteTable => "rewrite the partition table",
        }
    }
}

/// Why a command does not fit the state. Nothing is changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The disk has one set only.
    NoInactiveSet,
    /// The running set was never marked successful, so the other one may be the only one that boots.
    Unproven {
        /// The running set.
        active: SetName,
    },
    /// The inactive set is flipped to, or proven, already.
    AlreadyMarked {
        /// The inactive set.
        inactive: SetName,
        /// Its bits.
        bits: BootBits,
    },
    /// The inactive set holds no complete image.
    NotValid {
        /// The inactive set.
        inactive: SetName,
    },
    /// Afterwards no set would boot, or none that is proven, where one does now.
    NothingLeftToBoot {
        /// The running set.
        active: SetName,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInactiveSet => f.write_str("this disk has only one partition set"),
            Self::Unproven { active } => {
                write!(
                    f,
                    "this boot of set {active} is not proven yet, and the other set may be the only way back"
                )
            }
            Self::AlreadyMarked { inactive, bits } if bits.successful => {
                write!(f, "set {inactive} is proven already, so it holds no new image")
            }
            Self::AlreadyMarked { inactive, bits } => {
                write!(f, "set {inactive} is already marked to boot (priority {})", bits.priority)
            }
            Self::NotValid { inactive } => {
                write!(f, "set {inactive} has no tries left and is not proven, so it holds nothing to boot")
            }
            Self::NothingLeftToBoot { active } => write!(
                f,
                "afterwards no proven set would boot: the running set {active} alone is not enough as it is marked now"
            ),
        }
    }
}

impl core::error::Error for Refusal {}

impl Refusal {
    /// What a person can do about it.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::NoInactiveSet => {
                "updates in place need a disk with two sets of boot, root and hash partitions; reinstall this host instead"
            }
            Self::Unproven { .. } => "wait for it to be marked good, or reboot",
            Self::AlreadyMarked { bits: BootBits { successful: true, .. }, .. } => {
                "use \"signpost rollback-to-inactive\" to boot what it holds, or \"updog update\" to install another version"
            }
            Self::AlreadyMarked { .. } => {
                "reboot to start it, or take it back with \"signpost cancel-upgrade\""
            }
            Self::NotValid { .. } => "install an image first: run \"updog update\"",
            Self::NothingLeftToBoot { .. } => {
                "run \"signpost mark-successful-boot\" if this system works, and \"signpost cancel-upgrade\" to give it priority"
            }
        }
    }
}

/// The state after `command`, or why it is refused. The guard is part of it.
///
/// # Errors
/// When the command does not fit the state, or would take away the last set that boots.
pub fn apply(state: &State, command: Command) -> Result<State, Refusal> {
    let active = state.active;
    match command {
        // A wrong "clear" or "cancel" here is what turns a bad update into a dead host.
        Command::ClearInactive | Command::CancelUpgrade
            if state.b.is_some() && !state.active_bits().successful =>
        {
            return Err(Refusal::Unproven { active });
        }
        Command::MarkSuccessfulBoot
        | Command::ClearInactive
        | Command::MarkInactiveValid
        | Command::UpgradeToInactive
        | Command::CancelUpgrade
        | Command::RollbackToInactive
        | Command::ReachedRoot
        | Command::RewriteTable => {}
    }
    let after = apply_without_guard(state, command)?;
    // Histories that start from a factory disk never get here; a set that was started by hand with priority 0 does.
    if safety(&after) < safety(state) {
        return Err(Refusal::NothingLeftToBoot { active });
    }
    Ok(after)
}

/// [`Command::UpgradeToInactive`], with another number of starts than one. Numbers outside of 1 to 15 count as the nearest.
///
/// # Errors
/// As [`apply`].
pub fn upgrade_with_tries(state: &State, tries: u8) -> Result<State, Refusal> {
    let after = apply(state, Command::UpgradeToInactive)?;
    let bits = after.inactive_bits().ok_or(Refusal::NoInactiveSet)?;
    Ok(after.with_inactive(BootBits { tries: tries.clamp(1, 15), ..bits }))
}

/// [`apply`] without the guard. Only the search for dead ends and a control of the power-cut explorer
/// call it, to show what the guard is for.
///
/// # Errors
/// When the command does not fit the state.
pub fn apply_without_guard(state: &State, command: Command) -> Result<State, Refusal> {
    let active = state.active_bits();
    let inactive = || state.inactive_bits().ok_or(Refusal::NoInactiveSet);
    let name = state.active.other();
    match command {
        Command::MarkSuccessfulBoot => Ok(State {
            boot_has_ever_succeeded: true,
            ..state.with_active(BootBits { successful: true, ..active }).with_active_attempts(Attempts::NONE)
        }),
        Command::ClearInactive => {
            inactive()?;
            // What was counted was about what is about to be overwritten.
            Ok(state.with_inactive(BootBits::CLEAR).with_inactive_attempts(Attempts::NONE))
        }
        Command::MarkInactiveValid => Ok(state
            .with_inactive(BootBits { tries: 1, ..inactive()? })
            .with_inactive_attempts(Attempts::NONE)),
        Command::UpgradeToInactive => {
            let bits = inactive()?;
            if bits.priority > 0 || bits.successful {
                return Err(Refusal::AlreadyMarked { inactive: name, bits });
            }
            if bits.tries == 0 {
                return Err(Refusal::NotValid { inactive: name });
            }
            Ok(prefer_inactive(state, active, bits))
        }
        Command::CancelUpgrade => {
            let bits = inactive()?;
            let priority = match bits.successful {
                // Taking a rollback back must not take the way back away.
                true => bits.priority.min(FALLBACK),
                // The tries stay, so that the upgrade can be asked for again without a new download.
                false => 0,
            };
            let bits = BootBits { priority, ..bits };
            // Who can say "stay here" is here: whatever was counted is no reason to leave.
            Ok(state
                .with_active(BootBits { priority: PREFERRED, ..active })
                .with_active_attempts(Attempts::NONE)
                .with_inactive(bits))
        }
        Command::RollbackToInactive => {
            let bits = inactive()?;
            if !bits.is_valid() {
                return Err(Refusal::NotValid { inactive: name });
            }
            Ok(prefer_inactive(state, active, bits))
        }
        Command::ReachedRoot => Ok(state.with_active_attempts(Attempts::NONE)),
        Command::RewriteTable => Ok(*state),
    }
}

/// A set that a person asks for is started, however often that has failed before.
fn prefer_inactive(state: &State, active: BootBits, inactive: BootBits) -> State {
    state
        .with_active(BootBits { priority: FALLBACK, ..active })
        .with_inactive(BootBits { priority: PREFERRED, ..inactive })
        .with_inactive_attempts(Attempts::NONE)
}

/// How well a state is protected: 0 nothing boots, 1 something boots, 2 something proven boots.
fn safety(state: &State) -> u8 {
    [Some(state.a), state.b]
        .into_iter()
        .flatten()
        .map(|bits| match (bits.would_boot(), bits.successful) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        })
        .max()
        .unwrap_or(0)
}
