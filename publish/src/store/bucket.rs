//! A bucket and a prefix, with credentials from the usual environment and files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path as Name;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::Refused;

/// After so long it is not tried again.
const RETRY_FOR: Duration = Duration::from_secs(120);

/// A prefix in a bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: String,
}

impl Bucket {
    /// The one at `s3://BUCKET/PREFIX`. `variable` is the environment; a request that failed on the way is tried again
    /// `retries` times.
    ///
    /// # Errors
    /// When the address names no bucket, or the environment does not fit.
    pub fn open(
        address: &str,
        variable: &dyn Fn(&str) -> Option<String>,
        retries: usize,
    ) -> Result<Self, Refused> {
        let refused =
            |reason: &str| Refused::Address { address: address.to_owned(), reason: reason.to_owned() };
        let url = Url::parse(address).map_err(|error| refused(&error.to_string()))?;
        if url.scheme() != "s3" {
            return Err(refused("it does not begin with s3://"));
        }
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| refused("it names no bucket"))?;
        let prefix = url.path().trim_matches('/').to_owned();
        if prefix.split('/').any(|part| part == "..") || url.query().is_some() {
            return Err(refused("a prefix is a plain path"));
        }
        // A second one is refused by rustls, and then the first one is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let files = credentials(variable);
        let value = |names: &[&str]| {
            names.iter().find_map(|name| variable(name).or_else(|| files.get(*name).cloned()))
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(
                value(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned()),
            )
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(RetryConfig {
                max_retries: retries,
                retry_timeout: RETRY_FOR,
                ..RetryConfig::default()
            });
        if let Some(id) = value(&["AWS_ACCESS_KEY_ID"]) {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = value(&["AWS_SECRET_ACCESS_KEY"]) {
            builder = builder.with_secret_access_key(secret);
        }
        if let Some(token) = value(&["AWS_SESSION_TOKEN"]) {
            builder = builder.with_token(token);
        }
        let mut options = ClientOptions::new();
        if let Some(endpoint) = value(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
            // Whoever names an endpoint without TLS means it: one on this machine, or behind a tunnel.
            options = options.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.with_client_options(options).build();
        let store = store.map_err(|error| refused(&error.to_string()))?;
        Ok(Self { store: Arc::new(store), prefix })
    }

    /// The name of an object below the prefix.
    pub(super) fn name(&self, below: &str) -> Name {
        let all = if self.prefix.is_empty() { below.to_owned() } else { format!("{}/{below}", self.prefix) };
        Name::from(all)
    }
}

/// What the files of the usual tools say, by the names of variables: those of the profile in `AWS_PROFILE`.
fn credentials(variable: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let home = |file: &str| variable("HOME").map(|home| PathBuf::from(home).join(".aws").join(file));
    let file = |name: &str, default: &str| variable(name).map(PathBuf::from).or_else(|| home(default));
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let mut found = BTreeMap::new();
    for (path, section) in [
        (
            file("AWS_CONFIG_FILE", "config"),
            if profile == "default" { profile.clone() } else { format!("profile {profile}") },
        ),
        (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile.clone()),
    ] {
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        for (key, value) in of_section(&text, &section) {
            let name = match key {
                "aws_access_key_id" => "AWS_ACCESS_KEY_ID",
                "aws_secret_access_key" => "AWS_SECRET_ACCESS_KEY",
                "aws_session_token" => "AWS_SESSION_TOKEN",
                "region" => "AWS_REGION",
                "endpoint_url" => "AWS_ENDPOINT_URL",
                _ => continue,
            };
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
}

/// The pairs of a section of such a file.
fn of_section<'a>(text: &'a str, section: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut inside = false;
    let section = section.to_owned();
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name.trim() == section;
            return None;
        }
        let (key, value) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))?;
        Some((key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_a_prefix_stand_in_the_address() {
        let none = |_: &str| -> Option<String> { None };
        for (address, prefix) in [("s3://b", ""), ("s3://b/", ""), ("s3://b/a/c/", "a/c")] {
            assert_eq!(Bucket::open(address, &none, 0).unwrap().prefix, prefix);
        }
        for address in ["b", "http://b/a", "s3://", "s3:///a", "s3://b/a?x=1"] {
            assert!(matches!(Bucket::open(address, &none, 0), Err(Refused::Address { .. })), "{address}");
        }
    }

    #[test]
    fn credentials_come_from_the_profile_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let aws = dir.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(
            aws.join("credentials"),
            "[default]\naws_access_key_id = one\n# aws_session_token = no\n[other]\naws_access_key_id=two\naws_secret_access_key = x=y\n",
        )
        .unwrap();
        std::fs::write(aws.join("config"), "[default]\nregion = here\n[profile other]\nregion = there\n")
            .unwrap();
        let home = dir.path().display().to_string();
        let of = |profile: Option<&str>| {
            let profile = profile.map(str::to_owned);
            let home = home.clone();
            credentials(&move |name: &str| match name {
                "HOME" => Some(home.clone()),
                "AWS_PROFILE" => profile.clone(),
                _ => None,
            })
        };
        let pairs = |all: BTreeMap<String, String>| {
            all.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(pairs(of(None)), ["AWS_ACCESS_KEY_ID=one", "AWS_REGION=here"]);
        assert_eq!(
            pairs(of(Some("other"))),
            ["AWS_ACCESS_KEY_ID=two", "AWS_REGION=there", "AWS_SECRET_ACCESS_KEY=x=y"]
        );
        assert_eq!(pairs(of(Some("nobody"))), [""; 0]);
    }
}
