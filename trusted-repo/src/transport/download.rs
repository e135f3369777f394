//! One object over HTTP, resumed or begun again until it is whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use reqwest::{StatusCode, header};
use tokio::time::Instant;
use tracing::{debug, info};
use url::Url;

use super::answer::{Answer, Broken};
use super::classify::classify;
use super::fault::Fault;
use super::head::Head;
use super::hops;
use super::pacing::{Pacing, Patience, jitter};
use super::range::MOST_PASSED_OVER;
use super::validator::Validator;
use super::web::Web;
use super::worn::Worn;
use crate::place::address::{Address, without_secrets};

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
    /// It is signed, and so is its digest: whatever is put together is judged as a whole.
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
    /// All of it in one piece: it is never put together from parts, and begins again where it breaks off. For a place
    /// whose parts did not fit together.
    OnePiece,
    /// All of it, unless it is still the one with this validator.
    Changed(Validator),
    /// Its beginning up to this byte, and no range of it: for a place whose ranges are not what they say.
    UpTo(u64),
    /// From this byte on. The object's length is signed, and so are the bytes that are put together. A server that knows
    /// no ranges begins at the first byte.
    From(u64),
    /// From one byte up to another one, which is not wanted any more; the first is before the second, and what is put
    /// together is signed.
    Range(u64, u64),
}

impl Web {
    /// Starts nothing yet: the first request goes out with the first call of [`Download::next`]. A name that cannot be
    /// one below `base` is missing there.
    pub(crate) fn download(
        self: &Arc<Self>,
        base: &Address,
        name: &str,
        expected: Expected,
        part: Part,
    ) -> Result<Download, Fault> {
        let query = self.query.lock().expect("no panic while held");
        let url = base.below(name, query.iter()).ok_or(Fault::Missing)?;
        let (position, end) = match part {
            Part::Range(first, end) => (first, Some(end)),
            Part::UpTo(end) => (0, Some(end)),
            Part::From(first) => (first, None),
            Part::Whole | Part::OnePiece | Part::Changed(_) => (0, None),
        };
        let signed = expected.size.signed();
        let most = end.map_or(expected.size.limit(), |end| end - position);
        let worn = self.worn_out.take(&url, end);
        Ok(Download {
            host: hops::host_of(&url),
            base: base.clone(),
            patience: Patience::new(self.pacing, most).after(worn.failures),
            web: Arc::clone(self),
            url,
            in_parts: signed.is_some() && !matches!(part, Part::OnePiece | Part::UpTo(_)),
            expected,
            condition: if let Part::Changed(validator) = part { Some(validator) } else { None },
            position,
            skip: 0,
            end,
            needed: end.or(signed),
            declared: None,
            furthest: position.max(worn.furthest),
            begun: false,
            joined: 0,
            restarts: worn.restarts,
            retry_after: None,
            validator: None,
            unchanged: false,
            is_whole: false,
            state: State::Idle,
        })
    }
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
    Receiving(Box<Answer>),
    Ended,
}

/// An object on its way.
#[derive(Debug)]
pub(crate) struct Download {
    web: Arc<Web>,
    url: Url,
    /// Who is to blame for what comes next: where the last request went, behind redirects.
    host: String,
    /// The place that it lies below.
    base: Address,
    expected: Expected,
    patience: Patience,
    condition: Option<Validator>,
    /// How much has come, counted from the object's first byte.
    position: u64,
    /// How much of what comes next came before already.
    skip: u64,
    /// Where the part that is wanted ends, if that is not the object's end.
    end: Option<u64>,
    /// Where to stop, as far as it is known beforehand.
    needed: Option<u64>,
    /// How long the answer under way says that the object is.
    declared: Option<u64>,
    furthest: u64,
    /// Whether parts may be asked for.
    in_parts: bool,
    /// Whether anything has come from here.
    begun: bool,
    /// How often a part was put to what came before.
    joined: u32,
    /// How often it began again from nothing.
    restarts: u32,
    retry_after: Option<Duration>,
    validator: Option<Validator>,
    unchanged: bool,
    is_whole: bool,
    state: State,
}

