//! One object over HTTP, resumed or begun again until it is whole.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use bytes::Bytes;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;
use tracing::{debug, info};
use url::Url;

use super::fault::{Fault, classify};
use super::pacing::{Pacing, Patience, jitter};
use super::range::{ContentRange, Identity, continues};
use super::{client, pacing};
use crate::source::Proxy;

/// What is known of an object before it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// What it is, for people: "TUF metadata".
    pub(crate) what: String,
    /// How long it is.
    pub(crate) size: Size,
}

/// The length of an object, as far as it is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// It is signed.
    Exactly(u64),
    /// It is not known; this much is accepted.
    AtMost(u64),
}

impl Size {
    pub(crate) fn limit(self) -> u64 {
        match self {
            Self::Exactly(length) | Self::AtMost(length) => length,
        }
    }
}

/// What all requests to web servers share.
#[derive(Debug)]
pub(crate) struct Web {
    client: reqwest::Client,
    pacing: Pacing,
    query: Mutex<BTreeMap<String, String>>,
    fetched: AtomicU64,
}

impl Web {
    pub(super) fn new(
        proxy: &Proxy,
        query: &[(String, String)],
        pacing: Pacing,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: client::build(proxy, &pacing)?,
            pacing,
            query: Mutex::new(query.iter().cloned().collect()),
            fetched: AtomicU64::new(0),
        })
    }

    /// From now on every request carries this pair.
    pub(crate) fn set_query(&self, name: &str, value: &str) {
        self.query.lock().expect("no panic while held").insert(name.to_owned(), value.to_owned());
    }

    /// Bytes of bodies that have come over the network so far, also those that came twice.
    pub(crate) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Starts nothing yet: the first request goes out with the first call of [`Download::next`].
    pub(crate) fn download(self: &Arc<Self>, url: &Url, expected: Expected) -> Download {
        let mut url = url.clone();
        let query = self.query.lock().expect("no panic while held");
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query.iter());
        }
        Download {
            host: host_of(&url),
            patience: Patience::new(self.pacing),
            web: Arc::clone(self),
            url,
            expected,
            identity: Identity::default(),
            position: 0,
            furthest: 0,
            resumable: false,
            state: State::Idle,
        }
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What comes next of an object.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The bytes that follow those that came before.
    Bytes(Bytes),
    /// The object begins again: what comes next starts at its first byte.
    Again,
}

#[derive(Debug)]
enum State {
    Idle,
    Receiving(Response),
    Ended,
}

/// An object on its way.
#[derive(Debug)]
pub(crate) struct Download {
    web: Arc<Web>,
    url: Url,
    host: String,
    expected: Expected,
    patience: Patience,
    identity: Identity,
    position: u64,
    furthest: u64,
    resumable: bool,
    state: State,
}

