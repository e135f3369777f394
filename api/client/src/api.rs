//! Requests to the server, over its socket and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;
use thiserror::Error;

use host_io::Advise;

/// How long one answer may take. The server starts long work and answers at once; this is for a machine that is very
/// busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a body is, where nothing else is said.
pub const JSON: &str = "application/json";
/// A body in which a null takes away (RFC 7396).
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// What stands for the server's code when there was no answer.
const UNREACHABLE: u16 = 503;

/// Why a request has no good answer. The word "Status" and the code after it are what other programs look for on stderr
/// (`docs/compatibility.md`, "Update operator"): nothing that we print before may have that word.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused.
    #[error("Status {code} when {method}ing {uri}: {message}")]
    Refused {
        /// Its code.
        code: u16,
        /// How it was asked.
        method: Method,
        /// What it was asked for.
        uri: String,
        /// Its sentence.
        message: String,
        /// Its advice.
        help: Option<String>,
    },
    /// There was no answer.
    #[error("Status {UNREACHABLE} when {method}ing {uri}: no answer from the server at {}: {reason}", .socket.display())]
    NoAnswer {
        /// How it was asked.
        method: Method,
        /// What it was asked for.
        uri: String,
        /// Where it should listen.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
    /// It answered something that we do not understand.
    #[error("Status {code} when {method}ing {uri}, but the answer makes no sense: {reason}")]
    Nonsense {
        /// Its code.
        code: u16,
        /// How it was asked.
        method: Method,
        /// What it was asked for.
        uri: String,
        /// Why not.
        reason: String,
    },
}

impl CallError {
    /// The same as a word for programs.
    #[must_use]
    pub fn code_word(&self) -> &'static str {
        match (self, self.code()) {
            (Self::NoAnswer { .. }, _) => "unreachable",
            (_, 400) => "bad_request",
            (_, 404) => "not_found",
            (_, 409) => "disallowed",
            (_, 423) => "locked",
            _ => "failed",
        }
    }

    /// The server's code, or what stands for it.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused { code, .. } | Self::Nonsense { code, .. } => *code,
            Self::NoAnswer { .. } => UNREACHABLE,
        }
    }
}

impl Advise for CallError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Refused { help, .. } => help.clone(),
            Self::NoAnswer { socket, .. } => Some(format!(
                "see whether the server runs and you may use {}: systemctl status apiserver",
                socket.display()
            )),
            Self::Nonsense { .. } => None,
        }
    }
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its code, one of 2xx.
    pub code: u16,
    /// Its body, as it came.
    pub body: String,
}

/// The server at a socket.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    socket: PathBuf,
}

impl Api {
    /// The server at `socket`. Nothing is sent yet.
    ///
    /// # Errors
    /// When there is no HTTP client to be had from this machine.
    pub fn at(socket: &Path) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .unix_socket(socket)
            // Neither proxies nor certificates of the host matter on a socket of its own.
            .no_proxy()
            .tls_backend_preconfigured(no_tls())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, socket: socket.to_owned() })
    }

    /// One request.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn send(&self, method: Method, uri: &str, body: Option<String>) -> Result<Answer, CallError> {
        self.send_as(JSON, method, uri, body).await
    }

    /// One request with a body of that kind.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn send_as(
        &self,
        kind: &'static str,
        method: Method,
        uri: &str,
        body: Option<String>,
    ) -> Result<Answer, CallError> {
        let no_answer = |error: reqwest::Error| CallError::NoAnswer {
            method: method.clone(),
            uri: uri.to_owned(),
            socket: self.socket.clone(),
            reason: root_cause(&error),
        };
        let url = format!("http://localhost{}{uri}", if uri.starts_with('/') { "" } else { "/" });
        let mut request =
            self.client.request(method.clone(), url).header(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(no_answer)?;
        let code = status.as_u16();
        if status.is_success() {
            return match String::from_utf8(bytes.into()) {
                Ok(body) => Ok(Answer { code, body }),
                Err(error) => {
                    Err(CallError::Nonsense { code, method, uri: uri.to_owned(), reason: error.to_string() })
                }
            };
        }
        Err(Self::refused(code, method, uri, &bytes))
    }

    /// The error of an answer that is not good.
    #[must_use]
    pub fn refused(code: u16, method: Method, uri: &str, body: &[u8]) -> CallError {
        let text = String::from_utf8_lossy(body);
        let (message, help) = match text.split_once("\nhelp: ") {
            Some((message, help)) => (message, Some(help.trim().to_owned())),
            None => (text.as_ref(), None),
        };
        let message = message.trim().to_owned();
        CallError::Refused { code, method, uri: uri.to_owned(), message, help }
    }

    /// Where the server listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET`, with an answer in JSON.
    ///
    /// # Errors
    /// As [`Api::send`], and when the answer is no JSON.
    pub async fn get(&self, uri: &str) -> Result<Value, CallError> {
        let Answer { body, .. } = self.send(Method::GET, uri, None).await?;
        serde_json::from_str(&body).map_err(|error| Self::nonsense(uri, &error))
    }

    /// The error of a good answer to a question for `uri` that is not what it should be.
    #[must_use]
    pub fn nonsense(uri: &str, error: &serde_json::Error) -> CallError {
        let (method, uri) = (Method::GET, uri.to_owned());
        CallError::Nonsense { code: 200, method, uri, reason: error.to_string() }
    }

    /// `POST` without a body; what is answered does not matter.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn post(&self, uri: &str) -> Result<(), CallError> {
        self.send(Method::POST, uri, None).await.map(drop)
    }
}

/// A TLS that knows nobody: the library wants one, and on this socket nothing uses it. As a value, so that the program
/// starts without reading the certificates of the host and works where there are none.
fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// The innermost error says what happened; the layers around it only that something did.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                CallError::Refused {
                    code: 423,
                    method: Method::GET,
                    uri: "/os".into(),
                    message: "no".into(),
                    help: None,
                },
                "Status 423 when GETing /os: no",
            ),
            (
                CallError::Nonsense {
                    code: 423,
                    method: Method::GET,
                    uri: "/os".into(),
                    reason: "it is torn".into(),
                },
                "Status 423 when GETing /os, but the answer makes no sense: it is torn",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
