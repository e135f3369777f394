//! A request as bytes and as a value.

use std::io::{self, Read};

/// The longest head of a request that is read, in bytes.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 64;

/// One request, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as they were sent.
    pub(super) target: String,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) authorization: Option<String>,
    /// How many bytes it took.
    pub(super) len: usize,
    /// Whether the connection may serve another request.
    pub(super) keep_alive: bool,
}

/// What can be asked of a file of some length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The bytes from the first to the last one, both inside of the file.
    Range {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// Nothing of what was asked for is there.
    Unsatisfiable,
}

/// Reads the next request. `buffer` keeps what arrived after it. `None` when the client closed before one began.
///
/// # Errors
/// When the connection breaks or what arrives is no request.
pub(super) fn read_request(mut stream: impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let malformed = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(buffer) {
            Ok(httparse::Status::Complete(len)) => {
                let request = from_head(&head, len);
                buffer.drain(..len);
                return Ok(Some(request));
            }
            Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => {}
            Ok(httparse::Status::Partial) => return Err(malformed("the head has no end".to_owned())),
            Err(error) => return Err(malformed(error.to_string())),
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 if buffer.is_empty() => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

fn from_head(head: &httparse::Request<'_, '_>, len: usize) -> Request {
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).trim().to_owned())
    };
    let said = |word: &str| header("connection").is_some_and(|value| value.eq_ignore_ascii_case(word));
    let method = head.method.unwrap_or_default().to_owned();
    // A body would be taken for the next request; nothing here asks for one.
    let has_body =
        header("content-length").is_some_and(|value| value != "0") || header("transfer-encoding").is_some();
    Request {
        target: head.path.unwrap_or_default().to_owned(),
        range: header("range"),
        if_range: header("if-range"),
        if_none_match: header("if-none-match"),
        authorization: header("authorization"),
        len,
        keep_alive: !has_body && if head.version == Some(1) { !said("close") } else { said("keep-alive") },
        method,
    }
}

/// What a `Range` header asks of `len` bytes. One range is served; a header with several, or of another unit, is as good
/// as none.
pub(super) fn part(range: Option<&str>, len: u64) -> Part {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Part::Whole;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last),
        (Ok(first), Err(_)) if last.is_empty() => (first, u64::MAX),
        (Err(_), Ok(0)) if first.is_empty() => return Part::Unsatisfiable,
        (Err(_), Ok(count)) if first.is_empty() => (len.saturating_sub(count), u64::MAX),
        _ => return Part::Whole,
    };
    match range {
        (first, _) if first >= len => Part::Unsatisfiable,
        (first, last) => Part::Range { first, last: last.min(len - 1) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_one_after_another_also_in_pieces() {
        let bytes = b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\nRANGE: bytes=1-\r\nIf-None-Match: \"e\"\r\n\r\n\
                      HEAD /c HTTP/1.1\r\nConnection: Close\r\n\r\n";
        let mut buffer = Vec::new();
        // Chaining makes the first read end in the middle of the head.
        let mut stream = bytes[..30].chain(&bytes[30..]);
        let first = read_request(&mut stream, &mut buffer).unwrap().unwrap();
        assert_eq!((first.method.as_str(), first.target.as_str()), ("GET", "/a?b=1"));
        assert_eq!(first.range.as_deref(), Some("bytes=1-"));
        assert_eq!(first.if_none_match.as_deref(), Some("\"e\""));
        assert!(first.keep_alive);
        assert_eq!(first.len, bytes.len() - b"HEAD /c HTTP/1.1\r\nConnection: Close\r\n\r\n".len());
        let second = read_request(&mut stream, &mut buffer).unwrap().unwrap();
        assert_eq!((second.method.as_str(), second.target.as_str()), ("HEAD", "/c"));
        assert!(!second.keep_alive);
        assert_eq!(read_request(&mut stream, &mut buffer).unwrap(), None);
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for bytes in [&b"GET /a HTTP/1.1\r\n"[..], b"\x00\x01\x02\r\n\r\n", &[b'A'; MAX_HEAD + 1]] {
            assert!(read_request(bytes, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn one_range_is_understood() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range { first: 0, last: 0 }),
            ("bytes=3-", Part::Range { first: 3, last: 9 }),
            ("bytes=3-5", Part::Range { first: 3, last: 5 }),
            ("bytes=3-500", Part::Range { first: 3, last: 9 }),
            ("bytes=-4", Part::Range { first: 6, last: 9 }),
            ("bytes=-400", Part::Range { first: 0, last: 9 }),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(part(Some(range), 10), expected, "{range}");
        }
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }
}
