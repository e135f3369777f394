//! What can be wrong with the header of a pack.

use thiserror::Error;
use verity::RootHash;

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 1;

/// Why bytes are no header of a pack.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// It begins with something else.
    #[error("read the header of a pack: it begins with something else")]
    NotPack,
    /// Another version of the format.
    #[error("read the header of a pack: it has version {version} of the format, and {VERSION} is known here")]
    Version {
        /// The version.
        version: u16,
    },
    /// It says that a reader must know something which this one does not.
    #[error("read the header of a pack: a reader must understand {flags:#x}, which this one does not")]
    Flags {
        /// The flags that are not known.
        flags: u32,
    },
    /// A field is out of its range.
    #[error("read the header of a pack: its {field} is out of range")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// It ends too early.
    #[error("read the header of a pack: it ends too early")]
    Truncated,
    /// There are bytes behind it.
    #[error("read the header of a pack: there are {count} bytes behind it")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The digests of its tree do not lead up to its root hash.
    #[error("read the header of a pack: its digests do not lead up to the root hash {root_hash}")]
    Digests {
        /// The root hash.
        root_hash: RootHash,
    },
}

impl HeaderError {
    /// Whether a later version of this program may be able to read it, so that nothing is wrong with the pack itself.
    #[must_use]
    pub fn is_unknown_format(&self) -> bool {
        matches!(self, Self::Version { .. } | Self::Flags { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                HeaderError::Version { version: 2 },
                "read the header of a pack: it has version 2 of the format, and 1 is known here",
            ),
            (
                HeaderError::Flags { flags: 0x10 },
                "read the header of a pack: a reader must understand 0x10, which this one does not",
            ),
            (
                HeaderError::Digests {
                    root_hash: "abababababababababababababababababababababababababababababababab"
                        .parse()
                        .unwrap(),
                },
                "read the header of a pack: its digests do not lead up to the root hash abababababababababababababababababababababababababababababababab",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
