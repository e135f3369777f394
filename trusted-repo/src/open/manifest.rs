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
    fn a_team_has_nothing_to_say_of_other_variants() {
        let update = |variant: &str| {
            serde_json::json!({
                "variant": variant, "arch": "x86_64", "version": "1.1.0", "max_version": "1.1.0", "waves": {},
                "images": { "boot": "b", "root": "r", "hash": "h" }
            })
        };
        let text = serde_json::json!({
            "updates": [update("metal"), update("cloud")],
            "migrations": { "(1.0.0, 1.1.0)": ["m.lz4"] }
        });
        let manifest = Manifest::parse(text.to_string().as_bytes()).expect("a manifest");
        let ours = only_of(manifest, "metal");
        let variants: Vec<&str> = ours.updates.iter().map(|update| update.variant.as_str()).collect();
        assert_eq!(variants, ["metal"]);
        assert_eq!(ours.migrations.len(), 1);
    }

    #[test]
    fn a_manifest_is_told_by_its_name() {
        assert!(is_one("manifest.json") && is_one(&of_variant("metal")));
        for name in ["manifest", "manifest-metal", "xmanifest.json", "manifest_metal.json", "migrate.lz4"] {
            assert!(!is_one(name), "{name}");
        }
    }
}
