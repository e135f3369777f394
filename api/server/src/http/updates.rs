//! The state of updates and its commands.

use api_model::{CommandType, UpdateStatus};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{Api, Failure};

/// `GET /updates/status`.
///
/// # Errors
/// 423 while a command runs: callers wait for its end by asking until they get another answer. 404 before the first one.
pub async fn status(State(api): State<Api>) -> Result<Json<UpdateStatus>, Failure> {
    Ok(Json(api.updates.status().await?))
}

/// `POST /actions/refresh-updates`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
pub async fn refresh(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Refresh).await
}

/// `POST /actions/prepare-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
pub async fn prepare(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Prepare).await
}

/// `POST /actions/activate-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
pub async fn activate(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Activate).await
}

/// `POST /actions/deactivate-update`.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
pub async fn deactivate(State(api): State<Api>) -> Result<StatusCode, Failure> {
    start(api, CommandType::Deactivate).await
}

/// Starts a command: 204 once it is under way.
///
/// # Errors
/// 423 while another one runs, 409 when the state does not allow it, 404 when nothing is chosen or staged, else 500.
async fn start(api: Api, command: CommandType) -> Result<StatusCode, Failure> {
    // Apart from the request: a caller that hangs up in the middle must not leave a command half started.
    tokio::spawn(async move { api.updates.start(command).await }).await.map_err(|_| {
        Failure::internal(format!("failed to start {command}: the server has a defect, see its log"))
    })??;
    Ok(StatusCode::NO_CONTENT)
}
