//! What can go wrong on the way, told apart as far as a person can act on it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::place::proxy::BadVariable;

/// Why bytes did not come, or were not the ones that were asked for.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The name of the host has no address.
    #[error("the address of {host} cannot be found ({reason})")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens there.
    #[error("{host} refuses the connection")]
    Refused {
        /// Host and port.
        host: String,
    },
    /// The network has no way there.
    #[error("there is no route to {host}")]
    NoRoute {
        /// Host and port.
        host: String,
    },
    /// No connection came about in time.
    #[error("no connection to {host} within {patience:?}")]
    NoConnection {
        /// Host and port.
        host: String,
        /// How long was waited.
        patience: Duration,
    },
    /// TLS could not be agreed on, or the certificate is not trusted.
    #[error("no trusted TLS connection to {host} ({reason})")]
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library said.
        reason: String,
    },
    /// The connection broke off.
    #[error("the connection to {host} broke off after {received} bytes")]
    Reset {
        /// Host and port.
        host: String,
        /// Bytes of this object that had come until then.
        received: u64,
    },
    /// The connection stands, but nothing comes.
    #[error("{host} sent nothing for {patience:?}")]
    Stalled {
        /// Host and port.
        host: String,
        /// How long was waited.
        patience: Duration,
    },
    /// Something comes, but too little to ever end.
    #[error("{host} sends less than {floor} bytes in {window:?}")]
    Slow {
        /// Host and port.
        host: String,
        /// The least number of bytes.
        floor: u64,
        /// In this time.
        window: Duration,
    },
    /// Something comes, but the whole of it took too long.
    #[error("{host} sent {received} bytes in {deadline:?}, which is all the time that this object has")]
    Overdue {
        /// Host and port.
        host: String,
        /// Bytes that had come until then.
        received: u64,
        /// The time that an object of its size has.
        deadline: Duration,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} opens no way to {host} ({reason})")]
    Proxy {
        /// The proxy's address.
        proxy: Box<str>,
        /// Host and port behind the proxy.
        host: String,
        /// Whether that may pass.
        passing: bool,
        /// What came of it.
        reason: Box<str>,
    },
    /// The environment names a proxy that cannot be used.
    #[error(transparent)]
    Environment(#[from] BadVariable),
    /// A value that TLS needs cannot be used.
    #[error("the {what} cannot be used ({reason})")]
    Credentials {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An answer that is no answer to the question.
    #[error("{host} answered with status {status}")]
    Status {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server does not let us have it.
    #[error("{host} denies access (status {status})")]
    Denied {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// Where a redirect led, nobody is to be reached, or does not have it.
    #[error("{host} sends on to {to}: {source}")]
    Behind {
        /// Host and port of whoever was asked first.
        host: String,
        /// Host and port of whoever was asked in the end.
        to: String,
        /// What came of it.
        source: Box<Fault>,
    },
    /// A redirect that leads nowhere.
    #[error("{host} redirects {reason}")]
    Redirect {
        /// Host and port of whoever redirects.
        host: String,
        /// Where to.
        reason: String,
    },
    /// The server does not have it.
    #[error("it is not there")]
    Missing,
    /// A directory of this host does not have it.
    #[error("it is not there")]
    NoFile {
        /// The directory.
        dir: PathBuf,
    },
    /// The body is not the object, but something that the object can be decoded from.
    #[error("{host} sends it with the content encoding {encoding:?}, which nobody asked for")]
    Encoded {
        /// Host and port.
        host: String,
        /// The encoding.
        encoding: String,
    },
    /// A page for people instead of the object.
    #[error("expected {expected}, got {found} from {url}")]
    Html {
        /// What was asked for, for people.
        expected: String,
        /// The type that was declared.
        found: String,
        /// Where it came from, after redirects.
        url: String,
    },
    /// Only whole objects can be had there, and the part that is wanted lies far from the beginning.
    #[error("{host} hands out whole objects only, and no parts of them")]
    NoRanges {
        /// Host and port.
        host: String,
    },
    /// The link breaks, and what has come cannot be continued.
    #[error(
        "{host} began it anew each time that the connection broke, and came no further than {received} bytes"
    )]
    NoResume {
        /// Host and port.
        host: String,
        /// How far it came at most.
        received: u64,
    },
    /// More would come than may.
    #[error("the data budget of {budget} bytes does not suffice: {needed} are needed")]
    OverBudget {
        /// What may come.
        budget: u64,
        /// What has come, and what is known to be missing.
        needed: u64,
    },
    /// The object there has another length than the signed one.
    #[error("it is {offered} bytes long, and {signed} are signed")]
    Length {
        /// What the server declares.
        offered: u64,
        /// What the metadata says.
        signed: u64,
    },
    /// The object is longer than anything of its kind may be.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// A local file cannot be read.
    #[error("{path} cannot be read")]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The system has no thread for the network.
    #[error("no thread can be started to wait for the network")]
    NoThread(#[source] Arc<io::Error>),
    /// Anything else, in the library's words.
    #[error("the request failed")]
    Other(#[source] Arc<reqwest::Error>),
}

impl Fault {
    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Refused { .. }
            | Self::NoRoute { .. }
            | Self::NoConnection { .. }
            | Self::Reset { .. }
            | Self::Stalled { .. } => true,
            Self::Proxy { passing, .. } => *passing,
            Self::Status { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            Self::Tls { .. }
            | Self::Slow { .. }
            | Self::Overdue { .. }
            | Self::Credentials { .. }
            | Self::Environment(_)
            | Self::Denied { .. }
            | Self::Behind { .. }
            | Self::Redirect { .. }
            | Self::Missing
            | Self::NoFile { .. }
            | Self::Html { .. }
            | Self::Encoded { .. }
            | Self::NoResume { .. }
            | Self::OverBudget { .. }
            | Self::NoRanges { .. }
            | Self::Length { .. }
            | Self::TooLong { .. }
            | Self::Local { .. }
            | Self::NoThread(_)
            | Self::Other(_) => false,
        }
    }
}

impl Fault {
    /// Whether whoever was asked in the end does not have it.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing | Self::NoFile { .. } => true,
            Self::Behind { source, .. } => source.is_missing(),
            _ => false,
        }
    }

    /// Whether nobody was reached at all.
    pub(super) fn is_of_the_way(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. }
                | Self::Refused { .. }
                | Self::NoRoute { .. }
                | Self::NoConnection { .. }
                | Self::Tls { .. }
        )
    }
}

