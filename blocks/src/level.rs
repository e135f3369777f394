//! How hard frames are compressed.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A level of zstd, from 1 to 22.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(i32);

/// Why something is no level.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("take a level of compression: it has to be a number from 1 to 22")]
pub struct LevelError;

impl Level {
    /// A level, if there is such a one.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (1..=22).contains(&level).then_some(Self(i32::from(level)))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        text.parse().ok().and_then(Self::new).ok_or(LevelError)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Default for Level {
    /// 9: see `docs/formats.md`, "Frames", for what was measured.
    fn default() -> Self {
        Self(9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_zstd() {
        assert_eq!("9".parse::<Level>().map(|level| level.to_string()), Ok("9".to_owned()));
        for text in ["", "0", "23", "-1", "fast", "1.5", "300"] {
            assert_eq!(text.parse::<Level>(), Err(LevelError), "{text}");
        }
    }
}
