//! Where a repository is, and what goes along with every request.

use std::fmt;
use std::num::NonZeroU64;
use std::path::PathBuf;

use crate::place::address::Address;
use crate::place::proxy::Proxy;
use crate::transport::Account;

/// A repository: two base addresses.
///
/// [`Source::new`] leaves everything else at its default; fields may come in later releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the metadata lies. What is remembered belongs to this address without its secrets.
    pub metadata_base_url: Address,
    /// Where the targets lie.
    pub targets_base_url: Address,
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
    pub fn new(metadata_base_url: Address, targets_base_url: Address) -> Self {
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
    pub metadata_base_url: Address,
    /// Where it has the targets.
    pub targets_base_url: Address,
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

/// A base address, ready to name files below it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A web server.
    Web(Address),
    /// A directory.
    Directory(PathBuf),
}

impl From<&Address> for Place {
    fn from(address: &Address) -> Self {
        if address.bare().scheme() != "file" {
            return Self::Web(address.clone());
        }
        Self::Directory(address.bare().to_file_path().expect("an address of a file has a path of this host"))
    }
}

impl Place {
    /// The place for people: where `name` lies.
    pub(crate) fn describe(&self, name: &str) -> String {
        match self {
            Self::Web(base) => format!("{base}{name}"),
            Self::Directory(dir) => dir.join(name).display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_described_without_its_secrets() {
        let place = |text: &str| Place::from(&Address::parse(text).expect("an address")).describe("x.json");
        assert_eq!(place("http://me:secret@host/a/b?tok=1"), "http://host/a/b/x.json");
        assert_eq!(place("file:///media/usb%20stick/repo"), "/media/usb stick/repo/x.json");
    }
}
