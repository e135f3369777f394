//! Settings that lie elsewhere: the only part of the program that may leave the machine, and only when a person names an
//! address.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use host_io::address::read_as_written;
use host_io::redacted::redacted;
use reqwest::Url;

use crate::api::root_cause;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// More than this is no settings.
const LIMIT: usize = 4 << 20;

/// A place that settings are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What the caller pipes in.
    Stdin,
    /// A file of this machine.
    File(PathBuf),
    /// A file of a web server.
    Web(Url),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        read_as_written(text).map_err(|reason| reason.to_string())?;
        let url = Url::parse(text).map_err(|error| match text.starts_with('/') {
            true => format!("it is a path; a file of this host is named file://{text}"),
            false => format!("it is no address ({error}); a file is named file:///PATH"),
        })?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Web(url)),
            "file" => url.to_file_path().map(Self::File).map_err(|()| "it names no file of this host".into()),
            other => Err(format!("nothing is read by {other}; there are https, http and file")),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => write!(f, "{}", path.display()),
            // Passwords and signatures stay out of logs.
            Self::Web(url) => f.write_str(&redacted(url.as_str())),
        }
    }
}

/// The text at `url`.
///
/// # Errors
/// With a sentence when it cannot be had.
pub async fn fetch(url: &Url) -> Result<String, String> {
    // The library looks names up on a thread, and panics where there is none.
    let has_threads = std::thread::Builder::new().spawn(|| ());
    has_threads.map_err(|error| format!("no thread can be started to look its host up: {error}"))?;
    let client = client().map_err(|error| root_cause(&error))?;
    let response = client.get(url.clone()).send().await.map_err(|error| root_cause(&error))?;
    // Not "Status": that word is the API's.
    if !response.status().is_success() {
        return Err(format!("the web server answered {}", response.status()));
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| root_cause(&error))?);
        if body.len() > LIMIT {
            return Err(format!("it is larger than {} MiB", LIMIT >> 20));
        }
    }
    String::from_utf8(body).map_err(|error| error.to_string())
}

/// A client with the certificates of this host, which are read only here: the API needs none.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    let mut roots = rustls::RootCertStore::empty();
    let _what_cannot_be_read_vouches_for_nobody =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_stdin() {
        assert_eq!("-".parse(), Ok(Source::Stdin));
        assert_eq!("file:///etc/a%20b".parse(), Ok(Source::File("/etc/a b".into())));
        assert!(matches!("https://a.example/x".parse(), Ok(Source::Web(_))));
        for wrong in
            ["/etc/settings.toml", "settings.toml", "ftp://a.example/x", "file://other/x", "http:///x", ""]
        {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
        assert!("x.toml".parse::<Source>().unwrap_err().contains("file:///PATH"));
    }

    #[test]
    fn a_password_is_not_told() {
        let source: Source = "https://me:secret@a.example/x?sig=secret".parse().unwrap();
        assert_eq!(source.to_string(), "https://…@a.example/x?…");
    }
}
