//! How hard frames are compressed.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use zstd::zstd_safe::{CParameter, Strategy};

/// The shortest match that is looked for. In large files zstd leaves out those of four bytes; a frame's window is short,
/// so that they are cheap to name, and frames are shorter with them.
const LEAST_MATCH: u32 = 4;

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

    /// How matches are searched, where zstd's own choice is not for frames. It takes the same number to mean more work the
    /// smaller its input is: at level 9 it builds binary trees over 16 KiB, for much more time and hardly fewer bytes. So a
    /// level here is the work that zstd does at that level in a large file (its `clevels.h`). The fastest and the hardest
    /// levels are left to zstd: whoever asks for one of these means an extreme.
    pub(crate) fn search(self) -> Vec<CParameter> {
        use Strategy::{ZSTD_btlazy2 as Trees, ZSTD_lazy as Lazy, ZSTD_lazy2 as Lazier};
        let (strategy, attempts, enough) = match self.0 {
            6 => (Lazy, 3, 4),
            7 => (Lazy, 4, 8),
            8 | 9 => (Lazier, 4, 16),
            10 => (Lazier, 5, 16),
            11 => (Lazier, 6, 16),
            12 => (Lazier, 6, 32),
            13 => (Trees, 4, 32),
            14 => (Trees, 5, 32),
            15 => (Trees, 6, 32),
            _ => return Vec::new(),
        };
        vec![
            CParameter::Strategy(strategy),
            CParameter::SearchLog(attempts),
            CParameter::MinMatch(LEAST_MATCH),
            CParameter::TargetLength(enough),
        ]
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

    #[test]
    fn a_frame_is_searched_as_a_large_file_is_from_level_6_to_15() {
        let searched = |level| !Level(level).search().is_empty();
        assert!((6..=15).all(searched));
        assert!(!(1..=5).chain(16..=22).any(searched));
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(LevelError.to_string(), "take a level of compression: it has to be a number from 1 to 22");
    }
}
