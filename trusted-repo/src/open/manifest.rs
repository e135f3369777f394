//! The names of manifests, and what counts of one: `manifest.json` is signed by the targets role and for all hosts;
//! `manifest-VARIANT.json` may be a team's, and is for hosts of that variant alone.

use update_metadata::Manifest;

/// The manifest that all hosts know.
pub const OF_ALL: &str = "manifest.json";

/// The manifest of a team that looks after one variant.
#[must_use]
pub fn of_variant(variant: &str) -> String {
    format!("manifest-{variant}.json")
}

/// Whether a target has the name of a manifest.
#[must_use]
pub fn is_one(name: &str) -> bool {
    name == OF_ALL || (name.starts_with("manifest-") && name.strip_suffix(".json").is_some())
}

/// What a manifest says of one variant: a team has nothing to say of others.
#[must_use]
pub fn only_of(mut manifest: Manifest, variant: &str) -> Manifest {
    manifest.updates.retain(|update| update.variant == variant);
    manifest.extensions.paused.retain(|paused| paused.update.variant == variant);
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_told_by_its_name() {
        assert!(is_one("manifest.json") && is_one(&of_variant("metal")));
        for name in ["manifest", "manifest-metal", "xmanifest.json", "manifest_metal.json", "migrate.lz4"] {
            assert!(!is_one(name), "{name}");
        }
    }
}
