//! What is looked at in an answer's head.

use std::time::Duration;

use reqwest::header::{self, HeaderName};

use super::answer::Answer;
use super::pacing::wait_of;
use super::range::ContentRange;
use super::validator::Validator;

/// The types of pages for people.
const PAGES: [&str; 2] = ["text/html", "application/xhtml+xml"];

/// An answer's head.
pub(super) struct Head {
    etag: Option<String>,
    last_modified: Option<String>,
    /// The part that it is.
    pub(super) range: Option<ContentRange>,
    /// How long the object is of which there is no such part.
    pub(super) unsatisfied: Option<u64>,
    /// The length of its body.
    pub(super) length: Option<u64>,
    content_type: Option<String>,
    /// How the body is encoded, where it is not the object itself.
    pub(super) encoding: Option<String>,
    date: Option<String>,
    retry_after: Option<String>,
}

impl Head {
    pub(super) fn of(answer: &Answer) -> Self {
        let text = |name: HeaderName| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        let plain = |encoding: &String| !matches!(encoding.trim(), "" | "identity");
        let range = text(header::CONTENT_RANGE);
        let range = range.as_deref();
        Self {
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
            unsatisfied: range.and_then(|range| range.strip_prefix("bytes */")?.parse().ok()),
            range: range.and_then(ContentRange::parse),
            length: answer.declared_length(),
            content_type: text(header::CONTENT_TYPE),
            encoding: text(header::CONTENT_ENCODING).filter(plain),
            date: text(header::DATE),
            retry_after: text(header::RETRY_AFTER),
        }
    }

    pub(super) fn validator(&self, place: &str) -> Option<Validator> {
        Validator::of(place, self.etag.as_deref(), self.last_modified.as_deref(), self.date.as_deref())
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        wait_of(self.retry_after.as_deref()?, self.date.as_deref())
    }

    /// The declared type if it is a page for people.
    pub(super) fn page(&self) -> Option<String> {
        let declared = self.content_type.as_deref()?.split(';').next()?.trim().to_ascii_lowercase();
        PAGES.contains(&declared.as_str()).then_some(declared)
    }
}
