//! A target as a stream that cannot be finished without its proof.
//!
//! The bytes are handed on before the last one was seen, because an image does not fit into memory. Whoever acts on
//! them for good waits for [`TargetReader::finish`].

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::info;

use crate::Error;
use crate::place::mirrors::Mirrors;
use crate::place::source::Place;
use crate::target::proof::{Check, TargetInfo, VerifiedTarget};
use crate::transport::download::{Expected, Part, Piece};
use crate::transport::{Carrier, Fault};

/// Pieces that may wait between the network and the reader: a megabyte.
const QUEUE: usize = 16;
/// The most bytes of a piece. A fast network brings far more at once.
const PIECE: usize = 64 * 1024;
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
    mirrors: Arc<Mirrors>,
    /// The number of the place that the last bytes came from.
    place: usize,
}

/// What a target is read from.
pub(crate) enum Supply {
    /// An open file of the directory with this number.
    File(usize, Box<dyn Read + Send>),
    /// Web servers in the order in which they are asked: number, place, name of the file.
    Web(Carrier, Expected, Vec<(usize, Place, String)>),
}

pub(super) enum Origin {
    Web(mpsc::Receiver<Result<(usize, Bytes), Error>>),
    File(Box<dyn Read + Send>),
}

impl Supply {
    /// Begins to fetch from a byte on; a file is open there already. A download runs as a task of the runtime that this is
    /// called from. Says which place comes first.
    pub(super) fn begin(self, name: &str, from: u64, mirrors: &Arc<Mirrors>) -> (usize, Origin) {
        match self {
            Self::File(number, file) => (number, Origin::File(file)),
            Self::Web(carrier, expected, places) => {
                let first = places.first().map_or(0, |(number, ..)| *number);
                let (sender, receiver) = mpsc::channel(QUEUE);
                let (name, mirrors) = (name.to_owned(), Arc::clone(mirrors));
                let taking = carrier.taking();
                let delivery = Delivery { carrier, expected, name, mirrors, sender, handed_out: from };
                tokio::spawn(async move {
                    delivery.run(places).await;
                    // What it held has been given up and counted by now.
                    drop(taking);
                });
                (first, Origin::Web(receiver))
            }
        }
    }
}

impl Origin {
    /// The next bytes of the target `name`, and the place that they come from, if there are several; empty at the end.
    pub(super) fn next(&mut self, name: &str) -> Result<(Option<usize>, Bytes), Error> {
        match self {
            Self::Web(receiver) => Ok(match receiver.blocking_recv().transpose()? {
                Some((place, bytes)) => (Some(place), bytes),
                None => (None, Bytes::new()),
            }),
            Self::File(file) => {
                let mut block = vec![0; BLOCK];
                let count = read_some(file, &mut block).map_err(|error| Error::Tampered {
                    name: name.to_owned(),
                    reason: format!("it cannot be read to its end: {error}"),
                })?;
                block.truncate(count);
                Ok((None, Bytes::from(block)))
            }
        }
    }
}

impl TargetReader {
    /// Begins to fetch, as [`Supply::begin`].
    pub(crate) fn new(info: TargetInfo, supply: Supply, mirrors: Arc<Mirrors>) -> Self {
        let (place, origin) = supply.begin(&info.name, 0, &mirrors);
        Self { check: Check::new(info), origin, waiting: Bytes::new(), verdict: None, mirrors, place }
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
        let (place, bytes) = self.origin.next(self.check.name())?;
        self.place = place.unwrap_or(self.place);
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
                    if verdict.is_err() {
                        self.mirrors.blame(self.place);
                    }
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

/// Carries downloads to a reader, and stops at once when nobody reads any more, also one that waits for the network. What
/// was handed out cannot be taken back, so when an object begins again its known part is passed over, and another place
/// goes on where one has failed; the digest at the end judges all parts together.
struct Delivery {
    carrier: Carrier,
    expected: Expected,
    name: String,
    mirrors: Arc<Mirrors>,
    sender: mpsc::Sender<Result<(usize, Bytes), Error>>,
    handed_out: u64,
}

impl Delivery {
    async fn run(self, places: Vec<(usize, Place, String)>) {
        let reader = self.sender.clone();
        tokio::select! {
            biased;
            () = reader.closed() => {}
            () = self.all(places) => {}
        }
    }

    async fn all(mut self, places: Vec<(usize, Place, String)>) {
        let mut first = None;
        for (number, place, file) in places {
            match self.one(number, &place, &file).await {
                Ok(()) => return,
                Err(fault) => {
                    info!("{} from {}: {fault}", self.name, place.describe(""));
                    let ends_it = matches!(fault, Fault::OverBudget { .. });
                    first.get_or_insert(fault.clone());
                    if ends_it {
                        first = Some(fault);
                        break;
                    }
                }
            }
        }
        if let Some(fault) = first {
            let _nobody_reads = self.sender.send(Err(Error::of_target(&self.name, fault))).await;
        }
    }

    /// Everything that one place has beyond what was handed out; also done when nobody reads any more.
    async fn one(&mut self, number: usize, place: &Place, file: &str) -> Result<(), Fault> {
        let mut position = self.handed_out;
        let part = match position {
            0 if self.mirrors.in_one_piece(number) => Part::OnePiece,
            0 => Part::Whole,
            _ => Part::From(position),
        };
        if position > 0 {
            self.mirrors.joined(number);
        }
        let Some(mut download) = self.carrier.part(place, file, self.expected.clone(), part)? else {
            return Err(Fault::Missing);
        };
        while let Some(piece) = download.next().await? {
            if download.joined() > 0 {
                self.mirrors.joined(number);
            }
            let Piece::Bytes(mut bytes) = piece else {
                position = 0;
                continue;
            };
            let known = self.handed_out.saturating_sub(position).min(bytes.len() as u64);
            position += bytes.len() as u64;
            let mut fresh = bytes.split_off(usize::try_from(known).unwrap_or(bytes.len()));
            while !fresh.is_empty() {
                let part = fresh.split_to(fresh.len().min(PIECE));
                self.handed_out += part.len() as u64;
                if self.sender.send(Ok((number, part))).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