impl Drop for Download {
    fn drop(&mut self) {
        if let State::Receiving(answer) = &mut self.state
            && self.in_parts
            && self.needed.is_some_and(|needed| self.position >= needed)
        {
            answer.is_enough();
        }
        if !self.is_whole && self.needed.is_none_or(|needed| self.position < needed) {
            let (failures, restarts, furthest) = (self.patience.failures(), self.restarts, self.furthest);
            self.web.worn_out.note(&self.url, self.end, Worn { failures, restarts, furthest });
        }
    }
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
                Ok(Step::Ended) => (self.state, self.is_whole) = (State::Ended, true),
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
        let passing = fault.is_passing();
        let pause = passing.then(|| self.patience.after_failure(jitter(), self.retry_after.take())).flatten();
        let Some(pause) = pause else {
            self.state = State::Ended;
            let first = hops::host_of(&self.url);
            return Err(match fault {
                Fault::Reset { host, .. } if self.restarts > 0 => {
                    Fault::NoResume { host, received: self.furthest }
                }
                fault if (fault.is_of_the_way() || fault.is_missing()) && self.host != first => {
                    Fault::Behind { host: first, to: self.host.clone(), source: Box::new(fault) }
                }
                fault => fault,
            });
        };
        let (url, pause_ms) = (without_secrets(&self.url), pause.as_millis());
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
        let missing = self.needed.map(|needed| needed.saturating_sub(self.position));
        if missing == Some(0) && self.position > 0 {
            // It broke off behind its last byte.
            return Ok(Step::Ended);
        }
        self.web.account.room_for(missing.unwrap_or_default())?;
        let in_part = self.in_parts && (self.position > 0 || self.end.is_some());
        let condition = self.condition.as_ref().filter(|_| self.position == 0);
        let mut headers = header::HeaderMap::new();
        let mut add = |name, value: &str| {
            // What a server said once can be said back to it, unless it was no text.
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        };
        // Nobody here decodes anything, and an encoded object has neither the signed length nor the signed digest.
        add(header::ACCEPT_ENCODING, "identity");
        if in_part {
            let last = self.end.map(|end| (end - 1).to_string()).unwrap_or_default();
            add(header::RANGE, &format!("bytes={}-{last}", self.position));
        }
        if let Some(etag) = condition.and_then(|known| known.etag.as_deref()) {
            add(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = condition.and_then(|known| known.last_modified.as_deref()) {
            add(header::IF_MODIFIED_SINCE, modified);
        }
        let conditional = condition.is_some();
        let asked = Instant::now();
        let sent = hops::send(&self.web, &self.base, &self.url, &headers, &mut self.host, self.position);
        let answered = tokio::time::timeout(self.patience.left(), sent).await;
        self.patience.spend(asked.elapsed());
        let answer = answered.map_err(|_| self.overdue())??;
        let head = Head::of(&answer);
        match answer.status() {
            StatusCode::NOT_MODIFIED if conditional => {
                self.unchanged = true;
                Ok(Step::Ended)
            }
            StatusCode::PARTIAL_CONTENT if in_part && self.continues(&head) => {
                debug!(url = %without_secrets(&self.url), at = self.position, "goes on");
                self.state = State::Receiving(Box::new(answer));
                Ok(Step::Asked)
            }
            StatusCode::PARTIAL_CONTENT if in_part => {
                debug!(url = %without_secrets(&self.url), range = ?head.range, "the answer does not continue what came before");
                answer.discard().await?;
                self.in_one_piece(&head)
            }
            StatusCode::RANGE_NOT_SATISFIABLE if in_part => {
                answer.discard().await?;
                self.in_one_piece(&head)
            }
            StatusCode::OK if in_part && head.page().is_none() && head.encoding.is_none() => {
                self.in_one_piece(&head)?;
                self.begin(answer, &head).await
            }
            StatusCode::OK => self.begin(answer, &head).await,
            // All of it, from a cache that knows objects by their parts only.
            StatusCode::PARTIAL_CONTENT if !in_part && head.range.is_some_and(|range| range.is_whole()) => {
                self.begin(answer, &head).await
            }
            status => {
                let host = answer.speaker(&self.host);
                answer.discard().await?;
                Err(match status {
                    StatusCode::NOT_FOUND | StatusCode::GONE => Fault::Missing,
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        Fault::Denied { host, status: status.as_u16() }
                    }
                    _ => {
                        self.retry_after = head.retry_after();
                        Fault::Status { host, status: status.as_u16() }
                    }
                })
            }
        }
    }

    /// From now on everything is asked for, if that makes sense for the part that is wanted.
    fn in_one_piece(&mut self, head: &Head) -> Result<Step, Fault> {
        self.in_parts = false;
        let signed = self.expected.size.limit();
        match head.range.and_then(|range| range.total).or(head.unsatisfied) {
            // All of it would be as long as that.
            Some(offered) if offered != signed => Err(Fault::Length { offered, signed }),
            _ if self.end.is_some() && self.position > MOST_PASSED_OVER => {
                Err(Fault::NoRanges { host: self.host.clone() })
            }
            _ => Ok(Step::Asked),
        }
    }

