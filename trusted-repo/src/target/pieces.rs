//! A target that is decoded in memory, in pieces that are given back one by one. What comes out of it is about as long, and
//! both together would be most of the memory that an update of a large root takes.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::target::proof::{Check, VerifiedTarget};
use crate::{Error, TargetInfo};

/// Bytes of a piece: so many that the system has each of them back at once.
const PIECE: usize = 4 << 20;

/// Bytes that came one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Pieces(VecDeque<Vec<u8>>);

/// A target with its proof, to be read once. What was read is gone.
#[derive(Debug)]
pub struct VerifiedPieces {
    target: VerifiedTarget,
    pieces: Pieces,
    /// How much of the first piece was read.
    read: usize,
}

impl Pieces {
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.0.back().is_none_or(|last| last.len() == PIECE) {
                self.0.push_back(Vec::with_capacity(PIECE));
            }
            let last = self.0.back_mut().expect("there is one with room");
            let (fitting, rest) = bytes.split_at(bytes.len().min(PIECE - last.len()));
            last.extend_from_slice(fitting);
            bytes = rest;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The proof that these are the signed bytes.
    pub(crate) fn verify(self, info: TargetInfo) -> Result<VerifiedPieces, Error> {
        let mut check = Check::new(info);
        for piece in &self.0 {
            check.update(piece)?;
        }
        Ok(VerifiedPieces { target: check.finish()?, pieces: self, read: 0 })
    }
}

impl VerifiedPieces {
    /// The proof.
    #[must_use]
    pub fn target(&self) -> &VerifiedTarget {
        &self.target
    }

    /// Whether all of it was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.pieces.0.is_empty()
    }
}

impl Read for VerifiedPieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(first) = self.pieces.0.front() else { return Ok(0) };
        let rest = &first[self.read..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        if self.read == first.len() {
            self.pieces.0.pop_front();
            self.read = 0;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;
    use crate::Hashes;

    fn info(bytes: &[u8]) -> TargetInfo {
        let hashes = Hashes::sha256(digest(&SHA256, bytes).as_ref().try_into().unwrap());
        TargetInfo { name: "t".to_owned(), length: bytes.len() as u64, hashes }
    }

    fn pieces(bytes: &[u8], at_once: usize) -> Pieces {
        let mut pieces = Pieces::default();
        bytes.chunks(at_once).for_each(|part| pieces.add(part));
        pieces
    }

    #[test]
    fn what_was_added_is_read_once_and_its_memory_goes_on_the_way() {
        let bytes: Vec<u8> =
            (0..2 * PIECE + 100).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        for at_once in [PIECE / 3, PIECE, 2 * PIECE + 100] {
            let mut read = pieces(&bytes, at_once).verify(info(&bytes)).unwrap();
            let mut half = vec![0; PIECE + 1];
            assert!(!read.is_at_end());
            read.read_exact(&mut half).unwrap();
            assert_eq!(read.pieces.0.len(), 2, "the first piece is gone");
            let mut rest = Vec::new();
            read.read_to_end(&mut rest).unwrap();
            assert!(read.is_at_end() && [half, rest].concat() == bytes);
            assert_eq!(read.read(&mut [0; 4]).unwrap(), 0);
        }
        assert!(pieces(&[], 1).verify(info(&[])).unwrap().is_at_end());
    }

    #[test]
    fn only_the_signed_bytes_have_a_proof() {
        for other in [&b"the imagf"[..], b"the imag", b"the image!", b""] {
            assert!(pieces(other, 2).verify(info(b"the image")).is_err(), "{other:?}");
        }
        let mut again = pieces(b"half of ano", 3);
        again.clear();
        again.add(b"the image");
        assert_eq!(again.verify(info(b"the image")).unwrap().target().length(), 9);
    }
}
