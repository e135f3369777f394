//! Both kinds of places behind one door: a web server and a directory.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host_io::Fs;

use super::account::Taking;
use super::download::{Download, Expected, Part, Piece};
use super::validator::Validator;
use super::web::Web;
use super::{Fault, Pacing};
use crate::place::source::{Place, Source};
use crate::target::pieces::Pieces;

/// How much is read at once from a file.
const BLOCK: usize = 64 * 1024;
/// The most room that is made for bytes which have not come yet.
const MOST_ROOM: u64 = 16 << 20;

/// Fetches named objects from places.
#[derive(Clone)]
pub(crate) struct Carrier {
    web: Option<Arc<Web>>,
    fs: Arc<dyn Fs>,
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier").field("web", &self.web).finish_non_exhaustive()
    }
}

/// Whether an object is still the known one.
pub(crate) enum Changed {
    /// It is, says the server.
    Unchanged,
    /// Its bytes, and by what to recognise them.
    Fresh(Bytes, Option<Validator>),
}

impl Carrier {
    /// A carrier for `source`; a client is made only where a web server is involved.
    pub(crate) fn new(
        fs: Arc<dyn Fs>,
        source: &Source,
        places: &[&Place],
        pacing: Pacing,
    ) -> Result<Self, Fault> {
        let web = if places.iter().any(|place| matches!(place, Place::Web(_))) {
            Some(Arc::new(Web::new(source, pacing)?))
        } else {
            None
        };
        Ok(Self { web, fs })
    }

    /// A carrier that knows directories only.
    pub(crate) fn local(fs: Arc<dyn Fs>) -> Self {
        Self { web: None, fs }
    }

    /// What requests to web servers share; `None` where none is involved.
    pub(super) fn web(&self) -> Option<&Web> {
        self.web.as_deref()
    }

    pub(crate) fn set_query(&self, name: &str, value: &str) {
        if let Some(web) = &self.web {
            web.set_query(name, value);
        }
    }

    /// Bytes that have come over the network so far.
    pub(crate) fn fetched(&self) -> u64 {
        self.web.as_ref().map_or(0, |web| web.account.fetched())
    }

    /// For whoever takes bytes by itself, beside the one who reads them.
    pub(crate) fn taking(&self) -> Option<Taking> {
        self.web.as_ref().map(|web| web.account.taking())
    }

    /// A part of an object at a web server; `None` when `place` is none.
    pub(crate) fn part(
        &self,
        place: &Place,
        name: &str,
        expected: Expected,
        part: Part,
    ) -> Result<Option<Download>, Fault> {
        match place {
            Place::Web(base) => {
                let web = self.web.as_ref().expect("a client was made for this place");
                web.download(base, name, expected, part).map(Some)
            }
            Place::Directory(_) => Ok(None),
        }
    }

    /// Whether a web server is among the places.
    pub(crate) fn has_web(&self) -> bool {
        self.web.is_some()
    }

    /// Opens a file of a directory.
    pub(crate) fn file(&self, dir: &Path, name: &str) -> Result<Box<dyn Read + Send>, Fault> {
        let path = dir.join(name);
        self.fs.open(&path).map_err(|error| local_fault(&path, error))
    }

    /// Opens a file of a directory from a byte on.
    pub(crate) fn file_at(&self, dir: &Path, name: &str, offset: u64) -> Result<Box<dyn Read + Send>, Fault> {
        let path = dir.join(name);
        self.fs.open_at(&path, offset).map_err(|error| local_fault(&path, error))
    }

    /// [`Carrier::whole`], where `known` says by what the object is recognised that is there already.
    pub(crate) async fn changed(
        &self,
        place: &Place,
        name: &str,
        expected: Expected,
        known: Option<Validator>,
    ) -> Result<Changed, Fault> {
        let part = known.filter(|known| known.is_of(&place.describe(""))).map_or(Part::Whole, Part::Changed);
        let Some(mut download) = self.part(place, name, expected.clone(), part)? else {
            return Ok(Changed::Fresh(self.whole(place, name, expected).await?, None));
        };
        let bytes = collect(&mut download, 0).await?;
        if download.is_unchanged() {
            return Ok(Changed::Unchanged);
        }
        Ok(Changed::Fresh(bytes, download.validator().cloned()))
    }

