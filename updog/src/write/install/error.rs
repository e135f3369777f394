//! What can go wrong with an image or a partition.

use std::io;

use host_io::Advise;
use signpost::Role;
use thiserror::Error;

use crate::wait::Stopped;

/// Why an image is not in its partition.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The hash image cannot be decoded.
    #[error("decode the hash image")]
    HashImage(#[source] trusted_repo::Error),
    /// The hash image is not a sound tree.
    #[error("use the hash image")]
    Tree(#[source] verity::Error),
    /// An image is larger than its partition.
    #[error("fit the {image} image into its partition: {}", sizes(*.need, *.have))]
    NoFit {
        /// Which image.
        image: Role,
        /// Its size in bytes, where that is signed.
        need: Option<u64>,
        /// The partition's size in bytes.
        have: u64,
    },
    /// The stream broke off, or its end showed that it was not what was signed.
    #[error("fetch and decode the {image} image")]
    Source {
        /// Which image.
        image: Role,
        /// Why.
        source: trusted_repo::Error,
    },
    /// A block is not the one that the hash image names. It was not written.
    #[error("accept the {image} image")]
    Block {
        /// Which image.
        image: Role,
        /// Which block.
        source: verity::Error,
    },
    /// The image ends too early, or in the middle of a block.
    #[error("accept the {image} image: it has {found} bytes and its hash tree covers {expected}")]
    Length {
        /// Which image.
        image: Role,
        /// Bytes that came.
        found: u64,
        /// Bytes that the tree covers.
        expected: u64,
    },
    /// The device refused a write.
    #[error("write the {image} image to {device} at offset {offset}")]
    Write {
        /// Which image.
        image: Role,
        /// The partition.
        device: String,
        /// Where in the partition, in bytes.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The device did not make the image durable; nothing of it may be relied on.
    #[error("sync the {image} image on {device}")]
    Sync {
        /// Which image.
        image: Role,
        /// The partition.
        device: String,
        /// Why.
        source: io::Error,
    },
    /// What was written cannot be read.
    #[error("read the {image} image back from {device} at offset {offset}")]
    ReadBack {
        /// Which image.
        image: Role,
        /// The partition.
        device: String,
        /// Where in the partition, in bytes.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The medium holds something else than what was written.
    #[error("write the {image} image to {device}: read-back differs at offset {offset}")]
    Differs {
        /// Which image.
        image: Role,
        /// The partition.
        device: String,
        /// The first block that differs, as bytes from the partition's start.
        offset: u64,
    },
    /// A frame does not hold what its index says.
    #[error("decode the {image} image")]
    Frame {
        /// Which image.
        image: Role,
        /// Which frame, and why.
        source: blocks::DecodeError,
    },
    /// A thread did not start, or died.
    #[error("work on an image")]
    Thread(#[source] io::Error),
    /// A signal asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

fn sizes(need: Option<u64>, have: u64) -> String {
    match need {
        Some(need) => format!("it has {need} bytes and the partition {have}"),
        None => format!("it has more than the partition's {have} bytes"),
    }
}

impl Error {
    /// Whether the bytes that came were not the signed ones, which another mirror may have.
    #[must_use]
    pub fn is_of_source(&self) -> bool {
        match self {
            Self::Source { source, .. } => matches!(source, trusted_repo::Error::Tampered { .. }),
            Self::Block { .. } | Self::Length { .. } => true,
            _ => false,
        }
    }

    /// Whether parts of an image are not to be had, though all of it may be.
    #[must_use]
    pub fn is_for_want_of_it(&self) -> bool {
        matches!(self, Self::Source { source, .. } if source.is_for_want_of_it())
    }
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::HashImage(error) => error.help(),
            Self::Source { source, .. } => source.help(),
            Self::Tree(_) | Self::Block { .. } | Self::Length { .. } | Self::Frame { .. } => Some(
                "the images of this release do not belong together: tell whoever publishes the repository"
                    .to_owned(),
            ),
            Self::NoFit { .. } => Some("this release needs a disk with larger partitions".to_owned()),
            Self::Write { .. } | Self::Sync { .. } | Self::ReadBack { .. } | Self::Differs { .. } => {
                Some("the disk may be failing: look into the kernel's log".to_owned())
            }
            Self::Thread(_) | Self::Stopped(_) => None,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::HashImage(error) => error.code(),
            Self::Source { source, .. } => source.code(),
            Self::Tree(_) | Self::Block { .. } | Self::Length { .. } | Self::Frame { .. } => "tampered",
            Self::NoFit { .. } => "no_fit",
            Self::Write { .. } | Self::Sync { .. } | Self::ReadBack { .. } | Self::Differs { .. } => "disk",
            Self::Thread(_) | Self::Stopped(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Error::HashImage(trusted_repo::Error::NotBegun { dir: "/t".into() }), "decode the hash image"),
            (Error::Tree(verity::Error::Inner { block: 3 }), "use the hash image"),
            (
                Error::Write {
                    image: Role::Root,
                    device: "/dev/vda6".into(),
                    offset: 8192,
                    source: io::Error::other("the disk is gone"),
                },
                "write the root image to /dev/vda6 at offset 8192",
            ),
            (
                Error::Frame {
                    image: Role::Root,
                    source: blocks::DecodeError::Content { offset: 0, reason: "torn".into() },
                },
                "decode the root image",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
