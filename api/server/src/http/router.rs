//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{get, patch, post};
use host_io::{Host, Paths};

use super::{Failure, host, settings, transactions, updates};
use crate::store::Store;
use crate::update::Dispatcher;

/// What answers are made from.
#[derive(Clone)]
pub struct Api {
    /// Settings and transactions.
    pub store: Arc<Store>,
    /// Updates.
    pub updates: Dispatcher,
    /// The machine.
    pub host: Arc<dyn Host>,
    /// Its layout.
    pub paths: Paths,
}

/// All paths. Anything else is 404.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(settings::everything))
        .route("/settings", get(settings::read).patch(settings::change))
        .route("/settings/keypair", patch(settings::change_pairs))
        .route("/tx", get(transactions::read).delete(transactions::forget))
        .route("/tx/list", get(transactions::list))
        .route("/tx/commit", post(transactions::commit))
        .route("/tx/apply", post(transactions::apply))
        .route("/tx/commit_and_apply", post(transactions::commit_and_apply))
        .route("/os", get(host::os))
        .route("/updates/status", get(updates::status))
        .route("/actions/refresh-updates", post(updates::refresh))
        .route("/actions/prepare-update", post(updates::prepare))
        .route("/actions/activate-update", post(updates::activate))
        .route("/actions/deactivate-update", post(updates::deactivate))
        .route("/actions/reboot", post(host::reboot))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(api)
}

async fn nothing_here(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    Failure::wrong_method(format!("{} cannot be asked for with {method}", uri.path()))
}
