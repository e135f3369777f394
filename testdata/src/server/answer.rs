//! What a request gets, decided before anything is sent.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::habit::Habits;
use super::http::{Part, Request, part};

/// An answer, ready to be sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// What `Content-Length` says; `None` where there is no body by definition.
    len: Option<u64>,
    /// Whether the body is sent in chunks.
    pub(super) chunked: bool,
    pub(super) body: Box<dyn Read>,
}

/// What a fault asks of an answer's delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Nothing special.
    Plain,
    /// So many bytes of the body, then the connection ends.
    Cut {
        /// How many.
        after: u64,
        /// How it ends.
        end: End,
    },
    /// At this speed.
    Slow {
        /// Bytes per second.
        bytes_per_second: u64,
        /// Where there is more, the connection is reset after so many bytes.
        reset_after: Option<u64>,
    },
    /// Not at all, and the connection ends.
    Nothing(End),
}

/// How a connection ends in the middle of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As if all had been said.
    Close,
    /// With a reset.
    Reset,
    /// Never, as far as the server is concerned.
    Stall,
}

/// A thing that can be served in parts.
struct Content {
    bytes: Box<dyn SeekRead>,
    len: u64,
    validator: String,
    kind: &'static str,
}

trait SeekRead: Read + Seek {}
impl<T: Read + Seek> SeekRead for T {}

impl Answer {
    /// The bytes that go before the body.
    pub(super) fn head(&self, keep_alive: bool) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        if let Some(len) = self.len {
            head.push_str(&format!("Content-Length: {len}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !keep_alive {
            head.push_str("Connection: close\r\n");
        }
        head + "\r\n"
    }

    fn text(status: u16, kind: &'static str, text: &str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", kind.to_owned())],
            len: Some(text.len() as u64),
            chunked: false,
            body: Box::new(Cursor::new(text.as_bytes().to_vec())),
        }
    }

    fn status(status: u16) -> Self {
        Self::text(status, "text/plain", &format!("{status} {}\n", reason(status)))
    }
}

/// What `request` gets from `dir` when `fault` strikes, and how.
///
/// # Errors
/// When a file that is there cannot be read.
pub(super) fn answer(
    dir: &Path,
    request: &Request,
    fault: Option<Fault>,
    habits: &Habits,
) -> io::Result<(Answer, Delivery)> {
    let delivery = match &fault {
        Some(Fault::Truncate(after)) => Delivery::Cut { after: *after, end: End::Close },
        Some(Fault::Hole(at)) => match part(request.range.as_deref(), u64::MAX) {
            Part::Whole => Delivery::Cut { after: *at, end: End::Close },
            Part::Range { first, last } if (first..=last).contains(at) => {
                Delivery::Cut { after: at - first, end: End::Close }
            }
            Part::Range { .. } | Part::Unsatisfiable => Delivery::Plain,
        },
        Some(Fault::ResetAfter(after)) => Delivery::Cut { after: *after, end: End::Reset },
        Some(Fault::Slow { bytes_per_second }) => {
            Delivery::Slow { bytes_per_second: (*bytes_per_second).max(1), reset_after: None }
        }
        Some(Fault::SlowReset { bytes_per_second, after }) => {
            Delivery::Slow { bytes_per_second: (*bytes_per_second).max(1), reset_after: Some(*after) }
        }
        Some(Fault::Reset) => Delivery::Nothing(End::Reset),
        Some(Fault::Stall) => Delivery::Nothing(End::Stall),
        _ => Delivery::Plain,
    };
    let mut answer = match fault {
        _ if !matches!(request.method.as_str(), "GET" | "HEAD") => Answer::status(405),
        Some(Fault::Status(status)) => Answer::status(status),
        Some(Fault::NotFound) => Answer::status(404),
        Some(Fault::Redirect(base)) => {
            let mut answer = Answer::status(302);
            answer.headers.push(("Location", format!("{}{}", base, request.target.trim_start_matches('/'))));
            answer
        }
        Some(Fault::Html) => {
            let page = "<!DOCTYPE html>\n<html><body><h1>Sign in to this network</h1></body></html>\n";
            Answer::text(200, "text/html; charset=utf-8", page)
        }
        Some(Fault::Swap(bytes)) => serve(swapped(bytes, request), request, false, habits)?,
        fault => match find(dir, &request.target)? {
            Some(content) => serve(content, request, fault == Some(Fault::WrongRange), habits)?,
            None => Answer::status(404),
        },
    };
    if request.method == "HEAD" {
        answer.body = Box::new(io::empty());
    }
    if habits.chunked() && answer.len.take().is_some() {
        answer.headers.push(("Transfer-Encoding", "chunked".to_owned()));
        answer.chunked = true;
    }
    Ok((answer, delivery))
}

