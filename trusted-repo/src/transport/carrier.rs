//! Both kinds of places behind one door: a web server and a directory.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host_io::Fs;
use url::Url;

use super::download::{Download, Expected, Piece, Web};
use super::{Fault, Pacing};
use crate::source::{Place, Source};

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

/// An object that was opened and not read yet.
pub(crate) enum Opened {
    /// It comes over the network.
    Web(Box<Download>),
    /// It is a file.
    File(Box<dyn Read + Send>),
}

impl Carrier {
    /// A carrier for `source`; a client is made only where a web server is involved.
    pub(crate) fn new(
        fs: Arc<dyn Fs>,
        source: &Source,
        places: [&Place; 2],
        pacing: Pacing,
    ) -> Result<Self, Fault> {
        let web = if places.iter().any(|place| matches!(place, Place::Web(_))) {
            let web = Web::new(&source.proxy, &source.query, pacing)
                .map_err(|error| Fault::Other(Arc::new(error)))?;
            Some(Arc::new(web))
        } else {
            None
        };
        Ok(Self { web, fs })
    }

    /// A carrier that knows directories only.
    pub(crate) fn local(fs: Arc<dyn Fs>) -> Self {
        Self { web: None, fs }
    }

    pub(crate) fn set_query(&self, name: &str, value: &str) {
        if let Some(web) = &self.web {
            web.set_query(name, value);
        }
    }

    /// Bytes that have come over the network so far.
    pub(crate) fn fetched(&self) -> u64 {
        self.web.as_ref().map_or(0, |web| web.fetched())
    }

    /// Opens `name` at `place`. A web server is asked only when the first byte is wanted.
    pub(crate) fn open(&self, place: &Place, name: &str, expected: Expected) -> Result<Opened, Fault> {
        match place {
            Place::Web(base) => {
                let web = self.web.as_ref().expect("a client was made for this place");
                Ok(Opened::Web(Box::new(web.download(&below(base, name)?, expected))))
            }
            Place::Directory(dir) => {
                let path = dir.join(name);
                self.fs.open(&path).map(Opened::File).map_err(|error| local_fault(&path, error))
            }
        }
    }

    /// Whether there is a file at `path`.
    pub(crate) fn has(&self, path: &Path) -> bool {
        matches!(self.fs.kind(path), Ok(Some(_)))
    }

    /// All of a small object.
    pub(crate) async fn whole(&self, place: &Place, name: &str, expected: Expected) -> Result<Bytes, Fault> {
        let limit = expected.size.limit();
        match self.open(place, name, expected)? {
            Opened::Web(mut download) => collect(&mut download).await,
            Opened::File(file) => {
                let bytes = read_up_to(file, limit)
                    .map_err(|error| local_fault(Path::new(&place.describe(name)), error))?;
                bytes.ok_or(Fault::TooLong { limit })
            }
        }
    }
}

/// `name` below `base`. Target names are plain, and role names arrive here already encoded.
fn below(base: &Url, name: &str) -> Result<Url, Fault> {
    base.join(name).map_err(|_| Fault::Missing)
}

async fn collect(download: &mut Download) -> Result<Bytes, Fault> {
    let mut all = Vec::new();
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
        return Fault::Missing;
    }
    Fault::Local { path: path.to_owned(), source: Arc::new(error) }
}
