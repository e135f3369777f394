//! What speaks for one set being the running one, and the rule that decides.
//!
//! The kernel and the firmware know, each by a way of its own: the device that `/` is on, the boot program's token and
//! its variable, the kernel's own token for the root partition. They are witnesses of one rank. A person at the command line and the
//! configuration only claim: they decide where no witness speaks, and are refused where one says otherwise, as are
//! witnesses of two minds. The running set would be taken for the other one, and be written to.

use std::fmt;

use super::command_line::{CommandLine, Named};
use super::firmware::Firmware;
use crate::layout::Layout;
use crate::set::SetName;
use crate::table::Entries;

/// Everything that is known of the running system, as far as it concerns one disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `--active`.
    pub flag: Option<SetName>,
    /// The kernel's command line.
    pub command_line: CommandLine,
    /// The firmware's variables.
    pub firmware: Firmware,
    /// `active` in the configuration, when it is about this disk.
    pub configured: Option<SetName>,
    /// The numbers of the partitions of this disk that `/` stands on.
    pub root_partitions: Vec<u32>,
}

/// Who said which set is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// There is only one set.
    OnlySet,
    /// `--active`.
    Flag,
    /// The boot program's token on the kernel's command line.
    BootToken,
    /// What the boot program left in a firmware variable.
    BootVariable,
    /// The partition that a unified kernel image found itself on.
    StubVariable,
    /// The configuration.
    Configuration,
    /// The device that `/` is on.
    RootDevice,
    /// The kernel's own token for the root partition.
    RootToken,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnlySet => "there is no other set",
            Self::Flag => "--active",
            Self::BootToken => "signpost.boot= on the kernel command line",
            Self::BootVariable => "the boot program's firmware variable",
            Self::StubVariable => "the kernel image's firmware variable",
            Self::Configuration => "the configuration",
            Self::RootDevice => "the device of /",
            Self::RootToken => "root= on the kernel command line",
        })
    }
}

/// What the kernel or the firmware says of the running set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// By which way it knows.
    pub source: Source,
    /// The set.
    pub set: SetName,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::RootDevice => write!(f, "/ is on set {}", self.set),
            other => write!(f, "{other} says set {}", self.set),
        }
    }
}

/// Why nobody can say which set is running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActiveUnknown {
    /// Nothing says anything.
    #[error(
        "neither the kernel command line nor a firmware variable names a partition of this disk, no configuration names a set, and / is not on this disk"
    )]
    Silent,
    /// It was said to be a set that is not there.
    #[error("{0} says set B, but this disk has only one set")]
    NoSuchSet(Source),
    /// The command line names a partition that belongs to no set here.
    #[error("{by} names partition {guid}, which belongs to no set of this disk")]
    Elsewhere {
        /// Which token.
        by: Source,
        /// The partition it names.
        guid: uuid::Uuid,
    },
    /// Two partitions of the disk carry the identifier that the command line names.
    #[error("{by} names partition {guid}, but partitions {} and {} both carry that identifier", .numbers[0], .numbers[1])]
    Twice {
        /// Which token.
        by: Source,
        /// The identifier.
        guid: uuid::Uuid,
        /// Two of the partitions that carry it.
        numbers: [u32; 2],
    },
    /// The command line cannot be understood.
    #[error("the kernel command line is unclear: {0}")]
    Unclear(String),
    /// A firmware variable is none that a boot program has left.
    #[error("the firmware variable {0}")]
    Firmware(String),
    /// `/` stands on partitions of both sets.
    #[error("/ stands on partitions of both sets: {}", list(.0))]
    RootOnBoth(Vec<u32>),
    /// Two that should know contradict each other.
    #[error("{by} says set {says}, but {witness}")]
    Contradiction {
        /// Who said it.
        by: Source,
        /// What was said.
        says: SetName,
        /// Who knows otherwise.
        witness: Witness,
    },
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

impl ActiveUnknown {
    /// What a person can do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            // Not "active" in the configuration: it would be wrong after the next flip.
            Self::Silent | Self::Elsewhere { .. } | Self::Unclear(_) => {
                "say which set is running with \"--active A\" or \"--active B\", for this command; for all of them let the boot program put signpost.boot=PARTUUID=… of the boot partition on the kernel command line"
            }
            Self::Firmware(_) => {
                "somebody else has made it: delete it below /sys/firmware/efi/efivars (chattr -i, then rm), or say which set is running with \"--active A\" or \"--active B\""
            }
            Self::NoSuchSet(_) => "leave it out, or say A",
            Self::Twice { .. } => "give one of them a new identifier with another partitioning tool",
            Self::Contradiction { by: Source::Flag, .. } => "leave --active out",
            Self::Contradiction { by: Source::Configuration, .. } => {
                "take \"active\" out of /etc/signpost.toml: it is for hosts where nothing else can tell, and wrong after each flip"
            }
            Self::RootOnBoth(_) | Self::Contradiction { .. } => {
                "check how this system was started; nothing is written while it is unclear what runs"
            }
        }
    }
}