    /// Whether there is a file at `path`.
    pub(crate) fn has(&self, path: &Path) -> bool {
        matches!(self.fs.kind(path), Ok(Some(_)))
    }

    /// All of a small object.
    pub(crate) async fn whole(&self, place: &Place, name: &str, expected: Expected) -> Result<Bytes, Fault> {
        self.whole_as(place, name, expected, Part::Whole).await.map(|(bytes, _)| bytes)
    }

    /// [`Carrier::whole`], asked for as `part`; also says whether it was put together from parts.
    pub(crate) async fn whole_as(
        &self,
        place: &Place,
        name: &str,
        expected: Expected,
        part: Part,
    ) -> Result<(Bytes, bool), Fault> {
        let limit = expected.size.limit();
        match place {
            Place::Web(_) => {
                let length = expected.size.signed().unwrap_or_default();
                let download = self.part(place, name, expected, part)?;
                let mut download = download.expect("it is a web server");
                let bytes = collect(&mut download, length).await?;
                Ok((bytes, download.joined() > 0))
            }
            Place::Directory(dir) => {
                let bytes = read_up_to(self.file(dir, name)?, limit)
                    .map_err(|error| local_fault(&dir.join(name), error))?;
                bytes.map(|bytes| (bytes, false)).ok_or(Fault::TooLong { limit })
            }
        }
    }

    /// [`Carrier::whole_as`], in pieces.
    pub(crate) async fn pieces(
        &self,
        place: &Place,
        name: &str,
        expected: Expected,
        part: Part,
    ) -> Result<(Pieces, bool), Fault> {
        let limit = expected.size.limit();
        let (mut all, mut joined) = (Pieces::default(), false);
        match place {
            Place::Web(_) => {
                let download = self.part(place, name, expected, part)?;
                let mut download = download.expect("it is a web server");
                while let Some(piece) = download.next().await? {
                    match piece {
                        Piece::Bytes(bytes) => all.add(&bytes),
                        Piece::Again => all.clear(),
                    }
                }
                joined = download.joined() > 0;
            }
            Place::Directory(dir) => {
                let fault = |error| local_fault(&dir.join(name), error);
                let mut file = self.file(dir, name)?.take(limit.saturating_add(1));
                let mut block = vec![0; BLOCK];
                loop {
                    match file.read(&mut block) {
                        Ok(0) => break,
                        Ok(count) => all.add(&block[..count]),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(fault(error)),
                    }
                }
                if file.limit() == 0 {
                    return Err(Fault::TooLong { limit });
                }
            }
        }
        Ok((all, joined))
    }
}

/// All that comes; room for `expected` bytes is made beforehand, so that there is no second copy while it grows.
async fn collect(download: &mut Download, expected: u64) -> Result<Bytes, Fault> {
    let mut all = Vec::with_capacity(usize::try_from(expected.min(MOST_ROOM)).unwrap_or_default());
    while let Some(piece) = download.next().await? {
        match piece {
            Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
            Piece::Again => all.clear(),
        }
    }
    Ok(all.into())
}

/// All bytes of `file`, or `None` when there are more than `limit`.
pub(crate) fn read_up_to(file: Box<dyn Read + Send>, limit: u64) -> io::Result<Option<Bytes>> {
    let mut all = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut all)?;
    Ok((all.len() as u64 <= limit).then(|| all.into()))
}

fn local_fault(path: &Path, error: io::Error) -> Fault {
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        return Fault::NoFile { dir: path.parent().unwrap_or(path).to_owned() };
    }
    Fault::Local { path: path.to_owned(), source: Arc::new(error) }
}
