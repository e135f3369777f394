//! Which path is answered by what.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::{Method, Uri};
use axum::{Extension, Router};
use host_io::{Host, Paths};
use tokio::sync::watch;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Failure, exec, host, in_force, openapi, progress, services, settings, transactions, updates};
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
    /// Where the engine of host containers listens, for engines that are told.
    pub exec_socket: PathBuf,
    /// Turns true when the server is to end: long answers end with it.
    pub stopping: watch::Receiver<bool>,
}

/// All paths. Anything else is 404.
pub fn router(api: Api) -> Router {
    let (router, _description) = routes().split_for_parts();
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(in_force::Cache::default()))
        .with_state(api)
}

/// All paths with their descriptions; each is where its handler says.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::Whole::openapi())
        .routes(routes!(settings::everything))
        .routes(routes!(settings::read, settings::change, settings::unset))
        .routes(routes!(settings::change_pairs))
        .routes(routes!(transactions::read, transactions::forget))
        .routes(routes!(services::services))
        .routes(routes!(services::configuration_files))
        .routes(routes!(services::affected_services))
        .routes(routes!(services::templates))
        .routes(routes!(services::setting_generators))
        .routes(routes!(transactions::list))
        .routes(routes!(transactions::commit))
        .routes(routes!(transactions::apply))
        .routes(routes!(transactions::commit_and_apply))
        .routes(routes!(host::os))
        .routes(routes!(host::health))
        .routes(routes!(updates::status))
        .routes(routes!(progress::progress))
        .routes(routes!(updates::history))
        .routes(routes!(updates::explain))
        .routes(routes!(updates::refresh))
        .routes(routes!(updates::prepare))
        .routes(routes!(updates::activate))
        .routes(routes!(updates::deactivate))
        .routes(routes!(updates::cancel))
        .routes(routes!(updates::rollback))
        .routes(routes!(updates::clear_failed))
        .routes(routes!(host::reboot))
        .routes(routes!(exec::exec))
        .routes(routes!(openapi::document))
}

async fn nothing_here(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    Failure::wrong_method(format!("{} cannot be asked for with {method}", uri.path()))
}
