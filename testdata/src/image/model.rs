//! The settings that each release knows: what `dist/` ships, and what this release's image adds to it.
//!
//! The models differ the way real releases differ: 1.1.0 brings a new setting and renames a value, 1.2.0 brings another
//! setting. The migrations below `migrations/` carry a host's settings across.

use std::fmt::Write as _;

use semver::Version;

/// The first release that knows `settings.metrics` and calls the quick start of NTP `iburst`.
const METRICS: Version = Version::new(1, 1, 0);
/// The first release that knows `settings.ntp.servers`.
const NTP_SERVERS: Version = Version::new(1, 2, 0);

/// Where the model and its templates lie in an image.
pub const DIR: &str = "usr/share/bottlerocket";

macro_rules! shipped {
    ($($from:literal => $to:literal,)*) => {
        /// What is shipped: each file's path below [`DIR`] with its text. The clock's settings are the releases' own.
        pub const SHIPPED: &[(&str, &str)] = &[$(($to, include_str!(concat!("../../../dist/", $from)))),*];
    };
}

shipped! {
    "usr/share/bottlerocket/settings.d/host-containers.toml" => "settings.d/host-containers.toml",
    "usr/share/bottlerocket/settings.d/motd.toml" => "settings.d/motd.toml",
    "usr/share/bottlerocket/settings.d/network.toml" => "settings.d/network.toml",
    "usr/share/bottlerocket/settings.d/updates.toml" => "settings.d/updates.toml",
    "usr/share/bottlerocket/templates/motd" => "templates/motd",
    "usr/share/bottlerocket/templates/proxy.env" => "templates/proxy.env",
    "usr/share/bottlerocket/templates/updog.toml" => "templates/updog.toml",
    "usr/share/bottlerocket/templates/user-data" => "templates/user-data",
    "engines/podman/settings.d/engine.toml" => "settings.d/engine.toml",
    "engines/podman/templates/host-container.env" => "templates/host-container.env",
}

/// Where a host of this image looks for updates, unless a person says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Where the TUF metadata lies; ends in a slash.
    pub metadata_base_url: String,
    /// Where the targets lie; ends in a slash.
    pub targets_base_url: String,
}

/// `settings.toml` of `version`: what its image adds to [`SHIPPED`].
#[must_use]
pub fn settings_model(version: &Version, repository: &Repository) -> String {
    let mut text = String::from("# The settings of this release.\n");
    for (key, value) in [
        ("metadata-base-url", &repository.metadata_base_url),
        ("targets-base-url", &repository.targets_base_url),
    ] {
        let _ = write!(text, "\n[[default]]\nkey = \"settings.updates.{key}\"\nvalue = \"{value}\"\n");
    }
    let mut setting = |key: &str, kind: &str, rest: &str| {
        let _ = write!(text, "\n[[setting]]\nkey = \"settings.{key}\"\ntype = \"{kind}\"\n{rest}");
    };
    if *version < METRICS {
        setting("ntp.mode", "string", "default = \"burst\"\nvalues = [\"burst\", \"pool\"]\n");
    } else {
        // It goes on reading what 1.0.0 calls it: some stories are of releases that carry nothing over.
        setting("ntp.mode", "string", "default = \"iburst\"\nvalues = [\"iburst\", \"pool\", \"burst\"]\n");
        setting("metrics.send-metrics", "boolean", "default = false\n");
    }
    if *version >= NTP_SERVERS {
        setting("ntp.servers", "strings", "default = [\"0.pool.example\", \"1.pool.example\"]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(version: &str) -> Vec<String> {
        let repository = Repository {
            metadata_base_url: "http://127.0.0.1:1/v/a/".to_owned(),
            targets_base_url: "http://127.0.0.1:1/targets/".to_owned(),
        };
        let text = settings_model(&version.parse().expect("semantic"), &repository);
        let model: toml::Table = text.parse().expect("valid TOML");
        let settings = model["setting"].as_array().expect("a list");
        settings.iter().map(|setting| setting["key"].as_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn each_release_knows_what_it_brought() {
        let new = |version: &str, key: &str| keys(version).contains(&key.to_owned());
        assert!(!new("1.0.0", "settings.metrics.send-metrics"));
        assert!(new("1.1.0", "settings.metrics.send-metrics"));
        assert!(!new("1.1.0", "settings.ntp.servers"));
        assert!(new("1.2.0", "settings.ntp.servers"));
    }
}