/// What is wrong with TLS, if that is what is wrong.
pub(super) fn tls(error: &(dyn StdError + 'static)) -> Option<String> {
    Some(match find::<rustls::Error>(error)? {
        // The library prints a verifier's own error as a programmer would.
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(ours)) => ours.0.to_string(),
        // "received corrupt message of type InvalidContentType"
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            "what answers there speaks no TLS".to_owned()
        }
        theirs => theirs.to_string(),
    })
}

/// The first error of type `E` in the chain; `io::Error` hides what it wraps from `source`, so it is opened as well.
pub(super) fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(layer) = next {
        if let Some(found) = layer.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(inner) = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<E>(inner)
        {
            return Some(found);
        }
        next = layer.source();
    }
    None
}

pub(super) fn innermost(error: &dyn StdError) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(layer) = next {
        said = layer.to_string();
        next = layer.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Fault::Dns { host: "cdn.example".into(), reason: "it is torn".into() },
                "the address of cdn.example cannot be found (it is torn)",
            ),
            (Fault::NoRoute { host: "cdn.example".into() }, "there is no route to cdn.example"),
            (
                Fault::NoConnection { host: "cdn.example".into(), patience: Duration::from_secs(30) },
                "no connection to cdn.example within 30s",
            ),
            (
                Fault::Overdue {
                    host: "cdn.example".into(),
                    received: 4096,
                    deadline: Duration::from_secs(30),
                },
                "cdn.example sent 4096 bytes in 30s, which is all the time that this object has",
            ),
            (
                Fault::Other(Arc::new(reqwest::Proxy::all("http://[").expect_err("no address"))),
                "the request failed",
            ),
            (
                Fault::NoThread(Arc::new(io::Error::other("there are too many"))),
                "no thread can be started to wait for the network",
            ),
            (Fault::Missing, "it is not there"),
            (
                Fault::Encoded { host: "cdn.example".into(), encoding: "gzip".into() },
                "cdn.example sends it with the content encoding \"gzip\", which nobody asked for",
            ),
            (
                Fault::NoRanges { host: "cdn.example".into() },
                "cdn.example hands out whole objects only, and no parts of them",
            ),
            (
                Fault::NoResume { host: "cdn.example".into(), received: 4096 },
                "cdn.example began it anew each time that the connection broke, and came no further than 4096 bytes",
            ),
            (Fault::TooLong { limit: 100 }, "it is longer than 100 bytes"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
