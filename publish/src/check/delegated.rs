//! The roles of teams: whether hosts can have and trust them, and whether what they list is theirs to list.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use host_io::report::chain;
use trusted_repo::{DelegatedRole, KnownHolds, Repository, SignedHolds};
use update_metadata::Manifest;

use super::finding::{CheckReport, RoleReport, day};
use super::rules::SOON;

/// That a role cannot be had or trusted.
pub(crate) fn unusable(name: &str, by: &str, error: &trusted_repo::Error) -> String {
    format!("the role {name}, to which {by} delegates: failed to {}", chain(error))
}

/// The names of the targets that hosts find at delegated roles.
#[derive(Default)]
pub(super) struct Found {
    pub(super) all: BTreeSet<String>,
    /// Those of them that roles for holds list, whether they can be read or not.
    pub(super) of_holds: BTreeSet<String>,
}

/// Tells what is wrong with delegated roles, and gives what they list.
pub(super) async fn check(report: &mut CheckReport, repository: &Repository, now: DateTime<Utc>) -> Found {
    let top: BTreeSet<String> = repository.target_names().into_iter().collect();
    let mut found = Found::default();
    for DelegatedRole { name, by, is_for_holds, listed } in repository.delegated_roles().await {
        let (role, listed) = match listed {
            Ok(role) => role,
            Err(error) => {
                report.error("delegation", unusable(&name, &by, &error));
                continue;
            }
        };
        let when = day(role.expires);
        if role.expires <= now {
            let what =
                format!("the delegated role {name} expired on {when}: hosts that need it take no update");
            report.error("expired", what);
        } else if role.expires - now < SOON {
            report.advise("expires_soon", format!("the delegated role {name} expires on {when}: refresh it"));
        }
        report.roles.push(RoleReport::new(name.clone(), &role));
        for (target, hashes) in listed {
            match repository.target(&target).await {
                Ok(taken) if hashes.is_some_and(|hashes| hashes != taken.hashes) => {
                    let what = format!("{name} lists {target}, and hosts take another one of that name");
                    report.error("delegation", what);
                }
                Ok(_) => {
                    let is_of_holds = is_for_holds && target.starts_with("hold-");
                    found.of_holds.extend(is_of_holds.then(|| target.clone()));
                    found.all.extend((!top.contains(&target)).then_some(target));
                }
                Err(error) => {
                    let why = chain(&error);
                    let what =
                        format!("{name} lists {target}, and no host takes it from there: failed to {why}");
                    report.error("delegation", what);
                }
            }
        }
    }
    found
}

/// Tells whether hosts can read what is withheld, and holds that withhold nothing.
pub(super) async fn check_holds(report: &mut CheckReport, repository: &Repository, manifests: &[Manifest]) {
    let KnownHolds { signed, unknown } = repository.known_holds().await;
    for error in unknown {
        report.error("holds", format!("no host takes an update: failed to {}", chain(&error)));
    }
    for SignedHolds { role, holds, .. } in signed {
        for hold in &holds.holds {
            let paused = |manifest: &Manifest| {
                manifest.extensions.paused.iter().any(|paused| hold.withholds(&paused.update))
            };
            let is_known = |manifest: &Manifest| manifest.updates.iter().any(|update| hold.withholds(update));
            if hold.version.is_some() && !manifests.iter().any(|one| is_known(one) || paused(one)) {
                let subject = hold.subject();
                let what = format!("{role} withholds {subject}, which nobody is offered: end that hold");
                report.advise("hold", what);
            }
        }
    }
}
