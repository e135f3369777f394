//! Committing and dropping changes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use datastore::{Key, Value};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::{BadRequest, NothingPending, Unable};
use super::failure::blocking;
use super::in_force::Cache;
use super::query::{Query, QueryRejection};
use super::{Api, Failure, monitoring};
use crate::change;
use crate::store::{self, Store};
use settings_model::tree::nested;

/// The transaction of callers that name none.
const DEFAULT: &str = "default";

/// Which transaction.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TxQuery {
    /// The transaction; "default" when absent
    #[param(min_length = 1)]
    tx: Option<String>,
}

impl TxQuery {
    /// The query that names this one.
    #[must_use]
    pub fn of(tx: Option<String>) -> Self {
        Self { tx }
    }

    /// Its name.
    ///
    /// # Errors
    /// 400 when it is empty.
    pub fn name(self) -> Result<String, Failure> {
        match self.tx {
            Some(name) if name.is_empty() => {
                Err(Failure::bad_request("failed to read the query: the name of the transaction is empty"))
            }
            name => Ok(name.unwrap_or_else(|| DEFAULT.to_owned())),
        }
    }
}

/// What to apply.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApplyQuery {
    /// Keys, separated by commas
    #[param(min_length = 1)]
    keys: Option<String>,
}

/// `GET /tx`: what a transaction would change; what it takes away is null.
///
/// # Errors
/// 400 for a name that no transaction can have.
#[utoipa::path(get, path = "/tx", params(TxQuery), responses(
    (status = 200, body = Object, description = "Its settings"), BadRequest, Unable,
))]
pub async fn read(
    State(api): State<Api>,
    query: Result<Query<TxQuery>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let transaction = query?.0.name()?;
    blocking(move || {
        let change = api.store.pending(&transaction)?;
        let away = change.unset.iter().map(|key| (key, &Value::Null));
        Ok(Json(nested(change.set.iter().chain(away))))
    })
    .await
}

/// `GET /tx/list`: the names of all transactions.
///
/// # Errors
/// 500 when the datastore cannot be read.
#[utoipa::path(get, path = "/tx/list", responses(
    (status = 200, body = Vec<String>, description = "The names"), Unable,
))]
pub async fn list(State(api): State<Api>) -> Result<Json<Vec<String>>, Failure> {
    blocking(move || Ok(Json(api.store.transactions()?))).await
}

/// `DELETE /tx`: drops a transaction and answers with its keys.
///
/// # Errors
/// 400 for a name that no transaction can have.
#[utoipa::path(delete, path = "/tx", params(TxQuery), responses(
    (status = 200, body = Vec<String>, description = "Its keys"), BadRequest, Unable,
))]
pub async fn forget(
    State(api): State<Api>,
    query: Result<Query<TxQuery>, QueryRejection>,
) -> Result<Json<Vec<Key>>, Failure> {
    let transaction = query?.0.name()?;
    blocking(move || Ok(Json(api.store.forget(&transaction)?))).await
}

/// `POST /tx/commit`: puts a transaction in force and answers with its keys.
///
/// # Errors
/// 422 when nothing is pending; 400 when a file or a service could not be made any more, or it is too much.
#[utoipa::path(post, path = "/tx/commit", params(TxQuery), responses(
    (status = 200, body = Vec<String>, description = "Its keys"), BadRequest, NothingPending, Unable,
))]
pub async fn commit(
    State(api): State<Api>,
    Extension(cache): Extension<Cache>,
    query: Result<Query<TxQuery>, QueryRejection>,
) -> Result<Json<Vec<Key>>, Failure> {
    put_in_force(api, cache, query, Store::commit).await
}

/// `POST /tx/apply`: brings the configuration in line with the settings in force. All of it: rendering is cheap, and a
/// file that is right already is left alone, so `keys` is only checked.
///
/// # Errors
/// 400 for a malformed list of keys, 500 when a file cannot be written.
#[utoipa::path(post, path = "/tx/apply",
    params(ApplyQuery),
    responses((status = 204, description = "Every file is in line"), BadRequest, Unable))]
pub async fn apply(
    State(api): State<Api>,
    query: Result<Query<ApplyQuery>, QueryRejection>,
) -> Result<StatusCode, Failure> {
    if let Some(keys) = query?.0.keys {
        for key in keys.split(',') {
            change::full_key(key)?;
        }
    }
    let store = Arc::clone(&api.store);
    blocking(move || Ok(store.apply()?)).await?;
    monitoring::tell(&api).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /tx/commit_and_apply`: both, with nothing in between; answers with the keys.
///
/// # Errors
/// As both.
#[utoipa::path(post, path = "/tx/commit_and_apply", params(TxQuery), responses(
    (status = 200, body = Vec<String>, description = "Its keys"), BadRequest, NothingPending, Unable,
))]
pub async fn commit_and_apply(
    State(api): State<Api>,
    Extension(cache): Extension<Cache>,
    query: Result<Query<TxQuery>, QueryRejection>,
) -> Result<Json<Vec<Key>>, Failure> {
    let keys = put_in_force(api.clone(), cache, query, Store::commit_and_apply).await?;
    monitoring::tell_of(&api, &keys.0).await;
    Ok(keys)
}

async fn put_in_force(
    api: Api,
    cache: Cache,
    query: Result<Query<TxQuery>, QueryRejection>,
    how: fn(&Store, &str) -> Result<Vec<Key>, store::Error>,
) -> Result<Json<Vec<Key>>, Failure> {
    let transaction = query?.0.name()?;
    blocking(move || {
        let done = how(&api.store, &transaction);
        cache.changed();
        Ok(Json(done?))
    })
    .await
}
