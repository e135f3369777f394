//! Reading and changing settings.

use api_model::KeypairPayload;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use datastore::{Change, Value};
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::IntoParams;

use super::answers::{BadRequest, Nothing, TooLarge, TooSlow, Unable};
use super::failure::blocking;
use super::in_force::Cache;
use super::query::{Query, QueryRejection};
use super::transactions::TxQuery;
use super::{Api, Failure, body, host, services};
use crate::change::{self, Asked, ChangeError, Named, Nulls};
use settings_model::tree::{Selection, nested};

/// Which settings to show; `keys` goes before `prefix`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SelectQuery {
    /// Keys, separated by commas
    #[param(min_length = 1)]
    keys: Option<String>,
    /// What the keys begin with
    #[param(min_length = 1)]
    prefix: Option<String>,
}

/// `GET /settings`: all settings in force, or the selected ones, as a nested object.
///
/// # Errors
/// 400 for an empty or malformed selection.
#[utoipa::path(get, path = "/settings",
    params(SelectQuery),
    responses((status = 200, body = Object, description = "The settings, nested"), BadRequest, Unable))]
pub async fn read(
    State(api): State<Api>,
    Extension(cache): Extension<Cache>,
    query: Result<Query<SelectQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let selection = selection(query?.0)?;
    let in_force = match cache.kept() {
        Some(kept) => kept,
        None => blocking(move || Ok(cache.get(|| api.store.live())?)).await?,
    };
    Ok(match selection {
        Selection::All => {
            ([(header::CONTENT_TYPE, "application/json")], in_force.json.clone()).into_response()
        }
        part => Json(nested(&part.of(in_force.settings.clone()))).into_response(),
    })
}

/// The query of `GET /`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EverythingQuery {
    /// What the names begin with
    #[param(min_length = 1)]
    prefix: Option<String>,
}

/// `GET /`: settings, services, their files and the running image together; with `prefix` (such as `settings.motd` or
/// `os.`), that part.
///
/// # Errors
/// 400 for an empty prefix.
#[utoipa::path(get, path = "/",
    params(EverythingQuery),
    responses((status = 200, body = Object, description = "`settings`, `services`, `configuration-files` and `os`"), BadRequest, Unable))]
pub async fn everything(
    State(api): State<Api>,
    Extension(cache): Extension<Cache>,
    query: Result<Query<EverythingQuery>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let prefix = match query?.0.prefix {
        Some(prefix) if prefix.is_empty() => return Err(empty("prefix")),
        prefix => prefix.unwrap_or_default(),
    };
    blocking(move || {
        let mut answer = Map::new();
        let settings =
            nested(&Selection::Prefix(prefix.clone()).of(cache.get(|| api.store.live())?.settings.clone()));
        if settings.as_object().is_some_and(|settings| !settings.is_empty()) {
            answer.insert("settings".to_owned(), settings);
        }
        let mut services = services::all_services(api.store.model());
        services.retain(|name, _| format!("services.{name}").starts_with(&prefix));
        if !services.is_empty() {
            answer.insert("services".to_owned(), json!(services));
        }
        let mut files = services::all_files(api.store.model(), &api.paths);
        files.retain(|name, _| format!("configuration-files.{name}").starts_with(&prefix));
        if !files.is_empty() {
            answer.insert("configuration-files".to_owned(), json!(files));
        }
        let os = host::with_prefix(host::fields(api.host.as_ref())?, &prefix);
        if !os.is_empty() {
            answer.insert("os".to_owned(), json!(os));
        }
        Ok(Json(Value::Object(answer)))
    })
    .await
}

/// `PATCH /settings`: adds a nested object of settings to a transaction. As `application/merge-patch+json` (RFC 7396) a
/// `null` takes a setting away; in any other body it says nothing.
///
/// # Errors
/// 400 when a setting is unknown or takes something else, 404 when what is to be taken away is unknown; nothing is then
/// changed.
#[utoipa::path(patch, path = "/settings", params(TxQuery),
    request_body(content(
        (Object = "application/json"),
        (Object = "application/merge-patch+json"),
    ), description = "Settings, nested; a null takes one away in a merge patch"),
    responses((status = 204, description = "They are pending"), BadRequest, Nothing, TooSlow, TooLarge, Unable))]
