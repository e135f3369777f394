//! A target as a stream that cannot be finished without its proof.
//!
//! The bytes are handed on before the last one was seen, because an image does not fit into memory. Whoever acts on
//! them for good waits for [`TargetReader::finish`].

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Error;
use crate::target::{Check, TargetInfo, VerifiedTarget};
use crate::transport::carrier::Opened;
use crate::transport::download::{Download, Piece};

/// Pieces that may wait between the network and the reader: about a megabyte.
const QUEUE: usize = 64;
/// How much is read at once from a file, and while draining.
const BLOCK: usize = 64 * 1024;

/// A target's bytes, checked while they pass. Read it on a thread that may block, never on one that runs tasks.
///
/// The end of the stream is an error unless all bytes were the signed ones; nothing beyond them is handed out.
pub struct TargetReader {
    check: Check,
    origin: Origin,
    waiting: Bytes,
    verdict: Option<Result<VerifiedTarget, Error>>,
}

enum Origin {
    Web(mpsc::Receiver<Result<Bytes, Error>>),
    File(Box<dyn Read + Send>),
}

impl TargetReader {
    /// Begins to fetch. A download runs as a task of the runtime that this is called from.
    pub(crate) fn new(info: TargetInfo, opened: Opened) -> Self {
        let origin = match opened {
            Opened::File(file) => Origin::File(file),
            Opened::Web(download) => {
                let (sender, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(deliver(*download, info.name.clone(), sender));
                Origin::Web(receiver)
            }
        };
        Self { check: Check::new(info), origin, waiting: Bytes::new(), verdict: None }
    }

    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.check.name()
    }

    /// Reads what is left, and gives the proof.
    ///
    /// # Errors
    /// When the bytes did not come, or are not the signed ones; also the error that a read returned before.
    pub fn finish(mut self) -> Result<VerifiedTarget, Error> {
        let mut scratch = vec![0; BLOCK];
        loop {
            match self.read(&mut scratch) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::from_read(self.name(), error)),
            }
        }
        self.verdict.unwrap_or_else(|| self.check.finish())
    }

    /// The next bytes from where they come from; empty at the end.
    fn more(&mut self) -> Result<Bytes, Error> {
        let bytes = match &mut self.origin {
            Origin::Web(receiver) => receiver.blocking_recv().transpose()?.unwrap_or_default(),
            Origin::File(file) => {
                let mut block = vec![0; BLOCK];
                let count = read_some(file, &mut block).map_err(|error| Error::Tampered {
                    name: self.check.name().to_owned(),
                    reason: format!("it cannot be read to its end: {error}"),
                })?;
                block.truncate(count);
                Bytes::from(block)
            }
        };
        self.check.update(&bytes)?;
        Ok(bytes)
    }
}

fn read_some(file: &mut Box<dyn Read + Send>, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl Read for TargetReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.waiting.is_empty() {
            if let Some(verdict) = &self.verdict {
                return verdict.clone().map(|_| 0).map_err(Error::into_read);
            }
            match self.more() {
                Ok(bytes) if bytes.is_empty() => {
                    let verdict = self.check.finish();
                    self.verdict = Some(verdict.clone());
                    return verdict.map(|_| 0).map_err(Error::into_read);
                }
                Ok(bytes) => self.waiting = bytes,
                Err(error) => {
                    self.verdict = Some(Err(error.clone()));
                    return Err(error.into_read());
                }
            }
        }
        let count = self.waiting.len().min(buf.len());
        buf[..count].copy_from_slice(&self.waiting.split_to(count));
        Ok(count)
    }
}

impl std::fmt::Debug for TargetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetReader").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Carries a download to its reader, and stops when nobody reads any more. What was handed out cannot be taken back, so
/// when an object begins again its known part is passed over; the digest at the end judges the two halves together.
async fn deliver(mut download: Download, name: String, sender: mpsc::Sender<Result<Bytes, Error>>) {
    let mut handed_out = 0u64;
    let mut position = 0u64;
    loop {
        let message = match download.next().await {
            Ok(None) => return,
            Ok(Some(Piece::Again)) => {
                position = 0;
                continue;
            }
            Ok(Some(Piece::Bytes(mut bytes))) => {
                let known = handed_out.saturating_sub(position).min(bytes.len() as u64);
                position += bytes.len() as u64;
                let fresh = bytes.split_off(usize::try_from(known).unwrap_or(bytes.len()));
                if fresh.is_empty() {
                    continue;
                }
                handed_out += fresh.len() as u64;
                Ok(fresh)
            }
            Err(fault) => Err(Error::of_target(&name, fault)),
        };
        let ends = message.is_err();
        if sender.send(message).await.is_err() || ends {
            return;
        }
    }
}
