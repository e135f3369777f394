//! What is looked at in an answer's head.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};

use super::answer::Answer;
use super::pacing::wait_of;
use super::range::{ContentRange, of_bytes};
use super::validator::Validator;

/// What was done to the body, in the words of all lines that tell: none where it is the object itself.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let codings = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let done: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")).collect();
    (!done.is_empty()).then(|| done.join(", "))
}

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
        let range = text(header::CONTENT_RANGE);
        let range = range.as_deref();
        Self {
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
            unsatisfied: range.and_then(of_bytes).and_then(|range| range.strip_prefix("*/")?.parse().ok()),
            range: range.and_then(ContentRange::parse),
            length: answer.declared_length(),
            content_type: text(header::CONTENT_TYPE),
            encoding: encoding(answer.headers()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_told_by_all_lines_and_identity_is_none_however_it_is_written() {
        let told = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CONTENT_ENCODING, line.parse().expect("a value"));
            }
            encoding(&headers)
        };
        for plain in
            [&[][..], &[""], &["identity"], &["Identity"], &["identity, IDENTITY"], &["identity", " "]]
        {
            assert_eq!(told(plain), None, "{plain:?}");
        }
        assert_eq!(told(&["gzip"]).as_deref(), Some("gzip"));
        assert_eq!(told(&["identity", "gzip"]).as_deref(), Some("gzip"));
        assert_eq!(told(&["br, identity", "x-gzip"]).as_deref(), Some("br, x-gzip"));
    }
}
