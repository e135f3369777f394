//! What a text means: addresses, versions, sizes, times.

use std::fmt;
use std::net::IpAddr;

use api_model::schedule::{self, Window};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use host_io::address::read_as_written;
use semver::Version;
use serde::Deserialize;
use url::Url;

use crate::proxy::{is_exception, is_proxy};

/// What a text must be, beyond a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// An address with a scheme.
    Url,
    /// A semantic version, with or without a `v`.
    Version,
    /// The same, or `latest`.
    VersionOrLatest,
    /// A host's name or its IP address.
    Host,
    /// A proxy: an address, or `HOST:PORT`.
    Proxy,
    /// What is reached without a proxy: a name, an address, a network, or all.
    ProxyException,
    /// A number of bytes, such as `512KiB` or `10MB`.
    Bytes,
    /// A length of time, such as `90s` or `1h30min`.
    Duration,
    /// A moment with its zone.
    Time,
    /// The hours of a week in which updates may start.
    Window,
    /// Bytes in the alphabet of base64.
    Base64,
}

impl Format {
    /// Whether `text` is one.
    #[must_use]
    pub fn takes(self, text: &str) -> bool {
        match self {
            Self::Url => is_url(text),
            Self::Version => Version::parse(text.strip_prefix('v').unwrap_or(text)).is_ok(),
            Self::VersionOrLatest => text == "latest" || Self::Version.takes(text),
            Self::Host => is_host(text),
            Self::Proxy => is_proxy(text),
            Self::ProxyException => is_exception(text),
            Self::Bytes => bytes(text).is_some(),
            Self::Duration => seconds(text).is_some(),
            Self::Time => schedule::parse_hold(text).is_ok(),
            Self::Window => Window::parse(text).is_ok(),
            Self::Base64 => base64(text).is_some(),
        }
    }
}

/// What it takes, to be read after "it takes".
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "an address such as https://updates.example/targets/, or file:///media/usb/targets/ for a directory of this host",
            Self::Version => "a version such as 1.2.3",
            Self::VersionOrLatest => "\"latest\" or a version such as 1.2.3",
            Self::Host => "the name or the address of a host",
            Self::Proxy => "a proxy such as proxy.example:3128, http:// or https://proxy.example:3128; no other kind is spoken to, SOCKS included",
            Self::ProxyException => "a name such as updates.example or .example, an address or a network such as 192.0.2.0/24, each but a network with or without a port, or * for all",
            Self::Bytes => "a number of bytes such as 512KiB or 10MB",
            Self::Duration => "a length of time such as 90s, 10min or 1h30min",
            Self::Time => "a time such as 2026-12-24T08:00:00Z",
            Self::Window => "a window such as \"Sat 02:00-05:00 Europe/Berlin\"",
            Self::Base64 => "a text in base64",
        })
    }
}

/// Programs read it by the same standard and say more. A host that is spelled with other letters than English ones, or in
/// the code for them, has to be one.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
            && read_as_written(text).is_ok()
            && Url::parse(text).is_ok()
    })
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label))
}

/// The number of bytes that a text such as `512KiB`, `10MB` or `4096` means.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The number of seconds that a text such as `90s`, `10min` or `1h30min` means.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, tail) = number_and_unit(rest)?;
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let factor = match tail[..end].trim() {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(factor)?)?;
        rest = &tail[end..];
    }
    (!text.is_empty()).then_some(sum)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The bytes that a text in base64 stands for; line breaks are passed over, what pads the end may be missing.
#[must_use]
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_format_takes_its_own_texts_and_no_others() {
        let cases: &[(Format, &[&str], &[&str])] = &[
            (
                Format::Url,
                &[
                    "https://a.example/x/",
                    "http://127.0.0.1:80",
                    "file:///srv/",
                    "https://bücher.example/",
                    "oci://a.example/x",
                ],
                &[
                    "",
                    "targets",
                    "https://",
                    "://a",
                    "https://a b/",
                    "h ttp://a",
                    "http:///x",
                    "http://127.1/",
                    "http://a:99999/",
                    "https://xn--zz--zz.example/",
                ],
            ),
            (Format::Version, &["1.2.3", "v1.2.3", "1.2.3-rc.1"], &["", "latest", "1.2", "vv1.2.3"]),
            (Format::VersionOrLatest, &["latest", "v1.2.3"], &["", "Latest", "1.2"]),
            (
                Format::Host,
                &["localhost", "0.pool.example", "a.example.", "192.0.2.1", "2001:db8::1"],
                &["", "a b", "-a", "a..b", "a\nserver b", "x;y"],
            ),
            (
                Format::Proxy,
                &[
                    "proxy.example:3128",
                    "http://proxy.example:3128",
                    "192.0.2.1:80",
                    "[2001:db8::1]:80",
                    "proxy",
                ],
                &[
                    "",
                    "proxy:0",
                    "proxy:99999",
                    "proxy:x",
                    "a b:1",
                    "http://",
                    "ftp://proxy:1",
                    "socks5://proxy:1",
                    "socks5h://me:secret@proxy:1",
                ],
            ),
            (
                Format::Bytes,
                &["0", "4096", "10MB", "512KiB", "1 GiB"],
                &["", "MB", "-1", "1.5MB", "10Mb", "99999999999TiB"],
            ),
            (Format::Duration, &["90s", "10min", "1h30min", "1d 2h", "0s"], &["", "90", "s", "1x", "-1s"]),
            (
                Format::Time,
                &["2026-12-24T08:00:00Z", "2026-12-24T08:00:00+01:00"],
                &["", "2026-12-24", "tomorrow"],
            ),
            (
                Format::Window,
                &["Sat 02:00-05:00 Europe/Berlin", "daily 22:00-02:00"],
                &["", "Sat", "Sat 1-2 Mars"],
            ),
            (Format::Base64, &["", "aGk=", "aGk", "aGkh\n"], &["a", "a===", "a-k=", "aGk=aGk="]),
        ];
        for (format, good, bad) in cases {
            for text in *good {
                assert!(format.takes(text), "{format}: {text:?}");
            }
            for text in *bad {
                assert!(!format.takes(text), "{format}: {text:?}");
            }
        }
    }

    #[test]
    fn sizes_and_lengths_of_time_are_numbers() {
        assert_eq!(bytes("512KiB"), Some(524_288));
        assert_eq!(bytes("10MB"), Some(10_000_000));
        assert_eq!(seconds("1h30min"), Some(5_400));
        assert_eq!(seconds("1w"), Some(604_800));
    }

    #[test]
    fn base64_gives_the_bytes_back() {
        assert_eq!(base64("aGVsbG8=").unwrap(), b"hello");
        assert_eq!(base64("AP8Q").unwrap(), [0, 255, 16]);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_format_panic(text in ".{0,40}") {
            let all = [
                Format::Url, Format::Version, Format::VersionOrLatest, Format::Host, Format::Proxy,
                Format::ProxyException, Format::Bytes, Format::Duration, Format::Time, Format::Window, Format::Base64,
            ];
            for format in all {
                let _ = format.takes(&text);
            }
        }
    }
}
