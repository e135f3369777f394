//! Which path is answered by what.

use std::sync::LazyLock;

use axum::http::{Method, Uri, header};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    Api, Failure, exec, host, in_force, openapi, progress, services, settings, transactions, updates,
};

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
        .routes(routes!(updates::metrics))
        .routes(routes!(updates::refresh))
        .routes(routes!(updates::prepare))
        .routes(routes!(updates::activate))
        .routes(routes!(updates::deactivate))
        .routes(routes!(updates::cancel))
        .routes(routes!(updates::rollback))
        .routes(routes!(updates::clear_failed))
        .routes(routes!(host::reboot))
        .routes(routes!(host::reboot_in_turn))
        .routes(routes!(exec::exec))
        .routes(routes!(document))
}

/// `GET /openapi.json`: the description.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object, description = "This description")))]
async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| routes().into_openapi().to_json().expect("the description is plain data"));
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

async fn nothing_here(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    Failure::wrong_method(format!("{} cannot be asked for with {method}", uri.path()))
}
