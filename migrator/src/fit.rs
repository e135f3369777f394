//! Whether settings fit the image that is to read them.
//!
//! A migration that ends well may still leave what the image cannot use: a text where it has a group, a list where it has
//! a text, a value that it does not take. Such a store would start a system whose services have no configuration, so it
//! counts as a failed migration.

use datastore::store_dir::Contents;
use host_io::{Fs, Host as _, SystemHost};
use semver::Version;
use settings_model::{Model, ModelError, fit};

use crate::args::Request;
use crate::error::Error;

/// How many misfits are told.
const TOLD: usize = 4;

/// The model of the image that runs, if that is `version` and it has one. Nobody here knows the model of another image.
///
/// # Errors
/// When there is one that cannot be read.
pub fn model(fs: &dyn Fs, request: &Request, version: &Version) -> Result<Option<Model>, Error> {
    let runs = SystemHost::new(request.paths.clone()).os_release().map(|release| release.version_id);
    if runs.is_ok_and(|runs| runs != *version) {
        return Ok(None);
    }
    match Model::load(fs, &request.paths.settings_model()) {
        Ok(model) => Ok(Some(model)),
        Err(ModelError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Model(Box::new(error))),
    }
}

/// Holds settings of `version` against the model of the image that runs, if that is the one that reads them.
///
/// # Errors
/// [`Error::Misfit`] with the first few that do not fit.
pub fn check(fs: &dyn Fs, request: &Request, version: &Version, contents: &Contents) -> Result<(), Error> {
    let Some(model) = model(fs, request, version)? else {
        tracing::debug!("the image that runs has no settings model for {version}");
        return Ok(());
    };
    let mut misfits: Vec<String> =
        fit::fit(&model, &contents.live).misfits.iter().map(ToString::to_string).collect();
    misfits.extend(
        fit::lacking(&model, &contents.live).map(|key| format!("{key} is missing, and it must be there")),
    );
    if misfits.is_empty() {
        return Ok(());
    }
    let more = misfits.len().saturating_sub(TOLD);
    misfits.truncate(TOLD);
    if more > 0 {
        misfits.push(format!("and {more} more"));
    }
    Err(Error::Misfit { version: version.clone(), misfits: misfits.join("; ") })
}