/// `content`, or the part of it that the request asks for, or that the client has it already.
fn serve(mut content: Content, request: &Request, wrong_range: bool, habits: &Habits) -> io::Result<Answer> {
    let Content { len, kind, .. } = content;
    let validator = habits.validator(&content.validator);
    let mut headers: Vec<_> = validator.iter().map(|validator| ("ETag", validator.clone())).collect();
    if habits.ranges() {
        headers.push(("Accept-Ranges", "bytes".to_owned()));
    }
    let same = |known: &str| known.trim() == "*" || Some(known.trim()) == validator.as_deref();
    let known = |list: &str| list.split(',').any(same);
    if request.if_none_match.as_deref().is_some_and(known) {
        return Ok(Answer { status: 304, headers, len: None, chunked: false, body: Box::new(io::empty()) });
    }
    headers.push(("Content-Type", kind.to_owned()));
    headers.extend(habits.encoding().map(|encoding| ("Content-Encoding", encoding.to_owned())));
    let part_of_same = habits.ranges() && request.if_range.as_deref().is_none_or(same);
    match part(request.range.as_deref().filter(|_| part_of_same), len) {
        // No more than announced, should the file grow meanwhile.
        Part::Whole => {
            let body = Box::new(content.bytes.take(len));
            Ok(Answer { status: 200, headers, len: Some(len), chunked: false, body })
        }
        Part::Range { first, last } => {
            let (first, last) = if wrong_range { another(first, last, len) } else { (first, last) };
            let first = first.saturating_sub(habits.early());
            let count = last - first + 1;
            headers.push(("Content-Range", format!("bytes {first}-{last}/{}", habits.total(len))));
            content.bytes.seek(SeekFrom::Start(first))?;
            let body = Box::new(content.bytes.take(count));
            Ok(Answer { status: 206, headers, len: Some(count), chunked: false, body })
        }
        Part::Unsatisfiable => {
            let mut answer = Answer::status(416);
            answer.headers.push(("Content-Range", format!("bytes */{len}")));
            Ok(answer)
        }
    }
}

/// Another range than the one from `first` to `last`, of the same length where there is one.
fn another(first: u64, last: u64, len: u64) -> (u64, u64) {
    if first > 0 { (0, last - first) } else { (1.min(len - 1), (last + 1).min(len - 1)) }
}

/// The file that a target names; `None` when there is none, or it would lie outside of `dir`.
fn find(dir: &Path, target: &str) -> io::Result<Option<Content>> {
    let Some(path) = below(dir, target) else { return Ok(None) };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Ok(Some(Content {
        len: metadata.len(),
        validator: format!("\"{}-{}-{seconds}.{nanoseconds}\"", metadata.ino(), metadata.len()),
        kind: kind(target),
        bytes: Box::new(file),
    }))
}

fn swapped(bytes: Vec<u8>, request: &Request) -> Content {
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    Content {
        len: bytes.len() as u64,
        validator: format!("\"{}\"", hex::encode(&digest.as_ref()[..8])),
        kind: kind(&request.target),
        bytes: Box::new(Cursor::new(bytes)),
    }
}

fn below(dir: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|segment| !segment.is_empty()).try_fold(dir.to_owned(), |path, segment| {
        let name = decoded(segment)?;
        let leaves = matches!(name.as_str(), "." | "..") || name.contains(['/', '\0']);
        (!leaves).then(|| path.join(name))
    })
}

/// A segment of a path without its percent-encoding.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (pair, after) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(pair).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn kind(target: &str) -> &'static str {
    let path = target.split('?').next().unwrap_or_default();
    if path.ends_with(".json") { "application/json" } else { "application/octet-stream" }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Asked For",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stays_below_the_directory() {
        let below = |target| below(Path::new("/srv"), target);
        assert_eq!(below("/a/b.json?x=/../y"), Some(PathBuf::from("/srv/a/b.json")));
        assert_eq!(below("/a%2Bb"), Some(PathBuf::from("/srv/a+b")));
        for target in ["/../etc", "/a/../../b", "/%2e%2e/b", "/a%2fb", "/a%00", "/a%", "/a%zz", "/."] {
            assert_eq!(below(target), None, "{target}");
        }
    }
}
