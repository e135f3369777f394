//! Memory that direct I/O takes.

use std::ops::{Deref, DerefMut};

/// Direct I/O wants memory, offset and length aligned; this suits every block size in use.
pub const ALIGNMENT: usize = 4096;

/// Bytes whose first one lies where direct I/O wants it. What is written from here goes around the page cache where the
/// disk can do that.
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` bytes of zeros.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let memory = vec![0; len + ALIGNMENT];
        // A vector that is never resized keeps its place.
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, start, len }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Whether direct I/O takes `bytes` at `offset`.
pub(crate) fn suits_direct(offset: u64, bytes: &[u8]) -> bool {
    offset.is_multiple_of(ALIGNMENT as u64)
        && bytes.len().is_multiple_of(ALIGNMENT)
        && bytes.as_ptr().align_offset(ALIGNMENT) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lies_where_direct_io_wants_it() {
        for len in [0, 1, 4096, 1 << 20] {
            let mut buffer = Buffer::new(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
            buffer.fill(7);
            assert!(buffer.iter().all(|byte| *byte == 7));
        }
        let buffer = Buffer::new(8192);
        assert!(suits_direct(4096, &buffer));
        assert!(!suits_direct(512, &buffer));
        assert!(!suits_direct(4096, &buffer[..512]));
        assert!(!suits_direct(4096, &buffer[512..4608]));
    }
}
