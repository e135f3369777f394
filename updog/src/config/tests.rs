//! What is in the configuration, and what is refused there.

use super::*;

const FULL: &str = r#"
metadata_base_url = "https://updates.example/2020-07-07/metal/x86_64"
targets_base_url = "https://updates.example/targets/"
seed = 1042
version_lock = "v1.2.0"
ignore_waves = false
https_proxy = "proxy.example:3128"
no_proxy = ["localhost", ".example"]
something_newer = { a = 1 }
"#;

fn parsed(text: &str) -> Result<Config, Error> {
    parse(text, PathBuf::from("/etc/updog.toml"))
}

fn complaint(from: &str, to: &str) -> String {
    let text = FULL.replace(from, to);
    assert_ne!(text, FULL, "the change must change something");
    host_io::report::sentence("updog", &parsed(&text).unwrap_err())
}

#[test]
fn a_rendered_file_is_understood_and_newer_keys_are_ignored() {
    let config = parsed(FULL).unwrap();
    assert_eq!(config.metadata_base_url.to_string(), "https://updates.example/2020-07-07/metal/x86_64/");
    assert_eq!(config.seed.get(), 1042);
    assert_eq!(config.version_lock, VersionLock::At(Version::new(1, 2, 0)));
    assert_eq!(config.https_proxy.unwrap().to_string(), "http://proxy.example:3128");
    assert_eq!(config.no_proxy.len(), 2);
}

#[test]
fn the_proxy_is_optional_and_empty_means_none() {
    let text = FULL.lines().filter(|line| !line.contains("proxy")).collect::<Vec<_>>().join("\n");
    let config = parsed(&text).unwrap();
    assert_eq!(config.https_proxy, None);
    assert!(config.no_proxy.is_empty());
    assert_eq!(parsed(&FULL.replace("proxy.example:3128", "")).unwrap().https_proxy, None);
    assert_eq!(config.nice, 0, "who says nothing gives way to nobody");
}

#[test]
fn the_way_to_the_repository_is_optional_and_checked() {
    let bare = parsed(FULL).unwrap();
    assert_eq!((bare.mirrors.len(), bare.ca_bundle, bare.bandwidth_limit), (0, None, None));
    let text = format!(
        "ca_bundle = \"/etc/ca.pem\"\nclient_certificate = \"/etc/me.pem\"\nbandwidth_limit = 500000\n{FULL}\n\
         [[mirrors]]\nmetadata_base_url = \"https://mirror.example/m\"\ntargets_base_url = \"file:///media/usb/targets\"\n"
    );
    let config = parsed(&text).unwrap();
    assert_eq!(config.mirrors[0].metadata_base_url.to_string(), "https://mirror.example/m/");
    assert_eq!(config.mirrors[0].targets_base_url.to_string(), "file:///media/usb/targets/");
    assert_eq!(config.ca_bundle, Some(PathBuf::from("/etc/ca.pem")));
    assert_eq!(config.client_certificate, Some(PathBuf::from("/etc/me.pem")));
    assert_eq!(config.bandwidth_limit, NonZeroU64::new(500_000));
    let broken = text.replace("https://mirror.example/m", "mirror");
    let said = host_io::report::sentence("updog", &parsed(&broken).unwrap_err());
    assert!(said.contains("settings.updates.mirrors"), "{said}");
}

