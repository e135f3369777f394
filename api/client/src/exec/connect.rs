//! From the server's socket to a WebSocket.

use std::time::Duration;

use reqwest::Method;
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::api::{Api, CallError, root_cause};

/// Where commands are run.
const URI: &str = "/exec";
/// How long the server may take to agree to talk.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is open in both directions.
pub type Socket = WebSocketStream<UnixStream>;

/// Connects.
///
/// # Errors
/// When the server does not answer, or does not run commands.
pub async fn connect(api: &Api) -> Result<Socket, CallError> {
    let no_answer = |reason: String| CallError::NoAnswer {
        method: Method::GET,
        uri: URI.to_owned(),
        socket: api.socket().to_owned(),
        reason,
    };
    let opening = async {
        let stream = UnixStream::connect(api.socket()).await.map_err(|error| no_answer(error.to_string()))?;
        match client_async(format!("ws://localhost{URI}"), stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(Api::refused(response.status().as_u16(), Method::GET, URI, body))
            }
            Err(error) => Err(no_answer(root_cause(&error))),
        }
    };
    tokio::time::timeout(PATIENCE, opening)
        .await
        .unwrap_or_else(|_| Err(no_answer(format!("nothing came for {} s", PATIENCE.as_secs()))))
}
