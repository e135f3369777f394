//! `updata add-update`: one more update.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::author::{AuthorError, Selector, add_update, default_max_version};
use crate::{Images, Update, UpdateExtensions, safe_target_name};
use clap::ArgAction;
use host_io::Fs;
use semver::Version;
use serde_json::json;
use tracing::info;

use super::answer::{Answer, named};
use super::exit::Error;
use super::file;

/// Add an update at the end of a manifest.
///
/// Its max_version becomes that of all updates of the same variant and architecture.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// The manifest.
    file: PathBuf,
    /// The variant that the update is for.
    #[arg(short = 'f', long, visible_short_alias = 'l')]
    variant: String,
    /// The version that a host has after the update.
    #[arg(short = 'v', long)]
    version: Version,
    /// The architecture that the update is for.
    #[arg(short = 'a', long)]
    arch: String,
    /// The newest version that hosts should run [default: the highest of this variant and architecture].
    #[arg(short = 'm', long)]
    max_version: Option<Version>,
    /// Target name of the root image.
    #[arg(short = 'r', long)]
    root: String,
    /// Target name of the boot image.
    #[arg(short = 'b', long)]
    boot: String,
    /// Target name of the hash image.
    #[arg(short = 'h', long)]
    hash: String,
    /// Let hosts below this version take it before any newer one.
    #[arg(long)]
    barrier: bool,
    /// The oldest updog that may install it.
    #[arg(long, value_name = "VERSION")]
    min_updater: Option<Version>,
    /// Print help. There is no short form: -h is the hash image.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Args {
    pub(crate) fn run(self, fs: &dyn Fs) -> Result<Answer, Error> {
        let manifest = file::load(fs, &self.file)?;
        let Self { variant, arch, version, boot, root, hash, barrier, min_updater, .. } = self;
        let max_version =
            self.max_version.unwrap_or_else(|| default_max_version(&manifest, &variant, &arch, &version));
        let images = Images { boot, root, hash };
        let extensions = UpdateExtensions { barrier, min_updater, ..UpdateExtensions::default() };
        let waves = BTreeMap::new();
        let update = Update { variant, arch, version, max_version, waves, images, extensions };

        let selector = Selector::of(&update);
        if selector.is_known(&manifest) {
            return Err(AuthorError::Twice(selector).into());
        }
        if update.version > update.max_version {
            return Err(Error::AboveMaximum { version: update.version, max_version: update.max_version });
        }
        if let Some((_, name)) = update.images.named().into_iter().find(|(_, name)| !safe_target_name(name)) {
            return Err(Error::UnsafeName { name: name.to_owned(), update: selector });
        }
        info!("adding {selector}; the newest version for its hosts is now {}", update.max_version);
        let answer = json!({ "added": named(&selector), "max_version": update.max_version });
        file::store(fs, &self.file, &add_update(manifest, update))?;
        Ok(Answer::changed(answer))
    }
}
