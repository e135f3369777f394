//! Sizes as people write them: whole mebibytes, since partitions start and end on them.

use std::fmt;
use std::str::FromStr;

/// Bytes in a mebibyte.
pub const MIB: u64 = 1 << 20;

/// Some mebibytes, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mebibytes(u64);

impl Mebibytes {
    /// That many; `None` for none, and for more bytes than can be counted.
    #[must_use]
    pub const fn new(count: u64) -> Option<Self> {
        if count == 0 || count > u64::MAX / MIB { None } else { Some(Self(count)) }
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0 * MIB
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0)
    }
}

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: write a whole number and MiB, GiB or TiB, such as \"20 MiB\" or \"2G\"")]
pub struct NoSize(String);

impl FromStr for Mebibytes {
    type Err = NoSize;

    /// `2 GiB`, `2GiB`, `2G`: powers of 1024 either way.
    fn from_str(text: &str) -> Result<Self, NoSize> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].trim_start() {
            "M" | "MiB" => 1,
            "G" | "GiB" => 1 << 10,
            "T" | "TiB" => 1 << 20,
            _ => 0,
        };
        let number: Option<u64> = text[..digits].parse().ok();
        number
            .and_then(|number| number.checked_mul(unit))
            .and_then(Self::new)
            .ok_or_else(|| NoSize(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_sizes_in_several_ways() {
        for (text, mebibytes) in [("1M", 1), ("20 MiB", 20), ("2GiB", 2048), ("2 G", 2048), ("1T", 1 << 20)] {
            assert_eq!(text.parse::<Mebibytes>().unwrap().get(), mebibytes, "{text}");
        }
        assert_eq!("3G".parse::<Mebibytes>().unwrap().to_string(), "3072 MiB");
        assert_eq!("1M".parse::<Mebibytes>().unwrap().bytes(), 1 << 20);
    }

    #[test]
    fn what_is_no_size_is_refused_in_words() {
        for text in [
            "",
            "2",
            "0M",
            "-1M",
            "1.5G",
            "G",
            "2 gib",
            "2KiB",
            "1M ",
            "rest",
            "99999999999999999999G",
            "17592186044416M",
        ] {
            let error = text.parse::<Mebibytes>().unwrap_err();
            assert!(error.to_string().contains("is no size"), "{error}");
        }
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            NoSize("x".into()).to_string(),
            "\"x\" is no size: write a whole number and MiB, GiB or TiB, such as \"20 MiB\" or \"2G\""
        );
    }
}
