//! An answer's body on its way: the one place where bytes of bodies are counted, whatever becomes of them.
//!
//! The HTTP library reads one piece ahead of what it hands out. What of that has come by the time that an answer is given
//! up is counted as well; what the library reads of a connection while it closes it is not seen by anybody, and is one
//! read at most (`docs/decisions/0023-bytes-are-counted-above-the-library.md`).

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use url::Url;

use super::account::Account;
use super::fault::Fault;

/// The most of an answer that is no object which is read, so that the connection can be used again.
const MOST_OF_A_REFUSAL: u64 = 64 * 1024;
/// How long that may take.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

/// An answer whose body is still to come, or a part of it.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    account: Account,
    /// Whether its body has come to an end, or broke.
    is_over: bool,
}

/// Why no more of a body came.
pub(super) enum Broken {
    /// The library's words.
    Off(reqwest::Error),
    /// More came than may.
    Budget(Fault),
}

impl Answer {
    pub(super) fn new(response: Response, account: &Account) -> Self {
        Self { response, account: account.clone(), is_over: false }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// How long it says that its body is.
    pub(super) fn declared_length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Where it came from.
    pub(super) fn url(&self) -> &Url {
        self.response.url()
    }

    /// The next piece of the body, counted; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        match self.response.chunk().await {
            Ok(Some(bytes)) => {
                self.account.take(bytes.len() as u64).map_err(Broken::Budget)?;
                Ok(Some(bytes))
            }
            Ok(None) => {
                self.is_over = true;
                Ok(None)
            }
            Err(error) => {
                self.is_over = true;
                Err(Broken::Off(error))
            }
        }
    }

    /// Reads what is no object, within reason: so that the connection can be used again.
    pub(super) async fn discard(mut self) -> Result<(), Fault> {
        let rest = async {
            let mut read = 0;
            while read < MOST_OF_A_REFUSAL {
                match self.piece().await {
                    Ok(Some(bytes)) => read += bytes.len() as u64,
                    Ok(None) | Err(Broken::Off(_)) => break,
                    Err(Broken::Budget(fault)) => return Err(fault),
                }
            }
            Ok(())
        };
        tokio::time::timeout(LONGEST_REFUSAL, rest).await.unwrap_or(Ok(()))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // The library's clock for silence needs a runtime; what is dropped without one is dropped as the program ends.
        if self.is_over || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        // Once: each piece that is taken makes room for another one to be read.
        if let Some(Ok(Some(waiting))) = self.response.chunk().now_or_never() {
            let _whoever_asks_next_finds_the_budget_used = self.account.take(waiting.len() as u64);
        }
    }
}
