//! What a targets role lists, and to whom it delegates. The top-level role and delegated ones are alike.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::hashes::SignedHashes;
use super::pattern::{Asked, Paths};
use super::signed::Delegate;

/// A role that lists targets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Targets {
    pub(crate) version: NonZeroU64,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) targets: BTreeMap<String, Listed>,
    #[serde(default)]
    delegations: Option<Delegations>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Listed {
    pub(crate) length: u64,
    pub(crate) hashes: SignedHashes,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Delegations {
    /// Kept as they came: a key of a kind that is unknown here is of interest only to the roles that it signs.
    keys: BTreeMap<String, Value>,
    roles: Vec<Delegation>,
}

/// One role that is delegated to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Delegation {
    pub(crate) name: String,
    keyids: Vec<String>,
    threshold: NonZeroU64,
    pub(crate) terminating: bool,
    #[serde(flatten)]
    paths: Paths,
}

impl Delegation {
    /// Whether it is for a target.
    pub(crate) fn has(&self, asked: &Asked<'_>) -> bool {
        self.paths.has(asked)
    }

    /// Whether it is for holds and for nothing else.
    pub(crate) fn is_for_holds(&self) -> bool {
        self.paths.are_of_holds()
    }
}

impl Targets {
    /// The roles that it delegates `asked` to, in the order in which they are asked and with their numbers among all, up
    /// to the first one that ends the search for it.
    pub(crate) fn delegates_of<'a>(
        &'a self,
        asked: &'a Asked<'_>,
    ) -> impl Iterator<Item = (usize, &'a Delegation)> {
        let mut ended = false;
        let matching = self.delegations().enumerate().filter(|(_, delegation)| delegation.has(asked));
        matching.take_while(move |(_, delegation)| !std::mem::replace(&mut ended, delegation.terminating))
    }

    /// All roles that it delegates to, whatever for.
    pub(crate) fn delegations(&self) -> impl Iterator<Item = &Delegation> {
        self.delegations.iter().flat_map(|delegations| &delegations.roles)
    }

    /// Those who may sign a role that it delegates to.
    pub(crate) fn delegate(&self, delegation: &Delegation) -> Delegate {
        let none = BTreeMap::new();
        let keys = self.delegations.as_ref().map_or(&none, |delegations| &delegations.keys);
        Delegate::new(keys, &delegation.keyids, delegation.threshold)
    }
}
