//! One object over HTTP, resumed or begun again until it is whole.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use bytes::Bytes;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;
use tracing::{debug, info};
use url::Url;

use super::bucket::Bucket;
use super::fault::{Fault, classify};
use super::pacing::{Pacing, Patience, jitter, wait_of};
use super::range::{ContentRange, Fit, Identity, fit};
use super::validator::Validator;
use super::{client, pacing};
use crate::source::Source;

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

    pub(crate) fn signed(self) -> Option<u64> {
        match self {
            Self::Exactly(length) => Some(length),
            Self::AtMost(_) => None,
        }
    }
}

/// Which part of an object is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// All of it, unless it is still the one with this validator.
    Changed(Validator),
    /// From this byte on. The object's length is signed, and so are the bytes that are put together, so no validator
    /// of an earlier answer is asked for. A server that knows no ranges begins at the first byte.
    From(u64),
    /// From one byte up to another one, which is not wanted any more; the first is before the second, and what is put
    /// together is signed. An object that changes under way ends it with [`Fault::Changed`].
    Range(u64, u64),
}

/// What is passed over at the beginning of an object for the sake of a part of it, where the server knows no ranges.
const MOST_PASSED_OVER: u64 = 1 << 20;

/// What all requests to web servers share.
#[derive(Debug)]
pub(crate) struct Web {
    client: reqwest::Client,
    pacing: Pacing,
    began: Instant,
    cap: Option<Mutex<Bucket>>,
    query: Mutex<BTreeMap<String, String>>,
    fetched: AtomicU64,
}