impl Evidence {
    /// The running set of a disk with this table, and who said so.
    ///
    /// # Errors
    /// When nothing says it, or two things contradict each other.
    pub fn active(&self, layout: &Layout, entries: &Entries) -> Result<(SetName, Source), ActiveUnknown> {
        let claim = match (self.flag, self.configured) {
            (Some(says), _) => Some(Witness { source: Source::Flag, set: says }),
            (None, _) if layout.b.is_none() => Some(Witness { source: Source::OnlySet, set: SetName::A }),
            (None, says) => says.map(|says| Witness { source: Source::Configuration, set: says }),
        };
        if let Some(Witness { source, .. }) = claim.filter(|claim| layout.members(claim.set).is_none()) {
            return Err(ActiveUnknown::NoSuchSet(source));
        }
        let witnesses = self.witnesses(layout, entries)?;
        let Some(Witness { source: by, set: says }) = claim.or(witnesses.first().copied()) else {
            return Err(self.nothing_said(layout, entries));
        };
        match witnesses.into_iter().find(|witness| witness.set != says) {
            Some(witness) => Err(ActiveUnknown::Contradiction { by, says, witness }),
            None => Ok((says, by)),
        }
    }

    /// What the kernel and the firmware say, the clearest first.
    fn witnesses(&self, layout: &Layout, entries: &Entries) -> Result<Vec<Witness>, ActiveUnknown> {
        let boot = match token(&self.command_line.boot, Source::BootToken, layout, entries) {
            // A person who says which set it is may mean another disk than the boot program did.
            Err(_) if self.flag.is_some() || layout.b.is_none() => None,
            said => said?,
        };
        let left = match token(&self.firmware.boot, Source::BootVariable, layout, entries) {
            Err(_) if self.flag.is_some() || layout.b.is_none() => None,
            said => said?,
        };
        let stub = match token(&self.firmware.stub, Source::StubVariable, layout, entries) {
            // An image on a partition for boot programs says nothing of a set.
            Err(ActiveUnknown::Elsewhere { .. }) => None,
            Err(_) if self.flag.is_some() || layout.b.is_none() => None,
            said => said?,
        };
        // It is no word of ours: others use it for partitions that are no set's.
        let root = token(&self.command_line.root, Source::RootToken, layout, entries).ok().flatten();
        let told = [
            (Source::BootToken, boot),
            (Source::BootVariable, left),
            (Source::StubVariable, stub),
            (Source::RootDevice, self.root_set(layout)?),
            (Source::RootToken, root),
        ];
        Ok(told.into_iter().filter_map(|(source, set)| Some(Witness { source, set: set? })).collect())
    }

    /// Why nothing that was looked at says anything.
    fn nothing_said(&self, layout: &Layout, entries: &Entries) -> ActiveUnknown {
        let root = token(&self.command_line.root, Source::RootToken, layout, entries);
        root.err().unwrap_or(ActiveUnknown::Silent)
    }

    /// The set that `/` stands on, where that is a set of this disk.
    fn root_set(&self, layout: &Layout) -> Result<Option<SetName>, ActiveUnknown> {
        let mut sets: Vec<SetName> =
            self.root_partitions.iter().filter_map(|&number| layout.set_of(number)).collect();
        sets.sort_unstable();
        sets.dedup();
        match sets[..] {
            [] => Ok(None),
            [set] => Ok(Some(set)),
            _ => Err(ActiveUnknown::RootOnBoth(self.root_partitions.clone())),
        }
    }
}

fn token(
    named: &Named,
    by: Source,
    layout: &Layout,
    entries: &Entries,
) -> Result<Option<SetName>, ActiveUnknown> {
    let guid = match named {
        Named::No => return Ok(None),
        Named::Unclear(words) => {
            return Err(match by {
                Source::BootVariable | Source::StubVariable => ActiveUnknown::Firmware(words.clone()),
                _ => ActiveUnknown::Unclear(words.clone()),
            });
        }
        Named::Partition(guid) => *guid,
    };
    let holders: Vec<u32> =
        entries.used().filter(|entry| entry.guid == guid).map(|entry| entry.number).collect();
    match holders[..] {
        [] => Err(ActiveUnknown::Elsewhere { by, guid }),
        [number] => layout.set_of(number).map(Some).ok_or(ActiveUnknown::Elsewhere { by, guid }),
        [one, two, ..] => Err(ActiveUnknown::Twice { by, guid, numbers: [one, two] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                ActiveUnknown::Silent,
                "neither the kernel command line nor a firmware variable names a partition of this disk, no configuration names a set, and / is not on this disk",
            ),
            (
                ActiveUnknown::NoSuchSet(Source::BootToken),
                "signpost.boot= on the kernel command line says set B, but this disk has only one set",
            ),
            (
                ActiveUnknown::Twice {
                    by: Source::BootToken,
                    guid: uuid::Uuid::from_u128(1),
                    numbers: [2, 5],
                },
                "signpost.boot= on the kernel command line names partition 00000000-0000-0000-0000-000000000001, but partitions 2 and 5 both carry that identifier",
            ),
            (ActiveUnknown::Unclear("x".into()), "the kernel command line is unclear: x"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
