//! What the metadata and the manifest say, as values: no clock, no file.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use semver::Version;
use trusted_repo::Roles;
use update_metadata::{Manifest, Update, migration_path, safe_target_name};

use super::finding::{CheckReport, day, role_reports};

/// A mebibyte in bytes.
const MIB: u64 = 1 << 20;
/// How early it is said that a role below root is about to expire.
const SOON: Duration = Duration::days(2);

/// How large the partitions of a host are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// BOOT.
    pub boot: u64,
    /// ROOT.
    pub root: u64,
    /// HASH.
    pub hash: u64,
}

impl Sizes {
    /// The built-in layout for a system image of `gib` GiB: `docs/compatibility.md`, "Disk layout".
    #[must_use]
    pub fn of_layout(gib: u32) -> Self {
        let gib = u64::from(gib);
        Self { boot: 20 * gib * MIB, root: 460 * gib * MIB, hash: 5 * gib * MIB }
    }
}

/// Expiry: what is over, and what soon will be. Renewing root takes several people, so it gets a margin of its own.
pub fn expiry(report: &mut CheckReport, roles: &Roles, now: DateTime<Utc>, root_margin: Duration) {
    for role in role_reports(roles) {
        let (name, when) = (role.role, day(role.expires));
        if role.expires <= now {
            report
                .error("expired", format!("the {name} role expired on {when}: hosts refuse the repository"));
        } else if name == "root" && role.expires - now < root_margin {
            let days = root_margin.num_days();
            report.error(
                "root_expires",
                format!("the root role expires on {when}, in less than {days} days: rotate it now"),
            );
        } else if role.expires - now < SOON {
            report.advise("expires_soon", format!("the {name} role expires on {when}: refresh it"));
        }
    }
}

/// Names that hosts refuse.
pub fn names(report: &mut CheckReport, listed: &[String]) {
    for name in listed.iter().filter(|name| !safe_target_name(name)) {
        report.error("unsafe_name", format!("the target {name:?} has a name that no host asks for"));
    }
}

/// Everything that the manifest names is a target.
pub fn references(report: &mut CheckReport, manifest: &Manifest, listed: &BTreeSet<&str>) {
    for update in &manifest.updates {
        for (image, name) in images(update) {
            if !listed.contains(name) {
                report.error(
                    "missing_target",
                    format!(
                        "{} {} {} names the {image} image {name}, which is no target",
                        update.variant, update.arch, update.version
                    ),
                );
            }
        }
    }
    for paused in &manifest.extensions.paused {
        for (_, name) in images(&paused.update).into_iter().filter(|(_, name)| !listed.contains(name)) {
            let version = &paused.update.version;
            report.advise(
                "missing_target",
                format!("{version}, which is paused, names {name}, which is no target"),
            );
        }
    }
    for ((from, to), names) in &manifest.migrations {
        for name in names.iter().filter(|name| !listed.contains(name.as_str())) {
            report.error(
                "missing_target",
                format!("the step from {from} to {to} names the migration {name}, which is no target"),
            );
        }
    }
    for name in listed.iter().filter(|name| **name != crate::layout::MANIFEST) {
        if !is_named(manifest, name) {
            report.advise("unused_target", format!("nothing in the manifest names the target {name}"));
        }
    }
}

fn is_named(manifest: &Manifest, name: &str) -> bool {
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    manifest.updates.iter().chain(paused).any(|update| images(update).iter().any(|(_, image)| *image == name))
        || manifest.migrations.values().flatten().any(|migration| migration == name)
}