    /// Whether an answer is the part that was asked for.
    fn continues(&mut self, head: &Head) -> bool {
        let length = self.expected.size.limit();
        let before = head.range.and_then(|range| range.before(self.position, length));
        let Some(before) = before.filter(|_| head.encoding.is_none()) else { return false };
        (self.skip, self.declared) = (before, None);
        self.joined += u32::from(self.begun);
        true
    }

    /// Takes an answer with the whole object.
    async fn begin(&mut self, answer: Answer, head: &Head) -> Result<Step, Fault> {
        if let Err(fault) = self.acceptable(&answer, head) {
            answer.discard().await?;
            return Err(fault);
        }
        (self.skip, self.declared) = (0, head.length);
        self.validator = head.validator(&self.base.to_string());
        self.state = State::Receiving(Box::new(answer));
        if std::mem::take(&mut self.position) == 0 {
            return Ok(Step::Asked);
        }
        Ok(Step::Piece(Piece::Again))
    }

    /// Whether an answer may be the whole object.
    fn acceptable(&mut self, answer: &Answer, head: &Head) -> Result<(), Fault> {
        let host = || self.host.clone();
        if let Some(found) = head.page() {
            return Err(Fault::Html {
                expected: self.expected.what.clone(),
                found,
                url: without_secrets(answer.url()).into(),
            });
        }
        if let Some(encoding) = &head.encoding {
            return Err(Fault::Encoded { host: host(), encoding: encoding.clone() });
        }
        match (self.expected.size, head.length) {
            (Size::Exactly(signed), Some(offered)) if offered != signed => {
                return Err(Fault::Length { offered, signed });
            }
            (Size::AtMost(limit), Some(offered)) if offered > limit => return Err(Fault::TooLong { limit }),
            _ => {}
        }
        if self.begun && self.position > 0 {
            // What begins again and again costs the whole way each time, however far it comes.
            self.restarts += 1;
            if self.restarts >= self.web.pacing.attempts {
                return Err(Fault::NoResume { host: host(), received: self.furthest });
            }
        }
        self.web.account.room_for(self.needed.or(head.length).unwrap_or_default())
    }

    async fn receive(&mut self) -> Result<Step, Fault> {
        let State::Receiving(answer) = &mut self.state else {
            return Ok(Step::Asked);
        };
        let asked = Instant::now();
        let piece = match tokio::time::timeout(self.patience.left(), answer.piece()).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(Broken::Off(error))) => return Err(self.fault(error)),
            Ok(Err(Broken::Budget(fault))) => return Err(fault),
            Err(_) => return Err(self.overdue()),
        };
        let waited = asked.elapsed();
        self.patience.spend(waited);
        let Some(mut bytes) = piece else {
            return match self.needed.or(self.declared) {
                // It came to an end of its own accord, and had begun at the first byte: there is no more of it.
                Some(_) if self.restarts > 0 && !self.in_parts => Ok(Step::Ended),
                // A range may end before the object does; the rest is asked for like after a failure.
                Some(total) if self.position < total => {
                    Err(Fault::Reset { host: self.host.clone(), received: self.position })
                }
                _ => Ok(Step::Ended),
            };
        };
        let count = bytes.len() as u64;
        let known = self.skip.min(count);
        self.skip -= known;
        bytes.advance(usize::try_from(known).unwrap_or(bytes.len()));
        self.begun = true;
        self.position += count - known;
        if self.position > self.expected.size.limit() {
            return Err(match self.expected.size {
                Size::Exactly(signed) => Fault::Length { offered: self.position, signed },
                Size::AtMost(limit) => Fault::TooLong { limit },
            });
        }
        let new = self.position.saturating_sub(self.furthest);
        self.furthest = self.furthest.max(self.position);
        // What had to begin again has used its patience up.
        self.patience.progress(if self.restarts == 0 { new } else { 0 });
        if !self.patience.fast_enough(waited, count) {
            let Pacing { slow_floor: floor, slow_window: window, .. } = self.web.pacing;
            return Err(Fault::Slow { host: self.host.clone(), floor, window });
        }
        let pause = self.web.pause_for(count);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if bytes.is_empty() { Ok(Step::Asked) } else { Ok(Step::Piece(Piece::Bytes(bytes))) }
    }

    fn fault(&self, error: reqwest::Error) -> Fault {
        // Once an answer has begun, whoever was on the way there has done its part.
        classify(error, self.host.clone(), self.position, &self.web.pacing, None)
    }
}

enum Step {
    /// The state has changed; look again.
    Asked,
    Piece(Piece),
    Ended,
}
