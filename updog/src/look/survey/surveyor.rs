//! One update that is looked at, and what every look needs.

use host_io::Access;
use signpost::Role;
use trusted_repo::{Repository, TargetInfo};
use update_metadata::Update;

use crate::context::Context;
use crate::error::Error;
use crate::look::fetch::{self, Opened};
use crate::look::plan::{Budget, target_of};
use crate::write::install::Crew;

/// One update that is looked at.
pub struct Surveyor<'a> {
    /// The host.
    pub context: &'a Context,
    /// The repository and how this host takes updates.
    pub opened: &'a Opened,
    /// The update.
    pub update: &'a Update,
    /// How much may be fetched.
    pub budget: Budget,
    /// What is to follow: a look by itself keeps nothing.
    pub access: Access,
}

impl Surveyor<'_> {
    pub(super) fn crew(&self) -> Crew<'_> {
        Crew::new(&self.context.waiter, &self.context.events)
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.opened.repository
    }

    pub(super) fn target(&self, image: Role) -> Result<TargetInfo, Error> {
        self.signed(target_of(self.update, image))
    }

    pub(super) fn signed(&self, name: &str) -> Result<TargetInfo, Error> {
        fetch::signed(self.context, self.repository(), name)
    }

    /// Refuses before `bytes` more are fetched than may be.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), Error> {
        Ok(self.budget.check(self.repository().bytes_fetched(), bytes)?)
    }
}
