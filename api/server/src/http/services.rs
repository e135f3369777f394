//! What the image's services make of settings: which files, which commands, which settings they follow.
//!
//! All of it is read from the image's model. Settings of this system carry no templates of their own and are generated
//! by nobody, so those two lists are empty; programs that ask for them go on.

use std::collections::BTreeMap;

use api_model::{ConfigurationFile, Service};
use axum::Json;
use axum::extract::State;
use host_io::Paths;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::{BadRequest, Nothing};
use super::query::{Query, QueryRejection};
use super::{Api, Failure};
use settings_model::Model;

use crate::change;

/// Which of them to show; `names` goes before `prefix`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NamesQuery {
    /// Names, separated by commas
    #[param(min_length = 1)]
    names: Option<String>,
    /// What the names begin with
    #[param(min_length = 1)]
    prefix: Option<String>,
}

/// Which settings are asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Keys, separated by commas
    #[param(min_length = 1, required = true, value_type = String)]
    keys: Option<String>,
}

/// `GET /services`: the services, each with the files that are made for it and the commands that restart it.
///
/// # Errors
/// 400 for an empty selection, 404 for a name that is none of theirs.
#[utoipa::path(get, path = "/services",
    params(NamesQuery),
    responses((status = 200, body = BTreeMap<String, Service>, description = "The services by name"), BadRequest, Nothing))]
pub async fn services(
    State(api): State<Api>,
    query: Result<Query<NamesQuery>, QueryRejection>,
) -> Result<Json<BTreeMap<String, Service>>, Failure> {
    Ok(Json(selected(all_services(api.store.model()), query?.0, "services")?))
}

/// `GET /configuration-files`: the files that are made from settings, by the names of their templates.
///
/// # Errors
/// 400 for an empty selection, 404 for a name that is none of theirs.
#[utoipa::path(get, path = "/configuration-files",
    params(NamesQuery),
    responses((status = 200, body = BTreeMap<String, ConfigurationFile>, description = "The files by name"), BadRequest, Nothing))]
pub async fn configuration_files(
    State(api): State<Api>,
    query: Result<Query<NamesQuery>, QueryRejection>,
) -> Result<Json<BTreeMap<String, ConfigurationFile>>, Failure> {
    Ok(Json(selected(all_files(api.store.model(), &api.paths), query?.0, "configuration-files")?))
}

/// `GET /metadata/affected-services`: for each setting the services that follow it.
///
/// # Errors
/// 400 without keys, or for a malformed one.
#[utoipa::path(get, path = "/metadata/affected-services",
    params(KeysQuery),
    responses((status = 200, body = BTreeMap<String, Vec<String>>, description = "Names of services by key"), BadRequest))]
pub async fn affected_services(
    State(api): State<Api>,
    query: Result<Query<KeysQuery>, QueryRejection>,
) -> Result<Json<BTreeMap<String, Vec<String>>>, Failure> {
    let mut affected = BTreeMap::new();
    for key in keys(query?.0)? {
        let services = api.store.model().services().iter().filter(|service| service.follows(&key));
        let names: Vec<String> = services.map(|service| service.name.clone()).collect();
        if !names.is_empty() {
            affected.insert(key.to_string(), names);
        }
    }
    Ok(Json(affected))
}

/// `GET /metadata/templates`: for each setting the template that its value is made with. No setting has one.
///
/// # Errors
/// 400 without keys, or for a malformed one.
#[utoipa::path(get, path = "/metadata/templates",
    params(KeysQuery),
    responses((status = 200, body = BTreeMap<String, String>, description = "Templates by key"), BadRequest))]
pub async fn templates(
    query: Result<Query<KeysQuery>, QueryRejection>,
) -> Result<Json<BTreeMap<String, String>>, Failure> {
    keys(query?.0)?;
    Ok(Json(BTreeMap::new()))
}

/// `GET /metadata/setting-generators`: the settings that a program makes the value of. There is none.
#[utoipa::path(get, path = "/metadata/setting-generators",
    responses((status = 200, body = BTreeMap<String, String>, description = "Programs by key")))]
pub async fn setting_generators() -> Json<BTreeMap<String, String>> {
    Json(BTreeMap::new())
}

/// Every file that is made from settings, by the name of its template.
#[must_use]
pub fn all_files(model: &Model, paths: &Paths) -> BTreeMap<String, ConfigurationFile> {
    let files = model.services().iter().flat_map(|service| &service.files);
    let told = |file: &settings_model::service::ConfigFile| ConfigurationFile {
        path: file.path.clone(),
        template_path: paths.templates().join(&file.template).to_string_lossy().into_owned(),
    };
    files.map(|file| (file.template.clone(), told(file))).collect()
}

/// Every service, by its name.
#[must_use]
pub fn all_services(model: &Model) -> BTreeMap<String, Service> {
    let told = |service: &settings_model::service::Service| Service {
        configuration_files: service.files.iter().map(|file| file.template.clone()).collect(),
        restart_commands: service.restart.iter().map(|words| words.join(" ")).collect(),
    };
    model.services().iter().map(|service| (service.name.clone(), told(service))).collect()
}

fn selected<T>(
    mut all: BTreeMap<String, T>,
    query: NamesQuery,
    what: &str,
) -> Result<BTreeMap<String, T>, Failure> {
    match (query.names, query.prefix) {
        (Some(text), _) | (None, Some(text)) if text.is_empty() => {
            Err(Failure::bad_request("failed to read the query: the selection is empty"))
        }
        (Some(names), _) => names
            .split(',')
            .map(|name| {
                let found = all.remove_entry(name);
                found.ok_or_else(|| {
                    Failure::not_found(format!("{name:?} is none of the {what} of this image"))
                })
            })
            .collect(),
        (None, Some(prefix)) => {
            // As in the query of everything, what they are may stand before the name.
            let name = prefix.strip_prefix(what).map_or(prefix.as_str(), |rest| rest.trim_start_matches('.'));
            all.retain(|known, _| known.starts_with(name));
            Ok(all)
        }
        (None, None) => Ok(all),
    }
}

fn keys(query: KeysQuery) -> Result<Vec<datastore::Key>, Failure> {
    let text = query.keys.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Failure::bad_request("failed to read the query: it names no keys"))?;
    Ok(text.split(',').map(change::full_key).collect::<Result<_, _>>()?)
}