/// The images of an update, hash first: with it the others can be judged.
pub(crate) fn images(update: &Update) -> [(&'static str, &str); 3] {
    [("hash", &update.images.hash), ("boot", &update.images.boot), ("root", &update.images.root)]
}

/// Settings get from each version that hosts may have to each version that is offered, and back.
pub fn ways(
    report: &mut CheckReport,
    manifest: &Manifest,
    variant: &str,
    arch: &str,
    oldest: Option<&Version>,
) {
    let siblings = manifest.updates.iter().filter(|update| update.variant == variant && update.arch == arch);
    let offered: BTreeSet<&Version> = siblings
        .filter(|update| update.version <= update.max_version)
        .map(|update| &update.version)
        .collect();
    let from: BTreeSet<&Version> = offered.iter().copied().chain(oldest).collect();
    for (index, lower) in from.iter().enumerate() {
        for upper in from.iter().skip(index + 1) {
            // The way back is the way there, reversed.
            if let Err(none) = migration_path(&manifest.migrations, lower, upper) {
                report.error(
                    "missing_migrations",
                    format!("no migrations lead from {lower} to {upper}: they end at {}", none.reached),
                );
            }
        }
    }
    if offered.is_empty() {
        report.advise("nothing_offered", format!("no update is offered to {variant} {arch}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trusted_repo::Role;
    use update_metadata::{Images, UpdateExtensions};

    use super::*;

    fn report() -> CheckReport {
        CheckReport { roles: vec![], versions: vec![], targets: 0, bytes: 0, errors: vec![], advice: vec![] }
    }

    fn manifest(versions: &[&str], steps: &[(&str, &str)]) -> Manifest {
        let update = |version: &&str| Update {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: version.parse().unwrap(),
            max_version: "9.0.0".parse().unwrap(),
            waves: BTreeMap::new(),
            images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
            extensions: UpdateExtensions::default(),
        };
        let step =
            |(from, to): &(&str, &str)| ((from.parse().unwrap(), to.parse().unwrap()), vec!["m".to_owned()]);
        Manifest {
            updates: versions.iter().map(update).collect(),
            migrations: steps.iter().map(step).collect(),
            ..Manifest::default()
        }
    }

    fn codes(report: &CheckReport) -> Vec<&str> {
        report.errors.iter().chain(&report.advice).map(|finding| finding.code).collect()
    }

    #[test]
    fn a_gap_in_the_migrations_is_found_between_any_two_versions() {
        let mut found = report();
        let whole = manifest(&["1.0.0", "1.1.0", "1.2.0"], &[("1.0.0", "1.1.0"), ("1.1.0", "1.2.0")]);
        ways(&mut found, &whole, "metal", "x86_64", None);
        assert_eq!(codes(&found), [""; 0]);
        ways(&mut found, &whole, "metal", "x86_64", Some(&Version::new(0, 9, 0)));
        assert_eq!(codes(&found), ["missing_migrations"; 3]);
        let mut found = report();
        let gap = manifest(&["1.0.0", "1.1.0", "1.2.0"], &[("1.0.0", "1.2.0")]);
        ways(&mut found, &gap, "metal", "x86_64", None);
        assert_eq!(codes(&found), ["missing_migrations"; 2]);
    }

    #[test]
    fn every_name_in_the_manifest_has_to_be_a_target() {
        let manifest = manifest(&["1.0.0"], &[("1.0.0", "1.1.0")]);
        let mut found = report();
        references(&mut found, &manifest, &BTreeSet::from(["b", "r", "h", "m", "manifest.json"]));
        assert_eq!(codes(&found), [""; 0]);
        references(&mut found, &manifest, &BTreeSet::from(["b", "h", "x"]));
        assert_eq!(codes(&found), ["missing_target", "missing_target", "unused_target"]);
        names(&mut found, &["../x".to_owned()]);
        assert_eq!(found.errors.last().unwrap().code, "unsafe_name");
    }

    #[test]
    fn root_has_a_margin_of_its_own() {
        let now = DateTime::UNIX_EPOCH;
        let role = |days| Role { version: 1, expires: now + Duration::days(days) };
        let mut found = report();
        let roles = Roles { root: role(89), timestamp: role(1), snapshot: role(0), targets: role(7) };
        expiry(&mut found, &roles, now, Duration::days(90));
        assert_eq!(codes(&found), ["root_expires", "expired", "expires_soon"]);
    }
}
