//! The three releases, and the pairs that are compared.

use serde::{Deserialize, Serialize};

/// What a release is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Release {
    /// The stable release without its security updates.
    Before,
    /// With all security updates but those of the kernel.
    OldKernel,
    /// With all of them.
    After,
}

/// How much of a system there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A small server, for figures.
    Server,
    /// As little as there can be, for trying a bench out.
    Little,
}

impl Extent {
    /// The one for the flag `--little`.
    pub(crate) fn little(flag: bool) -> Self {
        if flag { Self::Little } else { Self::Server }
    }
}

/// Two releases, and how they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pair {
    /// All security updates of the stable release at once.
    Security,
    /// The kernel and its modules alone.
    Kernel,
}

impl Release {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::OldKernel, Self::After];

    /// Its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::OldKernel => "old-kernel",
            Self::After => "after",
        }
    }

    /// For people.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Before => "the stable release without security updates",
            Self::OldKernel => "with security updates of everything but the kernel",
            Self::After => "with all security updates",
        }
    }

    /// Preferences of apt that lead there: `apt_preferences(5)`.
    pub(crate) fn preferences(self) -> &'static str {
        match self {
            Self::Before => "Package: *\nPin: release l=Debian-Security\nPin-Priority: -1\n",
            Self::OldKernel => "Package: linux-image-amd64\nPin: release l=Debian\nPin-Priority: 990\n",
            Self::After => "",
        }
    }
}

impl Pair {
    pub(crate) const ALL: [Self; 2] = [Self::Security, Self::Kernel];

    /// The release that runs, and the one that is installed.
    pub(crate) fn releases(self) -> (Release, Release) {
        match self {
            Self::Security => (Release::Before, Release::After),
            Self::Kernel => (Release::OldKernel, Release::After),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Kernel => "kernel",
        }
    }
}
