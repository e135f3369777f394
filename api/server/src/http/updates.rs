//! The state of updates and its commands.

use api_model::{CommandType, UpdateStatus};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::answers::{BadRequest, Busy, Disallowed, Explanation, Nothing, Unable};
use super::query::{Query, QueryRejection};
use super::{Api, Failure};
use crate::update::{Refusal, Rollback};

/// `GET /updates/status`.
///
/// # Errors
/// 423 while a command runs: callers wait for its end by asking until they get another answer. 404 before the first one.
#[utoipa::path(get, path = "/updates/status", responses(
    (status = 200, body = UpdateStatus, description = "The state of updates"), Nothing, Busy, Unable,
))]
pub async fn status(State(api): State<Api>) -> Result<Json<UpdateStatus>, Failure> {
    let status = api.updates.status().await?;
    Ok(Json(UpdateStatus { owed: api.store.owed(), ..status }))
}

/// `POST /actions/refresh-updates`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
#[utoipa::path(post, path = "/actions/refresh-updates", responses(
    (status = 204, description = "It has started; the status tells its end"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn refresh(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Refresh).await
}

/// `POST /actions/prepare-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
#[utoipa::path(post, path = "/actions/prepare-update", responses(
    (status = 204, description = "It has started; the status tells its end"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn prepare(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Prepare).await
}

/// `POST /actions/activate-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
#[utoipa::path(post, path = "/actions/activate-update", responses(
    (status = 204, description = "It has started; the status tells its end"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn activate(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Activate).await
}

/// `POST /actions/deactivate-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
#[utoipa::path(post, path = "/actions/deactivate-update", responses(
    (status = 204, description = "It has started; the status tells its end"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn deactivate(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Deactivate).await
}

/// `POST /actions/cancel`: stops the update command that runs; when none does, takes back what is activated, or a way back
/// that waits for its reboot.
///
/// # Errors
/// 409 when there is nothing to cancel.
#[utoipa::path(post, path = "/actions/cancel", responses(
    (status = 204, description = "It was asked to stop, or taking back has started; the status tells the end"),
    Nothing, Disallowed, Busy, Unable,
))]
pub async fn cancel(State(api): State<Api>) -> Result<StatusCode, Failure> {
    apart("cancel", async move { api.updates.cancel().await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The query of `POST /actions/rollback`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "kebab-case")]
pub struct RollbackQuery {
    /// Only say what would change
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dry_run: bool,
    /// With the settings that were kept
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    restore_snapshot: bool,
}

/// `POST /actions/rollback`: lets the other set boot next, to its end. With `dry-run=true` nothing is changed and the
/// answer says what would be; with `restore-snapshot=true` the settings that were kept when that set was left come
/// back with it.
///
/// # Errors
/// 409 when the other set does not boot or its settings cannot come back, 423 while a command runs.
#[utoipa::path(post, path = "/actions/rollback",
    params(RollbackQuery),
    responses(
        (status = 200, body = Object, description = "What would change"),
        (status = 204, description = "The other set boots next"),
        BadRequest, Nothing, Disallowed, Busy, Unable,
    ))]
pub async fn rollback(
    State(api): State<Api>,
    query: Result<Query<RollbackQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let RollbackQuery { dry_run, restore_snapshot } = query?.0;
    let how = if restore_snapshot { Rollback::RestoreSnapshot } else { Rollback::Migrate };
    if dry_run {
        return Ok(Json(api.updates.plan_rollback(how).await?).into_response());
    }
    apart("roll back", async move { api.updates.rollback(how).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /actions/clear-failed`: forgets that a release failed here, so that it may be chosen again.
///
/// # Errors
/// 423 while a command runs.
#[utoipa::path(post, path = "/actions/clear-failed", responses(
    (status = 204, description = "It is forgotten"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn clear_failed(State(api): State<Api>) -> Result<StatusCode, Failure> {
    apart("clear what failed", async move { api.updates.clear_failed().await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /updates/history`: what was done on this host, newest first, one record of evidence for each attempt.
///
/// # Errors
/// 500 when it cannot be read.
#[utoipa::path(get, path = "/updates/history", responses(
    (status = 200, body = Vec<Object>, description = "The records"), Unable,
))]
pub async fn history(State(api): State<Api>) -> Result<Json<Value>, Failure> {
    Ok(Json(api.updates.history().await?))
}

/// `GET /updates/explain`: every known version, whether this host takes it, why, and when its turn comes.
///
/// # Errors
/// 500 when the repository does not answer or cannot be trusted.
#[utoipa::path(get, path = "/updates/explain", responses(
    (status = 200, body = Explanation, description = "The versions and their verdicts"), Nothing, Disallowed, Busy, Unable,
))]
pub async fn explain(State(api): State<Api>) -> Result<Json<Value>, Failure> {
    Ok(Json(api.updates.explain().await?))
}

/// `GET /metrics`: what monitoring sees of this host's updates, in the text format of Prometheus.
///
/// # Errors
/// 500 when it cannot be told.
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, body = String, content_type = "text/plain", description = "The metrics, in the text format of Prometheus"),
    Nothing, Disallowed, Busy, Unable,
))]
pub async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Failure> {
    // Scrapers go by the version in it.
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], api.updates.metrics().await?))
}

/// Starts a command: 204 once it is under way.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
async fn start(api: Api, command: CommandType) -> Result<StatusCode, Failure> {
    apart(&format!("start {command}"), async move { api.updates.start(command).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Does it apart from the request: a caller that hangs up in the middle must not leave a command half started.
async fn apart<T: Send + 'static>(
    errand: &str,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::spawn(work).await.map_err(|_| {
        Failure::internal(format!("failed to {errand}: the server has a defect, see its log"))
    })?;
    Ok(done?)
}
