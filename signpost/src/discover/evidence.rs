//! What speaks for one set being the running one, and the rule that decides.
//!
//! The first that says anything decides: the person at the command line, the boot program's token, the configuration,
//! the device that `/` is on, the kernel's own token for the root partition. Whoever decides must not contradict where
//! `/` really is: the running set would be taken for the other one, and be written to.

use std::fmt;

use super::command_line::{CommandLine, Named};
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
            Self::Configuration => "the configuration",
            Self::RootDevice => "the device of /",
            Self::RootToken => "root= on the kernel command line",
        })
    }
}

/// Why nobody can say which set is running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActiveUnknown {
    /// Nothing says anything.
    #[error(
        "the kernel command line names no partition of this disk, no configuration names a set, and / is not on this disk"
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
    /// `/` stands on partitions of both sets.
    #[error("/ stands on partitions of both sets: {}", list(.0))]
    RootOnBoth(Vec<u32>),
    /// What was said contradicts where `/` is.
    #[error("{by} says set {says}, but / is on set {root}")]
    Contradiction {
        /// Who said it.
        by: Source,
        /// What was said.
        says: SetName,
        /// Where `/` is.
        root: SetName,
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
            Self::Silent | Self::Elsewhere { .. } | Self::Unclear(_) => {
                "say which set is running with \"--active A\" or \"--active B\", or set \"active\" in /etc/signpost.toml"
            }
            Self::NoSuchSet(_) => "leave it out, or say A",
            Self::Twice { .. } => "give one of them a new identifier with another partitioning tool",
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
        let root = self.root_set(layout)?;
        let (says, by) = self.said(layout, entries, root)?;
        if layout.members(says).is_none() {
            return Err(ActiveUnknown::NoSuchSet(by));
        }
        match root {
            Some(root) if root != says => Err(ActiveUnknown::Contradiction { by, says, root }),
            Some(_) | None => Ok((says, by)),
        }
    }

    fn said(
        &self,
        layout: &Layout,
        entries: &Entries,
        root: Option<SetName>,
    ) -> Result<(SetName, Source), ActiveUnknown> {
        if let Some(says) = self.flag {
            return Ok((says, Source::Flag));
        }
        if layout.b.is_none() {
            return Ok((SetName::A, Source::OnlySet));
        }
        if let Some(says) = token(&self.command_line.boot, Source::BootToken, layout, entries)? {
            return Ok((says, Source::BootToken));
        }
        if let Some(says) = self.configured {
            return Ok((says, Source::Configuration));
        }
        if let Some(says) = root {
            return Ok((says, Source::RootDevice));
        }
        if let Some(says) = token(&self.command_line.root, Source::RootToken, layout, entries)? {
            return Ok((says, Source::RootToken));
        }
        Err(ActiveUnknown::Silent)
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
        Named::Unclear(words) => return Err(ActiveUnknown::Unclear(words.clone())),
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
