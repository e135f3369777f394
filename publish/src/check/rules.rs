//! What the metadata and the manifest say, as values: no clock, no file.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use semver::Version;
use trusted_repo::Roles;
use trusted_repo::manifest::is_one;
use update_metadata::barrier::next_hop;
use update_metadata::{Frames, Manifest, Packs, Update, migration_path, safe_target_name};

use super::finding::{CheckReport, day, role_reports};

/// A mebibyte in bytes.
const MIB: u64 = 1 << 20;
/// How early it is said that a role below root is about to expire.
pub(super) const SOON: Duration = Duration::days(2);

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
        let (name, when) = (&*role.role, day(role.expires));
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
        let Update { variant, arch, version, .. } = update;
        for (image, name) in images(update).into_iter().filter(|(_, name)| !listed.contains(name)) {
            report.error(
                "missing_target",
                format!("{variant} {arch} {version} names the {image} image {name}, which is no target"),
            );
        }
        for name in frames(update).filter(|name| !listed.contains(name)) {
            report.error(
                "missing_target",
                format!("{variant} {arch} {version} names {name} for its frames, which is no target"),
            );
        }
        for name in packs(update).filter(|name| !listed.contains(name)) {
            report.error(
                "missing_target",
                format!("{variant} {arch} {version} names {name} for a pack, which is no target"),
            );
        }
    }
    for paused in &manifest.extensions.paused {
        for name in targets(&paused.update).filter(|name| !listed.contains(name)) {
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
}

/// Whether some manifest names each target.
pub fn unused(report: &mut CheckReport, manifests: &[Manifest], listed: &[String]) {
    for name in listed.iter().filter(|name| !is_one(name)) {
        if !manifests.iter().any(|manifest| is_named(manifest, name)) {
            report.advise("unused_target", format!("nothing in the manifest names the target {name}"));
        }
    }
}

fn is_named(manifest: &Manifest, name: &str) -> bool {
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    manifest.updates.iter().chain(paused).any(|update| targets(update).any(|target| target == name))
        || manifest.migrations.values().flatten().any(|migration| migration == name)
}

/// The images of an update, hash first: with it the others can be judged.
pub(crate) fn images(update: &Update) -> [(&'static str, &str); 3] {
    [("hash", &update.images.hash), ("boot", &update.images.boot), ("root", &update.images.root)]
}

/// The target of one of them.
pub(crate) fn image<'a>(update: &'a Update, image: &str) -> &'a str {
    match image {
        "hash" => &update.images.hash,
        "boot" => &update.images.boot,
        _ => &update.images.root,
    }
}

/// All that an update names but its migrations: images, frames, and packs.
pub(crate) fn targets(update: &Update) -> impl Iterator<Item = &str> {
    images(update).into_iter().map(|(_, name)| name).chain(frames(update)).chain(packs(update))
}

fn frames(update: &Update) -> impl Iterator<Item = &str> {
    update.extensions.frames.iter().flat_map(Frames::targets)
}

fn packs(update: &Update) -> impl Iterator<Item = &str> {
    update.extensions.packs.iter().flat_map(Packs::targets)
}

/// Settings get from each version that hosts may have to each version that is offered, and back: in one step, or from
/// one barrier to the next. The way back over a barrier is the ways of its legs, reversed.
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
    // A paused barrier is waited for, so the legs that it joins have to be there as well.
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update);
    let paused_barriers = paused
        .filter(|update| update.variant == variant && update.arch == arch && update.extensions.bars())
        .map(|update| &update.version);
    let from: BTreeSet<&Version> =
        offered.iter().copied().chain(oldest).chain(paused_barriers.clone()).collect();
    for (index, lower) in from.iter().enumerate() {
        for upper in from.iter().skip(index + 1) {
            if next_hop(manifest, variant, arch, lower, upper) != *upper {
                continue;
            }
            // The way back is the way there, reversed.
            if let Err(none) = migration_path(&manifest.migrations, lower, upper) {
                report.error(
                    "missing_migrations",
                    format!("no migrations lead from {lower} to {upper}: they end at {}", none.reached),
                );
            }
        }
    }
    barriers(report, manifest, variant, arch, oldest);
    if offered.is_empty() {
        report.advise("nothing_offered", format!("no update is offered to {variant} {arch}"));
    }
}