impl Download {
    /// The next piece; `None` at the object's end. Failures that may pass are retried in here.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, Fault> {
        loop {
            let step = match &mut self.state {
                State::Ended => return Ok(None),
                State::Idle => self.ask().await,
                State::Receiving(_) => self.receive().await,
            };
            match step {
                Ok(Step::Piece(piece)) => return Ok(Some(piece)),
                Ok(Step::Asked) => {}
                Ok(Step::Ended) => self.state = State::Ended,
                Err(fault) => self.pause_after(fault).await?,
            }
        }
    }

    async fn pause_after(&mut self, fault: Fault) -> Result<(), Fault> {
        self.state = State::Idle;
        if !fault.is_passing() {
            self.state = State::Ended;
            return Err(fault);
        }
        let Some(pause) = self.patience.after_failure(jitter()) else {
            self.state = State::Ended;
            return Err(fault);
        };
        let (url, pause_ms) = (without_query(&self.url), pause.as_millis());
        info!(at = self.position, "{fault}; asking for {url} again in {pause_ms} ms");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Sends one request: for the rest if what has come can be continued, else for everything.
    async fn ask(&mut self) -> Result<Step, Fault> {
        let mut request = self.web.client.get(self.url.clone());
        let resuming = self.position > 0 && self.resumable;
        if resuming {
            request = request.header(header::RANGE, format!("bytes={}-", self.position));
            if let Some(validator) = &self.identity.validator {
                request = request.header(header::IF_RANGE, validator.as_str());
            }
        }
        let response = request.send().await.map_err(|error| self.fault(error))?;
        let headers = Headers::of(&response);
        match response.status() {
            StatusCode::PARTIAL_CONTENT if resuming && self.is_continued_by(&headers) => {
                debug!(url = %without_query(&self.url), at = self.position, "resumed");
                self.state = State::Receiving(response);
                Ok(Step::Asked)
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if resuming => {
                debug!(url = %without_query(&self.url), "the answer does not continue what came before");
                self.resumable = false;
                Ok(Step::Asked)
            }
            StatusCode::OK => self.begin(response, &headers),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => Err(Fault::Missing),
            status => Err(Fault::Status { host: self.host.clone(), status: status.as_u16() }),
        }
    }

    fn is_continued_by(&self, headers: &Headers) -> bool {
        headers.range.is_some_and(|range| {
            let part = Identity::of_part(headers.etag.as_deref(), headers.last_modified.as_deref(), &range);
            continues(self.position, &self.identity, &range, &part)
        })
    }

    /// Takes an answer with the whole object.
    fn begin(&mut self, response: Response, headers: &Headers) -> Result<Step, Fault> {
        if let Some(found) = headers.html() {
            return Err(Fault::Html {
                expected: self.expected.what.clone(),
                found,
                url: without_query(response.url()),
            });
        }
        match (self.expected.size, headers.length) {
            (Size::Exactly(signed), Some(offered)) if offered != signed => {
                return Err(Fault::Length { offered, signed });
            }
            (Size::AtMost(limit), Some(offered)) if offered > limit => return Err(Fault::TooLong { limit }),
            _ => {}
        }
        self.identity =
            Identity::of_whole(headers.etag.as_deref(), headers.last_modified.as_deref(), headers.length);
        self.resumable = self.identity.can_be_resumed();
        self.state = State::Receiving(response);
        if self.position == 0 {
            return Ok(Step::Asked);
        }
        self.position = 0;
        Ok(Step::Piece(Piece::Again))
    }

    async fn receive(&mut self) -> Result<Step, Fault> {
        let State::Receiving(response) = &mut self.state else {
            return Ok(Step::Asked);
        };
        let asked = Instant::now();
        let chunk = response.chunk().await.map_err(|error| self.fault(error))?;
        let Some(bytes) = chunk else {
            return match self.identity.total {
                // A range may end before the object does; the rest is asked for like after a failure.
                Some(total) if self.position < total => {
                    Err(Fault::Reset { host: self.host.clone(), received: self.position })
                }
                _ => Ok(Step::Ended),
            };
        };
        let count = bytes.len() as u64;
        self.web.fetched.fetch_add(count, Ordering::Relaxed);
        self.position += count;
        if self.position > self.expected.size.limit() {
            return Err(match self.expected.size {
                Size::Exactly(signed) => Fault::Length { offered: self.position, signed },
                Size::AtMost(limit) => Fault::TooLong { limit },
            });
        }
        let new = self.position.saturating_sub(self.furthest);
        self.furthest = self.furthest.max(self.position);
        self.patience.progress(new);
        if !self.patience.fast_enough(asked.elapsed(), count) {
            let pacing::Pacing { slow_floor: floor, slow_window: window, .. } = self.web.pacing;
            return Err(Fault::Slow { host: self.host.clone(), floor, window });
        }
        Ok(Step::Piece(Piece::Bytes(bytes)))
    }

    fn fault(&self, error: reqwest::Error) -> Fault {
        classify(error, self.host.clone(), self.position, &self.web.pacing)
    }
}

enum Step {
    /// The state has changed; look again.
    Asked,
    Piece(Piece),
    Ended,
}

/// What we look at in an answer's head.
struct Headers {
    etag: Option<String>,
    last_modified: Option<String>,
    range: Option<ContentRange>,
    length: Option<u64>,
    content_type: Option<String>,
}

impl Headers {
    fn of(response: &Response) -> Self {
        let text = |name| text_of(response.headers(), name);
        Self {
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
            range: text(header::CONTENT_RANGE).as_deref().and_then(ContentRange::parse),
            length: response.content_length(),
            content_type: text(header::CONTENT_TYPE),
        }
    }

    /// The declared type if it is a page for people.
    fn html(&self) -> Option<String> {
        let declared = self.content_type.as_deref()?.split(';').next()?.trim().to_ascii_lowercase();
        matches!(declared.as_str(), "text/html" | "application/xhtml+xml").then_some(declared)
    }
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn without_query(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.to_string()
}
