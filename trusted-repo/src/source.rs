//! Where a repository is, and what goes along with every request.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;

use url::Url;

use crate::transport::Account;

/// A repository: two base addresses, each `https://`, `http://` or `file://`.
///
/// [`Source::new`] leaves everything else at its default; fields may come in later releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the metadata lies. A query in it is not sent and does not count for the memory.
    pub metadata_base_url: Url,
    /// Where the targets lie.
    pub targets_base_url: Url,
    /// Other places with the same repository. They are tried in this order when the first does not answer, or answers
    /// with something that cannot be trusted. What is remembered is remembered of the repository, not of a mirror.
    pub mirrors: Vec<Mirror>,
    /// Name and value pairs that every HTTP request carries, sorted by name. Files take none.
    pub query: Vec<(String, String)>,
    /// How web servers are reached.
    pub proxy: Proxy,
    /// Whom `https://` trusts, and who this host is.
    pub tls: Tls,
    /// The most bytes a second that all downloads together take, on average.
    pub bandwidth_limit: Option<NonZeroU64>,
    /// Where what comes is counted, and how much may come.
    pub account: Account,
}

impl Source {
    /// A repository with one place, reached directly.
    #[must_use]
    pub fn new(metadata_base_url: Url, targets_base_url: Url) -> Self {
        Self {
            metadata_base_url,
            targets_base_url,
            mirrors: Vec::new(),
            query: Vec::new(),
            proxy: Proxy::default(),
            tls: Tls::default(),
            bandwidth_limit: None,
            account: Account::default(),
        }
    }
}

/// Another place with the same repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where it has the metadata.
    pub metadata_base_url: Url,
    /// Where it has the targets.
    pub targets_base_url: Url,
}

/// TLS as values, each in PEM as it is read from a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The CA certificates that count instead of the host's own.
    pub ca_bundle: Option<Vec<u8>>,
    /// This host's certificate, the ones between it and its authority, and its key.
    pub client_certificate: Option<Vec<u8>>,
}

/// Without the key: a debug print may end in a log.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca_bundle", &self.ca_bundle.is_some())
            .field("client_certificate", &self.client_certificate.is_some())
            .finish()
    }
}

/// Proxies as values. Without any, the environment's usual variables hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The address of the proxy for `https://`.
    pub https_proxy: Option<Url>,
    /// The address of the proxy for `http://`.
    pub http_proxy: Option<Url>,
    /// Hosts, domains and networks that are reached without them.
    pub no_proxy: Vec<String>,
}

/// A base address, ready to name files below it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A web server; the address ends in a slash and has neither query nor fragment.
    Web(Url),
    /// A directory.
    Directory(PathBuf),
}

impl Place {
    /// What a base URL means. The error is the scheme that nobody here speaks.
    pub(crate) fn from_url(url: &Url) -> Result<Self, String> {
        match url.scheme() {
            "http" | "https" => Ok(Self::Web(as_directory(url))),
            "file" => url.to_file_path().map(Self::Directory).map_err(|()| url.to_string()),
            other => Err(other.to_owned()),
        }
    }

    /// The place for people: where `name` lies.
    pub(crate) fn describe(&self, name: &str) -> String {
        match self {
            Self::Web(base) => format!("{base}{name}"),
            Self::Directory(dir) => dir.join(name).display().to_string(),
        }
    }
}

/// `url` without query and fragment, with a final slash: so that names are joined below it and not beside it.
pub(crate) fn as_directory(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_with_and_without_slash_or_query_is_the_same_place() {
        for text in ["http://host/a/b", "http://host/a/b/", "http://host/a/b?seed=1", "http://host/a/b/#x"] {
            let url = Url::parse(text).expect("valid");
            assert_eq!(as_directory(&url).as_str(), "http://host/a/b/");
            assert_eq!(Place::from_url(&url).expect("spoken").describe("x.json"), "http://host/a/b/x.json");
        }
    }

    #[test]
    fn a_scheme_that_nobody_speaks_is_named() {
        let url = Url::parse("ftp://host/").expect("valid");
        assert_eq!(Place::from_url(&url).expect_err("not spoken"), "ftp");
    }

    #[test]
    fn a_directory_with_a_blank_in_its_name_is_found() {
        let url = Url::parse("file:///media/usb%20stick/repo").expect("valid");
        assert_eq!(Place::from_url(&url).expect("a file").describe("x"), "/media/usb stick/repo/x");
    }
}
