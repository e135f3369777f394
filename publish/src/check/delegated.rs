//! The roles of teams: whether hosts can have and trust them, and whether what they list is theirs to list.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use host_io::report::chain;
use trusted_repo::{DelegatedRole, Repository};

use super::finding::{CheckReport, RoleReport, day};
use super::rules::SOON;

/// Tells what is wrong with delegated roles, and gives the names of the targets that hosts find there.
pub(super) async fn check(
    report: &mut CheckReport,
    repository: &Repository,
    now: DateTime<Utc>,
) -> BTreeSet<String> {
    let top: BTreeSet<String> = repository.target_names().into_iter().collect();
    let mut found = BTreeSet::new();
    for DelegatedRole { name, by, listed } in repository.delegated_roles().await {
        let (role, listed) = match listed {
            Ok(role) => role,
            Err(error) => {
                let why = chain(&error);
                report.error(
                    "delegation",
                    format!("the role {name}, to which {by} delegates: failed to {why}"),
                );
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
        for target in listed.into_iter().filter(|target| !top.contains(target)) {
            match repository.target(&target).await {
                Ok(_) => {
                    found.insert(target);
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
