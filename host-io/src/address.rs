//! Addresses that the standard's parser reads otherwise than they are written.
//!
//! The WHATWG's URL standard, which our library follows, takes what browsers took: `http:///x` is the host `x`, a backslash
//! is a slash, a line's end within is none, and `http://127.1` and `http://010.0.0.1` are two other addresses. A person who
//! wrote such a thing meant something else, so whoever reads what a person wrote asks here first.

use std::net::Ipv4Addr;

use thiserror::Error;

/// How an address would be read otherwise than it is written. No variant holds the address: it may have secrets in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misread {
    /// A tab or the end of a line would be left out, another control character be encoded.
    #[error("there is a control character in it")]
    Control,
    /// It would be a slash.
    #[error("there is a backslash in it, where addresses have slashes")]
    Backslash,
    /// The next name would be taken for the host.
    #[error("its host does not follow right behind two slashes, as in https://updates.example/")]
    Slashes,
    /// Parts that are missing would be filled up, or numbers with a zero in front be octal ones.
    #[error("its host looks like a number and is no address of four parts, as 192.0.2.1 is")]
    Number,
}

/// Whether `text` is read as it is written. It says nothing of whether `text` is an address.
///
/// # Errors
/// [`Misread`].
pub fn read_as_written(text: &str) -> Result<(), Misread> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    let scheme = scheme.to_ascii_lowercase();
    let is_web = matches!(scheme.as_str(), "http" | "https");
    if !is_web && scheme != "file" {
        return Ok(());
    }
    if text.contains(char::is_control) {
        return Err(Misread::Control);
    }
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    if place.contains('\\') {
        return Err(Misread::Backslash);
    }
    if !is_web {
        // `file:` is a directory of this host or refused by whoever reads it.
        return if place.starts_with('/') { Ok(()) } else { Err(Misread::Slashes) };
    }
    let behind =
        place.strip_prefix("//").filter(|behind| !behind.starts_with('/')).ok_or(Misread::Slashes)?;
    let authority = behind.split('/').next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_login, place)| place);
    let host = place.split(':').next().unwrap_or_default();
    if is_number(host) && host.parse::<Ipv4Addr>().is_err() { Err(Misread::Number) } else { Ok(()) }
}

/// Whether the standard takes a name for the number of a host.
fn is_number(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    !last.is_empty()
        && (last.chars().all(|c| c.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_otherwise_is_told_by_name() {
        for (text, why) in [
            ("http:///x", Misread::Slashes),
            ("https:////updates.example/metal", Misread::Slashes),
            ("HTTP:/updates.example/", Misread::Slashes),
            ("http:updates.example", Misread::Slashes),
            ("file:srv/updates", Misread::Slashes),
            ("http:\\\\updates.example\\", Misread::Backslash),
            ("http://updates.example\\@other.example/", Misread::Backslash),
            ("file:///srv\\updates", Misread::Backslash),
            ("http://updates\n.example/", Misread::Control),
            ("file:///srv/\tupdates", Misread::Control),
            ("http://127.1/", Misread::Number),
            ("http://me:s3cret@010.0.0.1:80/", Misread::Number),
            ("http://2130706433", Misread::Number),
            ("http://a.0x7f/", Misread::Number),
        ] {
            assert_eq!(read_as_written(text), Err(why), "{text}");
        }
    }

    #[test]
    fn what_is_read_as_it_is_written_may_be_an_address_or_none() {
        for text in [
            "https://updates.example/metal//x/?path=a\\b",
            "http://me:pass@127.0.0.1:80/",
            "http://[::1]:8080/",
            "https://10.example/",
            "https://",
            "file:///srv/my updates",
            "file:/srv",
            "s3:///x",
            "/srv/updates",
            "updates.example:80",
            "",
        ] {
            assert_eq!(read_as_written(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (Misread::Control, "there is a control character in it"),
            (Misread::Backslash, "there is a backslash in it, where addresses have slashes"),
            (
                Misread::Slashes,
                "its host does not follow right behind two slashes, as in https://updates.example/",
            ),
            (
                Misread::Number,
                "its host looks like a number and is no address of four parts, as 192.0.2.1 is",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
