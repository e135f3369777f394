//! What runs here, and the reboot.

use std::collections::BTreeMap;

use api_model::OsInfo;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use datastore::Value;
use host_io::{Host, report};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::{BadRequest, Busy, Disallowed, Os, Owing, Unable, Underway};
use super::failure::blocking;
use super::query::{Query, QueryRejection};
use super::{Api, Failure};
use crate::update::{Ask, InTurn};

/// The query of `GET /os`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OsQuery {
    /// What the names of the fields begin with
    #[param(min_length = 1)]
    prefix: Option<String>,
}

/// `GET /os`: the running image; with `prefix`, the fields whose names begin so.
///
/// # Errors
/// 400 for an empty prefix, 500 when the image's description is unreadable.
#[utoipa::path(get, path = "/os",
    params(OsQuery),
    responses((status = 200, body = Os, description = "The running image; with a prefix, a part of it"), BadRequest, Unable))]
pub async fn os(
    State(api): State<Api>,
    query: Result<Query<OsQuery>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(query) = query?;
    let fields = blocking(move || fields(api.host.as_ref())).await?;
    let Some(prefix) = query.prefix else { return Ok(Json(object(fields))) };
    if prefix.is_empty() {
        return Err(Failure::bad_request("failed to read the query: the prefix is empty"));
    }
    let prefix = if prefix == "os" || prefix.starts_with("os.") { prefix } else { format!("os.{prefix}") };
    Ok(Json(object(with_prefix(fields, &prefix))))
}

/// `GET /health`: whether this server has done all that it should, for monitoring. Marking a boot good does not ask.
#[utoipa::path(get, path = "/health", responses(
    (status = 200, body = String, content_type = "text/plain", description = "Nothing is owed"), Owing,
))]
pub async fn health(State(api): State<Api>) -> (StatusCode, String) {
    let owed = api.store.owed();
    if owed.is_empty() {
        return (StatusCode::OK, "nothing is owed\n".to_owned());
    }
    let lines: String = owed.iter().map(|owed| format!("{}: {}\n", owed.to, owed.reason)).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

/// `POST /actions/reboot`.
///
/// # Errors
/// 409 when what boots next may not run any more, 500 when the request for it was refused.
#[utoipa::path(post, path = "/actions/reboot", responses(
    (status = 204, description = "The host reboots"), Disallowed, Unable,
))]
pub async fn reboot(State(api): State<Api>) -> Result<StatusCode, Failure> {
    api.updates.may_reboot().await?;
    tracing::info!("rebooting on request");
    blocking(move || {
        api.host.reboot().map_err(|error| Failure::internal(format!("failed to {}", report::chain(&error))))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The query of `POST /actions/reboot-in-turn`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InTurnQuery {
    /// A timer asks: a lock server that did not answer is left alone for a while
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    patient: bool,
    /// The number that an earlier answer gave: how that one goes
    follow: Option<u64>,
}

/// `POST /actions/reboot-in-turn`: reboots into the update that is applied, when the lock server lets this host go and its
/// hooks have drained it. `/actions/reboot` asks nobody.
///
/// # Errors
/// 409 when there is nothing to reboot into, or it is not this host's turn; 423 while an update command runs; else 500.
#[utoipa::path(post, path = "/actions/reboot-in-turn",
    params(InTurnQuery),
    responses(
        (status = 202, body = Underway, description = "It takes its time: ask again, with this number"),
        (status = 204, description = "The host reboots"),
        BadRequest, Disallowed, Busy, Unable,
    ))]
pub async fn reboot_in_turn(
    State(api): State<Api>,
    query: Result<Query<InTurnQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let InTurnQuery { patient, follow } = query?.0;
    let ask = follow.map_or(Ask::Begin { patient }, Ask::Follow);
    Ok(match api.updates.reboot_in_turn(ask, api.stopping.clone()).await? {
        InTurn::Reboots => StatusCode::NO_CONTENT.into_response(),
        InTurn::Underway(follow) => (StatusCode::ACCEPTED, Json(Underway { follow })).into_response(),
    })
}

/// What the running image says of itself, by field.
///
/// # Errors
/// 500 when that is unreadable.
pub fn fields(host: &dyn Host) -> Result<BTreeMap<String, Value>, Failure> {
    let release = host
        .os_release()
        .map_err(|error| Failure::internal(format!("failed to {}", report::chain(&error))))?;
    let info = OsInfo {
        pretty_name: release.pretty_name,
        variant_id: release.variant_id,
        version_id: release.version_id,
        build_id: release.build_id,
        arch: host.arch().to_owned(),
    };
    let value = serde_json::to_value(info).and_then(serde_json::from_value);
    Ok(value.expect("five texts are an object of texts"))
}

/// The fields whose name, with `os.` before it, begins with `prefix`.
#[must_use]
pub fn with_prefix(fields: BTreeMap<String, Value>, prefix: &str) -> BTreeMap<String, Value> {
    fields.into_iter().filter(|(name, _)| format!("os.{name}").starts_with(prefix)).collect()
}

fn object(fields: BTreeMap<String, Value>) -> Value {
    Value::Object(fields.into_iter().collect())
}