/// Every barrier can be passed: whoever waits before one that nobody may take waits for ever.
fn barriers(
    report: &mut CheckReport,
    manifest: &Manifest,
    variant: &str,
    arch: &str,
    oldest: Option<&Version>,
) {
    let of_kind = |update: &&Update| update.variant == variant && update.arch == arch;
    let paused = manifest.extensions.paused.iter().map(|paused| &paused.update).filter(of_kind);
    let listed = manifest.updates.iter().filter(of_kind);
    let versions = |updates: &mut dyn Iterator<Item = &Update>| -> BTreeSet<Version> {
        updates.map(|update| update.version.clone()).collect()
    };
    let above = versions(&mut listed.clone());
    let below: BTreeSet<Version> = above.iter().cloned().chain(oldest.cloned()).collect();
    for update in listed.filter(|update| update.extensions.bars()) {
        let version = &update.version;
        if update.version > update.max_version {
            let max = &update.max_version;
            report.error(
                "barrier",
                format!("no host gets past the barrier {version}: it is above {max}, the highest version that hosts may run"),
            );
        } else if let Some(field) = update.extensions.misread() {
            report.error(
                "barrier",
                format!("no host gets past the barrier {version}: its field {field} cannot be read"),
            );
        } else if let Some(least) = &update.extensions.min_updater {
            report.advise(
                "barrier",
                format!("hosts below the barrier {version} whose updog is older than {least} wait for ever"),
            );
        }
    }
    for update in paused.filter(|update| update.extensions.bars()) {
        let version = &update.version;
        if below.iter().any(|below| below < version) && above.iter().any(|above| above > version) {
            report.advise(
                "barrier",
                format!("hosts below {version} take nothing newer for now: the barrier is paused"),
            );
        }
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

    fn with_barrier(mut manifest: Manifest, at: &str) -> Manifest {
        let at: Version = at.parse().unwrap();
        let update = manifest.updates.iter_mut().find(|update| update.version == at).unwrap();
        update.extensions.barrier = true;
        manifest
    }

    #[test]
    fn each_leg_of_the_way_over_a_barrier_has_its_migrations() {
        let versions = ["1.2.0", "1.5.0", "1.9.0"];
        let look = |steps: &[(&str, &str)]| {
            let mut found = report();
            ways(&mut found, &with_barrier(manifest(&versions, steps), "1.5.0"), "metal", "x86_64", None);
            found
        };
        assert_eq!(codes(&look(&[("1.2.0", "1.5.0"), ("1.5.0", "1.9.0")])), [""; 0]);
        let direct = look(&[("1.2.0", "1.9.0")]);
        assert_eq!(codes(&direct), ["missing_migrations"; 2], "{direct}");
        let half = look(&[("1.2.0", "1.9.0"), ("1.2.0", "1.5.0")]);
        assert_eq!(codes(&half), ["missing_migrations"], "{half}");
        assert!(half.errors[0].what.contains("from 1.5.0 to 1.9.0"), "{half}");
    }

    #[test]
    fn a_barrier_that_nobody_can_take_is_an_error_and_a_paused_one_is_worth_a_thought() {
        let steps = [("1.2.0", "1.5.0"), ("1.5.0", "1.9.0")];
        let sound = with_barrier(manifest(&["1.2.0", "1.5.0", "1.9.0"], &steps), "1.5.0");
        let look = |manifest: &Manifest| {
            let mut found = report();
            ways(&mut found, manifest, "metal", "x86_64", None);
            (found.errors.len(), found.advice.len(), found)
        };

        let mut recalled = sound.clone();
        for update in &mut recalled.updates {
            update.max_version = "1.4.0".parse().unwrap();
        }
        let (errors, _, found) = look(&recalled);
        assert!(errors == 1 && found.errors[0].what.contains("above 1.4.0"), "{found}");

        let mut misread = sound.clone();
        misread.updates[1].extensions = serde_json::json!({"barrier": true, "min_updater": 3}).into();
        let (errors, _, found) = look(&misread);
        assert!(errors == 1 && found.errors[0].what.contains("min_updater cannot be read"), "{found}");

        let mut newer = sound.clone();
        newer.updates[1].extensions.min_updater = Some(Version::new(0, 3, 0));
        assert!(matches!(look(&newer), (0, 1, _)));

        let mut paused = sound;
        let since = DateTime::UNIX_EPOCH;
        let update = paused.updates.remove(1);
        paused.extensions.paused.push(update_metadata::Paused { since, update });
        let (errors, advice, found) = look(&paused);
        assert!((errors, advice) == (0, 1) && found.advice[0].what.contains("is paused"), "{found}");
        paused.migrations.clear();
        assert_eq!(look(&paused).0, 2, "the legs will be wanted");
    }

    #[test]
    fn every_name_in_the_manifest_has_to_be_a_target() {
        let manifest = manifest(&["1.0.0"], &[("1.0.0", "1.1.0")]);
        let mut found = report();
        references(&mut found, &manifest, &BTreeSet::from(["b", "r", "h", "m", "manifest.json"]));
        assert_eq!(codes(&found), [""; 0]);
        references(&mut found, &manifest, &BTreeSet::from(["b", "h", "x"]));
        assert_eq!(codes(&found), ["missing_target", "missing_target"]);
        unused(&mut found, &[manifest], &["b", "h", "x", "manifest.json"].map(str::to_owned));
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