pub async fn change(
    State(api): State<Api>,
    query: Result<Query<TxQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Failure> {
    let transaction = query?.0.name()?;
    let nulls = if is_merge_patch(&headers) { Nulls::TakeAway } else { Nulls::Say };
    let body = body::read(body).await?;
    blocking(move || {
        let model = api.store.model();
        let asked = change::from_json(model, &body, nulls)?;
        api.store.change::<Failure>(&transaction, |settings| {
            Ok(change::resolve(model, asked, settings, Named::InAPatch)?)
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_merge_patch(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/merge-patch+json")
}

/// What to take away.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AwayQuery {
    /// Keys, or groups of them by whole segments, separated by commas
    #[param(min_length = 1)]
    keys: String,
    /// The transaction; "default" when absent
    #[param(min_length = 1)]
    tx: Option<String>,
}

/// `DELETE /settings`: adds to a transaction that settings are taken away. Where the image has a default, it comes back.
///
/// # Errors
/// 404 when there is no such setting; 400 when a key is malformed, a file cannot do without the setting, or the place in
/// the fleet is named with others. Nothing is then changed.
#[utoipa::path(delete, path = "/settings", params(AwayQuery),
    responses((status = 204, description = "Their end is pending"), BadRequest, Nothing, Unable))]
pub async fn unset(
    State(api): State<Api>,
    query: Result<Query<AwayQuery>, QueryRejection>,
) -> Result<StatusCode, Failure> {
    let Query(AwayQuery { keys, tx }) = query?;
    let transaction = TxQuery::of(tx).name()?;
    if keys.is_empty() {
        return Err(empty("list of keys"));
    }
    let away = keys.split(',').map(change::full_key).collect::<Result<Vec<_>, _>>()?;
    blocking(move || {
        let asked = Asked { away, ..Asked::default() };
        api.store.change::<Failure>(&transaction, |settings| {
            Ok(change::resolve(api.store.model(), asked, settings, Named::ByName)?)
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PATCH /settings/keypair`: adds a list of `key=value` to a transaction.
///
/// # Errors
/// As [`fn@change`].
#[utoipa::path(patch, path = "/settings/keypair", params(TxQuery),
    request_body(content = KeypairPayload),
    responses((status = 204, description = "They are pending"), BadRequest, TooSlow, TooLarge, Unable))]
pub async fn change_pairs(
    State(api): State<Api>,
    query: Result<Query<TxQuery>, QueryRejection>,
    body: Body,
) -> Result<StatusCode, Failure> {
    let transaction = query?.0.name()?;
    let body = body::read(body).await?;
    blocking(move || {
        let payload: KeypairPayload =
            serde_json::from_slice(&body).map_err(|error| ChangeError::Json(error.to_string()))?;
        let set = change::from_pairs(api.store.model(), &payload.request_payload)?;
        api.store.change::<Failure>(&transaction, |_| Ok(Change { set, ..Change::default() }))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn selection(query: SelectQuery) -> Result<Selection, Failure> {
    match (query.keys, query.prefix) {
        (Some(keys), _) if keys.is_empty() => Err(empty("list of keys")),
        (Some(keys), _) => {
            let keys: Result<Vec<_>, _> = keys.split(',').map(change::full_key).collect();
            Ok(Selection::Keys(keys?))
        }
        (None, Some(prefix)) if prefix.is_empty() => Err(empty("prefix")),
        (None, Some(prefix)) if prefix == "settings" || prefix.starts_with("settings.") => {
            Ok(Selection::Prefix(prefix))
        }
        (None, Some(prefix)) => Ok(Selection::Prefix(format!("settings.{prefix}"))),
        (None, None) => Ok(Selection::All),
    }
}

fn empty(what: &str) -> Failure {
    Failure::bad_request(format!("failed to read the query: the {what} is empty"))
}
