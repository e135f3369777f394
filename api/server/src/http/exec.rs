//! Running a command in a host container.

use api_model::exec::MAX_MESSAGE;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use super::failure::blocking;
use super::{Api, Failure};
use crate::connections::PeerName;
use crate::exec::{Engine, session};
use settings_model::{known, tree};

/// How many conversations are held at once. Each has processes of its own.
const CONVERSATIONS: u32 = 32;
static PLACES: Semaphore = Semaphore::const_new(CONVERSATIONS as usize);

/// Waits until no conversation is held any more, and lets none begin.
pub async fn all_ended() {
    if let Ok(all) = PLACES.acquire_many(CONVERSATIONS).await {
        all.forget();
    }
}

/// `GET /exec`: a WebSocket for one command.
///
/// # Errors
/// 400 when this is no WebSocket handshake, 404 when the image has no engine for host containers, 503 when too many
/// conversations are held.
#[utoipa::path(get, path = "/exec", responses(
    (status = 101, description = "A WebSocket follows"),
    (status = 400, description = "This is no handshake for a WebSocket", body = String, content_type = "text/plain"),
    (status = 404, description = "This image has no engine for host containers", body = String, content_type = "text/plain"),
    (status = 503, description = "Too many commands run", body = String, content_type = "text/plain"),
))]
pub async fn exec(
    State(api): State<Api>,
    peer: Option<Extension<PeerName>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let upgrade = upgrade.map_err(|rejection| {
        Failure::bad_request(format!("failed to open a WebSocket: {}", rejection.body_text()))
    })?;
    let Some(exec) = api.store.model().exec().cloned() else {
        return Err(Failure::not_found("this image has no engine for host containers"));
    };
    let Ok(place) = PLACES.try_acquire() else {
        let told = "failed to open a WebSocket: too many commands run already";
        return Ok((StatusCode::SERVICE_UNAVAILABLE, told).into_response());
    };
    let store = api.store.clone();
    let containers = blocking(move || {
        let settings = tree::nested(&store.live()?);
        let group = known::HOST_CONTAINERS.trim_start_matches("settings.").to_owned();
        let entries = tree::at(&settings, &[group]).and_then(datastore::Value::as_object);
        Ok(entries.map(|entries| entries.keys().cloned().collect()).unwrap_or_default())
    })
    .await?;
    let engine = Engine { paths: api.paths, exec, socket: api.exec_socket, containers };
    let stopping = api.stopping;
    let peer = peer.map_or_else(|| "somebody unknown".to_owned(), |Extension(PeerName(name))| name);
    Ok(upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE).on_upgrade(async move |socket| {
        session(socket, engine, peer, stopping).await;
        drop(place);
    }))
}
