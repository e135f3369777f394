//! The sets' names.

use core::fmt;
use core::str::FromStr;

/// The name of a partition set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetName {
    /// The set with the lower partition numbers.
    A,
    /// The other one.
    B,
}

impl SetName {
    /// The other set.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// A text that names no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchSet;

impl fmt::Display for NoSuchSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a partition set is named A or B")
    }
}

impl core::error::Error for NoSuchSet {}

impl FromStr for SetName {
    type Err = NoSuchSet;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            _ => Err(NoSuchSet),
        }
    }
}
