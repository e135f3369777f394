//! What the settings that this server itself understands take beyond their type.
//!
//! These go into the configuration of `updog`, where a bad value would make every later check fail; it is refused here,
//! where the person who typed it can be told.

use datastore::{Key, Value};
use semver::Version;

/// The largest place that a host can have in the fleet (`docs/compatibility.md`, "Waves").
pub const MAX_SEED: i64 = 2048;

/// The key of a host's place in the fleet; its value is drawn once, on the first boot.
pub const SEED: &str = "settings.updates.seed";

/// Checks a value of the right type against what its setting means. The error is to be read after "it takes".
///
/// # Errors
/// When the setting is one that this server understands and the value makes no sense for it.
pub fn check(key: &Key, value: &Value) -> Result<(), &'static str> {
    let text = value.as_str().unwrap_or_default();
    let (good, takes) = match key.to_string().as_str() {
        SEED => (
            value.as_i64().is_some_and(|seed| (0..=MAX_SEED).contains(&seed)),
            "a whole number from 0 to 2048",
        ),
        "settings.updates.version-lock" => (is_version_lock(text), "\"latest\" or a version such as 1.2.3"),
        "settings.updates.metadata-base-url" | "settings.updates.targets-base-url" => {
            (is_address(text), "an address such as https://updates.example/targets/")
        }
        _ => (true, ""),
    };
    if good { Ok(()) } else { Err(takes) }
}

fn is_version_lock(text: &str) -> bool {
    text == "latest" || Version::parse(text.strip_prefix('v').unwrap_or(text)).is_ok()
}

/// Only the shape: `updog` reads it as a URL and says more.
fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && !rest.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good(key: &str, value: &Value) -> bool {
        check(&Key::parse(key).unwrap(), value).is_ok()
    }

    #[test]
    fn a_seed_is_a_place_in_the_fleet() {
        for seed in [0, 1, 2048] {
            assert!(good(SEED, &json!(seed)), "{seed}");
        }
        for seed in [-1, 2049, i64::MAX] {
            assert!(!good(SEED, &json!(seed)), "{seed}");
        }
    }

    #[test]
    fn a_lock_is_latest_or_a_version() {
        for lock in ["latest", "1.2.3", "v1.2.3", "1.2.3-rc.1"] {
            assert!(good("settings.updates.version-lock", &json!(lock)), "{lock}");
        }
        for lock in ["", "Latest", "1.2", "vv1.2.3"] {
            assert!(!good("settings.updates.version-lock", &json!(lock)), "{lock}");
        }
    }

    #[test]
    fn a_base_address_has_a_scheme_and_a_place() {
        for url in ["https://a.example/x/", "http://127.0.0.1:80"] {
            assert!(good("settings.updates.targets-base-url", &json!(url)), "{url}");
        }
        for url in ["", "targets", "https://", "://a", "https://a b/"] {
            assert!(!good("settings.updates.metadata-base-url", &json!(url)), "{url}");
        }
    }

    #[test]
    fn other_settings_take_what_their_type_takes() {
        assert!(good("settings.motd", &json!("")));
    }
}
