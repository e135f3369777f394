//! Who makes the releases: builds their images, and publishes them.

use std::fs;

use testdata::image::model::Repository;
use testdata::{Images, Release};

use super::Stage;
use super::recipe::Recipe;
use crate::vm::image::Wanted;
use crate::vm::machine::REPOSITORY;
use crate::vm::unmet::Unmet;

impl Stage<'_> {
    /// Builds the images of a release.
    pub(in crate::vm) fn images(&self, recipe: Recipe) -> Result<Images, Unmet> {
        let base = format!("http://{REPOSITORY}/");
        let repository = Repository {
            metadata_base_url: format!("{base}{}/{}/", testdata::VARIANT, std::env::consts::ARCH),
            targets_base_url: format!("{base}targets/"),
        };
        let bootpick = self.boot_program_that_it_brings()?;
        let wanted = Wanted {
            version: recipe.version,
            flaw: recipe.flaw,
            trusted_root: self.world.trusted_root(),
            repository: &repository,
            deadline: recipe.deadline,
            watchdog: recipe.watchdog,
            signer: self.signer.as_ref(),
            words: recipe.words,
            bootpick: bootpick.as_deref(),
        };
        self.workshop
            .build(&wanted)
            .map_err(|error| Unmet::new(format!("build the images of {}: {error}", recipe.version)))
    }

    /// Another build of the boot program, which releases bring along: firmware reads over what follows a program.
    pub(in crate::vm) fn boot_program_that_it_brings(&self) -> Result<Option<Vec<u8>>, Unmet> {
        let Some(path) = &self.bootpick else { return Ok(None) };
        let bytes = fs::read(path).map_err(|error| Unmet::new(format!("read the boot program: {error}")))?;
        Ok(Some([&bytes[..], b"another build"].concat()))
    }

    /// Publishes a release.
    pub(in crate::vm) fn publish(&self, recipe: Recipe) -> Result<(), Unmet> {
        self.publish_as(Release::new(recipe.version), recipe)
    }

    /// Publishes a release in frames as well.
    pub(in crate::vm) fn publish_framed(&self, recipe: Recipe) -> Result<(), Unmet> {
        self.publish_as(Release::new(recipe.version).framed(), recipe)
    }

    fn publish_as(&self, release: Release, recipe: Recipe) -> Result<(), Unmet> {
        let images = self.images(recipe)?;
        self.world.publish_images(release, images);
        self.say(&format!("the author publishes {}", recipe.version));
        Ok(())
    }

    /// Changes a byte of a published root image, as an attacker on the way could.
    pub(in crate::vm) fn swap_root(&self, version: &str) -> Result<(), Unmet> {
        let name = format!("-{version}-root.lz4");
        let swapped = || -> std::io::Result<bool> {
            let mut found = false;
            for entry in fs::read_dir(self.world.repo_dir().join("targets"))? {
                let path = entry?.path();
                if path.to_string_lossy().ends_with(&name) {
                    let mut bytes = fs::read(&path)?;
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(&path, bytes)?;
                    found = true;
                }
            }
            Ok(found)
        };
        match swapped() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unmet::new(format!("the repository has a root image of {version}"))),
            Err(error) => Err(Unmet::new(format!("change the root image of {version}: {error}"))),
        }
    }
}
