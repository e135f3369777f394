//! HTTP for tough, without the pause that its own makes before each request.

use tough::{Transport, TransportError, TransportErrorKind, TransportStream, async_trait};
use url::Url;

/// A client that asks once.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
}

impl Http {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        Ok(Self { client: reqwest::Client::builder().build()? })
    }
}

#[async_trait]
impl Transport for Http {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let told = |kind, error| TransportError::new_with_cause(kind, url.clone(), error);
        let answer = self
            .client
            .get(url.clone())
            .send()
            .await
            .map_err(|error| told(TransportErrorKind::Other, error))?;
        if matches!(answer.status().as_u16(), 403 | 404 | 410) {
            return Err(TransportError::new(TransportErrorKind::FileNotFound, url));
        }
        let mut answer = answer.error_for_status().map_err(|error| told(TransportErrorKind::Other, error))?;
        // tough wants a stream that several threads may look at, and an answer is none.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let url = url.clone();
        tokio::spawn(async move {
            loop {
                let piece = answer.chunk().await.map_err(|error| {
                    TransportError::new_with_cause(TransportErrorKind::Other, url.clone(), error)
                });
                let Some(piece) = piece.transpose() else { return };
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Ok(Box::pin(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))))
    }
}