#[test]
fn a_value_that_makes_no_sense_names_its_setting() {
    assert!(complaint("1042", "2049").contains("correct the setting settings.updates.seed"));
    assert!(complaint("1042", "-1").contains("\"-1\""));
    for nice in ["20", "-5"] {
        let said = complaint("seed = 1042", &format!("seed = 1042\nnice = {nice}"));
        assert!(said.contains("not between 0 and 19") && said.contains("settings.updates.nice"), "{said}");
    }
    let said = complaint("v1.2.0", "1.2");
    assert!(said.contains("write 1.2.0\n") && said.contains("settings.updates.version-lock"), "{said}");
    let said = complaint("seed = 1042", "seed = 1042\nminimum_version = \"v2\"");
    assert!(said.contains("write 2.0.0\n") && said.contains("settings.updates.minimum-version"), "{said}");
    assert!(complaint("https://updates.example/targets/", "targets").contains("targets-base-url"));
    assert!(complaint("proxy.example:3128", "http://").contains("settings.network.https-proxy"));
    for scheme in ["socks5", "ftp"] {
        let said = complaint("proxy.example:3128", &format!("{scheme}://me:s3cret@proxy.example:3128"));
        assert!(
            said.contains(&format!("{scheme:?} is no kind of proxy")) && !said.contains("s3cret"),
            "{said}"
        );
    }
    assert!(!complaint("proxy.example:3128", "me:s3cret@pro xy:3128").contains("s3cret"));
    assert!(complaint("\".example\"", "\"http://x/\"").contains("settings.network.no-proxy"));
}

#[test]
fn no_secret_of_an_address_is_in_a_complaint() {
    let file = "https://updates.example/targets/";
    for wrong in [
        "ftp://me:s3cret@host/",
        "https://me:s3cret@ho st/",
        "https://h/?seed=1&sig=s3cret",
        "https://me:s3cret@h/?X-Amz-Signature=1",
        "https://me:s3cret@h/\"?sig=s3cret\" = ",
    ] {
        let said = complaint(file, wrong);
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert!(complaint(file, "https://h/?seed=1&sig=s3cret").contains("its query has \"seed\""));
    assert!(complaint(file, "file://media/usb/").contains("file:///media/usb/"));
    let config = parsed(&FULL.replace(file, "https://me:s3cret@host/?sig=s3cret")).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    assert_eq!(unknown_keys(FULL), [("something_newer".to_owned(), 9)]);
    let typo = "metadata_base_url = \"x\"\nmetadata_bse_url = 1\ndata-budget = 5\nnice = 3\n[extra]\na = 1\n";
    assert_eq!(unknown_keys(typo), [("extra".to_owned(), 5), ("metadata_bse_url".to_owned(), 2)]);
    let written_oddly = "nice = 3\n 'one' = 1\n\"tw\\u006f\" = 2\nthree.x = 3\n[[four]]\na = 1\n";
    let mut found = unknown_keys(written_oddly);
    found.sort_by_key(|(_, line)| *line);
    assert_eq!(
        found,
        [("one", 2), ("two", 3), ("three", 4), ("four", 5)].map(|(key, line)| (key.to_owned(), line))
    );
    // Nothing that the shipped template renders is warned about on every run.
    let template = include_str!("../../../dist/usr/share/bottlerocket/templates/updog.toml");
    let keys: Vec<&str> = template
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(keys.contains(&"window"), "{keys:?}");
    assert!(keys.iter().all(|key| KEYS.contains(key)), "{keys:?}");
}

#[test]
fn a_missing_key_is_named() {
    assert!(complaint("seed = 1042", "").contains("seed"));
    assert!(complaint("ignore_waves = false", "ignore_waves = \"no\"").contains("ignore_waves"));
}

#[test]
fn failures_are_told_in_these_words() {
    for (failure, words) in [
        (
            Error::Read { path: "/data/file".into(), source: std::io::Error::other("the disk is gone") },
            "read /data/file",
        ),
        (
            Error::Certificate {
                path: "/data/file".into(),
                source: std::io::Error::other("the disk is gone"),
            },
            "read the certificates in /data/file",
        ),
        (
            Error::Value {
                path: "/data/file".into(),
                key: "seed",
                value: "9".into(),
                reason: "it is torn".into(),
            },
            "find a valid seed in /data/file: \"9\": it is torn",
        ),
    ] {
        assert_eq!(failure.to_string(), words);
    }
}
