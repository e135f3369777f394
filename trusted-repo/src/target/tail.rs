//! The end of a target, from one of its bytes on. **Not verified**: the signed digests are over all of it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;

use super::proof::TargetInfo;
use super::reader::{Origin, Supply};
use crate::Error;
use crate::place::mirrors::Mirrors;

/// The bytes of a target from one on, up to its signed length. Read it on a thread that may block.
pub struct TargetTail {
    name: String,
    left: u64,
    origin: Origin,
    waiting: Bytes,
}

impl TargetTail {
    /// Begins to fetch what lies behind `from`.
    pub(crate) fn new(info: &TargetInfo, from: u64, supply: Supply, mirrors: &Arc<Mirrors>) -> Self {
        let (_, origin) = supply.begin(&info.name, from, mirrors);
        let left = info.length.saturating_sub(from);
        Self { name: info.name.clone(), left, origin, waiting: Bytes::new() }
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn refusal(&self, reason: &str) -> io::Error {
        Error::Tampered { name: self.name.clone(), reason: reason.to_owned() }.into_read()
    }
}

impl Read for TargetTail {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.waiting.is_empty() {
            self.waiting = self.origin.next(&self.name).map_err(Error::into_read)?.1;
            let count = self.waiting.len() as u64;
            if count > self.left {
                return Err(self.refusal("it goes on after its signed length"));
            }
            if count == 0 && self.left > 0 {
                return Err(self.refusal(&format!("it ends {} bytes before its signed length", self.left)));
            }
            self.left -= count;
        }
        let count = self.waiting.len().min(buf.len());
        buf[..count].copy_from_slice(&self.waiting.split_to(count));
        Ok(count)
    }
}

impl std::fmt::Debug for TargetTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetTail").field("name", &self.name).finish_non_exhaustive()
    }
}