impl Web {
    pub(super) fn new(source: &Source, pacing: Pacing) -> Result<Self, Fault> {
        Ok(Self {
            client: client::build(&source.proxy, &source.tls, &pacing)?,
            pacing,
            began: Instant::now(),
            cap: source.bandwidth_limit.map(|rate| Mutex::new(Bucket::new(rate))),
            query: Mutex::new(source.query.iter().cloned().collect()),
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

    /// How long to wait before more is read, now that `bytes` have come.
    fn pause_for(&self, bytes: u64) -> Duration {
        let cap = self.cap.as_ref().map(|cap| cap.lock().expect("no panic while held"));
        cap.map_or_else(Default::default, |mut cap| cap.take(bytes, self.began.elapsed()))
    }

    /// Starts nothing yet: the first request goes out with the first call of [`Download::next`]. `base` is the place
    /// that `url` lies below.
    pub(crate) fn download(
        self: &Arc<Self>,
        base: &Url,
        url: &Url,
        expected: Expected,
        part: Part,
    ) -> Download {
        let mut url = url.clone();
        let query = self.query.lock().expect("no panic while held");
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query.iter());
        }
        let (position, end) = match part {
            Part::Range(first, end) => (first, Some(end)),
            Part::From(first) => (first, None),
            Part::Whole | Part::Changed(_) => (0, None),
        };
        let foreign = matches!(part, Part::From(_) | Part::Range(..));
        let most = end.map_or(expected.size.limit(), |end| end - position);
        Download {
            host: host_of(&url),
            place: base.to_string(),
            patience: Patience::new(self.pacing, most),
            web: Arc::clone(self),
            url,
            expected,
            condition: if let Part::Changed(validator) = part { Some(validator) } else { None },
            identity: Identity::default(),
            position,
            end,
            furthest: position,
            resumable: foreign,
            foreign,
            joined: 0,
            retry_after: None,
            validator: None,
            unchanged: false,
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
    place: String,
    expected: Expected,
    patience: Patience,
    condition: Option<Validator>,
    identity: Identity,
    position: u64,
    end: Option<u64>,
    furthest: u64,
    resumable: bool,
    /// What came before, if anything, came from elsewhere: the next part says what the object is.
    foreign: bool,
    /// How often a part was put to what came before.
    joined: u32,
    retry_after: Option<Duration>,
    validator: Option<Validator>,
    unchanged: bool,
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

    /// How far it has come.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How often a part was put to what came before. Whoever finds wrong bytes may blame the joint.
    pub(crate) fn joined(&self) -> u32 {
        self.joined
    }

    /// Whether the server says that the object is still the one of [`Part::Changed`].
    pub(crate) fn is_unchanged(&self) -> bool {
        self.unchanged
    }

    /// What the server said to recognise the object by.
    pub(crate) fn validator(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }

    async fn pause_after(&mut self, fault: Fault) -> Result<(), Fault> {
        self.state = State::Idle;
        if !fault.is_passing() {
            self.state = State::Ended;
            return Err(fault);
        }
        let Some(pause) = self.patience.after_failure(jitter(), self.retry_after.take()) else {
            self.state = State::Ended;
            return Err(fault);
        };
        let (url, pause_ms) = (without_query(&self.url), pause.as_millis());
        info!(at = self.position, "{fault}; asking for {url} again in {pause_ms} ms");
        tokio::time::sleep(pause).await;
        self.patience.spend(pause);
        Ok(())
    }

    fn overdue(&self) -> Fault {
        Fault::Overdue {
            host: self.host.clone(),
            received: self.position,
            deadline: self.patience.deadline(),
        }
    }

    /// Sends one request: for the rest if what has come can be continued, else for everything.
    async fn ask(&mut self) -> Result<Step, Fault> {
        let mut request = self.web.client.get(self.url.clone());
        let resuming = self.resumable && (self.position > 0 || self.end.is_some());
        if resuming {
            let last = self.end.map(|end| (end - 1).to_string()).unwrap_or_default();
            request = request.header(header::RANGE, format!("bytes={}-{last}", self.position));
            if let Some(validator) = &self.identity.validator {
                request = request.header(header::IF_RANGE, validator.as_str());
            }
        }
        let condition = self.condition.as_ref().filter(|_| self.position == 0);
        if let Some(etag) = condition.and_then(|known| known.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = condition.and_then(|known| known.last_modified.as_deref()) {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        let conditional = condition.is_some();
        let asked = Instant::now();
        let response = match tokio::time::timeout(self.patience.left(), request.send()).await {
            Ok(answered) => answered.map_err(|error| self.fault(error))?,
            Err(_) => return Err(self.overdue()),
        };
        self.patience.spend(asked.elapsed());
        let headers = Headers::of(&response);
        match response.status() {
            StatusCode::NOT_MODIFIED if conditional => {
                self.unchanged = true;
                Ok(Step::Ended)
            }
            StatusCode::PARTIAL_CONTENT if resuming && self.is_continued_by(&headers) => {
                debug!(url = %without_query(&self.url), at = self.position, "goes on");
                self.state = State::Receiving(response);
                Ok(Step::Asked)
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if resuming => {
                debug!(url = %without_query(&self.url), "the answer does not continue what came before");
                self.give_up_ranges()?;
                Ok(Step::Asked)
            }
            StatusCode::OK if resuming && headers.html().is_none() => {
                self.give_up_ranges()?;
                self.begin(response, &headers)
            }
            StatusCode::OK => self.begin(response, &headers),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => Err(Fault::Missing),
            status => {
                self.retry_after = headers.retry_after();
                Err(Fault::Status { host: self.host.clone(), status: status.as_u16() })
            }
        }
    }

    /// From now on everything is asked for, if that makes sense for the part that is wanted.
    fn give_up_ranges(&mut self) -> Result<(), Fault> {
        self.resumable = false;
        match self.end {
            Some(_) if !self.foreign => Err(Fault::Changed { host: self.host.clone() }),
            Some(_) if self.position > MOST_PASSED_OVER => Err(Fault::NoRanges { host: self.host.clone() }),
            _ => Ok(()),
        }
    }

    fn is_continued_by(&mut self, headers: &Headers) -> bool {
        let Some(range) = headers.range else { return false };
        let part = Identity::of_part(headers.etag.as_deref(), headers.last_modified.as_deref(), &range);
        if self.foreign {
            // The first part from here says itself what it is a part of.
            let fits =
                range.first == self.position && Some(self.expected.size) == part.total.map(Size::Exactly);
            self.foreign = !fits;
            self.identity = part;
            return fits;
        }
        let continued = match fit(self.position, &self.identity, &range, &part) {
            Fit::Same => true,
            // Two halves of two objects do not get past a signed digest. What has none begins again.
            Fit::Unproven => matches!(self.expected.size, Size::Exactly(_)),
            Fit::Other => false,
        };
        self.joined += u32::from(continued);
        continued
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
        self.foreign = false;
        self.validator = headers.validator(&self.place);
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
        let chunk = match tokio::time::timeout(self.patience.left(), response.chunk()).await {
            Ok(came) => came.map_err(|error| self.fault(error))?,
            Err(_) => return Err(self.overdue()),
        };
        let waited = asked.elapsed();
        self.patience.spend(waited);
        let Some(bytes) = chunk else {
            return match self.end.or(self.identity.total) {
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
        if !self.patience.fast_enough(waited, count) {
            let pacing::Pacing { slow_floor: floor, slow_window: window, .. } = self.web.pacing;
            return Err(Fault::Slow { host: self.host.clone(), floor, window });
        }
        let pause = self.web.pause_for(count);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
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
    date: Option<String>,
    retry_after: Option<String>,
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
            date: text(header::DATE),
            retry_after: text(header::RETRY_AFTER),
        }
    }

    fn validator(&self, place: &str) -> Option<Validator> {
        Validator::of(place, self.etag.as_deref(), self.last_modified.as_deref(), self.date.as_deref())
    }

    fn retry_after(&self) -> Option<Duration> {
        wait_of(self.retry_after.as_deref()?, self.date.as_deref())
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
