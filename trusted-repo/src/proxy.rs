//! Proxies as values: which one stands before an address, and which addresses are reached without.

use std::fmt;
use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use thiserror::Error;
use url::Url;

use crate::address::without_secrets;

/// Proxies as values. Without any, the environment's usual variables hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy for `https://`.
    pub https_proxy: Option<ProxyAddress>,
    /// The proxy for `http://`.
    pub http_proxy: Option<ProxyAddress>,
    /// What is reached without them.
    pub no_proxy: Vec<Exception>,
}

/// The address of an HTTP proxy, `http://` or `https://`. It may have a login in it, which no print shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress(Url);

/// Why a text is no address of a proxy. It does not hold the text, which may have a login in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadProxy {
    /// It is no address at all.
    #[error("it is no address: {0}")]
    Syntax(#[from] url::ParseError),
    /// A kind of proxy that nobody here speaks to.
    #[error("{scheme:?} is no kind of proxy that is spoken here: they are http and https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// There is no host in it.
    #[error("it names no host")]
    NoHost,
}

impl ProxyAddress {
    /// What `text` means. Without a scheme it is `HOST:PORT` of an HTTP proxy, as in the usual environment variables.
    ///
    /// # Errors
    /// [`BadProxy`].
    pub fn parse(text: &str) -> Result<Self, BadProxy> {
        let text = text.trim();
        let address = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let scheme = address.split("://").next().unwrap_or_default().to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(BadProxy::Scheme { scheme });
        }
        let url = Url::parse(&address)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadProxy::NoHost);
        }
        Ok(Self(url))
    }

    /// The address with its login: to be used, never shown.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = without_secrets(&self.0);
        f.write_str(bare.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyAddress").field(&self.to_string()).finish()
    }
}

/// Hosts that are reached without a proxy: `*`; `host.example`, `.example` and `*.example`, which all mean the name and
/// what lies below it; an address; a network such as `10.0.0.0/8`. Each may end in a port, a network excepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// In lower case, without dots around it.
    Domain(String),
    Address(IpAddr),
    Network(IpAddr, u8),
}

/// A text that is no exception: it could never match anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is neither a host, a domain, an address nor a network, with or without a port")]
pub struct BadException {
    text: String,
}

impl Exception {
    /// What `text` means.
    ///
    /// # Errors
    /// [`BadException`] when it could never match.
    pub fn parse(text: &str) -> Result<Self, BadException> {
        let text = text.trim();
        let bad = || BadException { text: text.to_owned() };
        let of = |hosts| Ok(Self { hosts, port: None });
        if let Ok(address) = text.parse() {
            return of(Hosts::Address(address));
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| bad())?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(bad)?;
            return of(Hosts::Network(address, bits));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?)),
            None => (text, None),
        };
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let hosts = match bracketed.unwrap_or(host).parse() {
            Ok(address) => Hosts::Address(address),
            Err(_) if bracketed.is_some() => return Err(bad()),
            Err(_) if host == "*" => Hosts::All,
            Err(_) => {
                let domain = host.strip_prefix("*.").or(host.strip_prefix('.')).unwrap_or(host);
                let domain = domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase();
                let label = |label: &str| {
                    !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
                };
                Hosts::Domain(Some(domain).filter(|domain| domain.split('.').all(label)).ok_or_else(bad)?)
            }
        };
        Ok(Self { hosts, port })
    }

    fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        if self.port.is_some() && self.port != url.port_or_known_default() {
            return false;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match (&self.hosts, bare.parse::<IpAddr>()) {
            (Hosts::All, _) => true,
            (Hosts::Address(one), Ok(other)) => *one == other,
            (Hosts::Network(network, bits), Ok(address)) => is_within(*network, *bits, address),
            (Hosts::Domain(domain), Err(_)) => {
                let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Hosts::Address(_) | Hosts::Network(..), Err(_)) | (Hosts::Domain(_), Ok(_)) => false,
        }
    }
}

fn is_within(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let same = |one: u128, other: u128, width: u8| bits == 0 || (one ^ other) >> (width - bits) == 0;
    match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.into(), other.into(), 128),
        _ => false,
    }
}

/// Which proxy stands before an address.
#[derive(Debug)]
pub(crate) enum Route {
    /// As it was said.
    Said(Proxy),
    /// As the environment has it.
    OfEnvironment(Box<Matcher>),
}

impl Route {
    pub(crate) fn new(proxy: &Proxy) -> Self {
        if proxy.https_proxy.is_none() && proxy.http_proxy.is_none() {
            return Self::OfEnvironment(Box::new(Matcher::from_env()));
        }
        Self::Said(proxy.clone())
    }

    /// The proxy before `url`, if there is one.
    pub(crate) fn before(&self, url: &Url) -> Option<ProxyAddress> {
        match self {
            Self::Said(Proxy { https_proxy, http_proxy, no_proxy }) => {
                let proxy = match url.scheme() {
                    "https" => https_proxy,
                    _ => http_proxy,
                };
                proxy.clone().filter(|_| !no_proxy.iter().any(|exception| exception.matches(url)))
            }
            Self::OfEnvironment(matcher) => {
                let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
                ProxyAddress::parse(&proxy.uri().to_string()).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_around(exception: &str, url: &str) -> bool {
        Exception::parse(exception).expect(exception).matches(&Url::parse(url).expect("valid"))
    }

    #[test]
    fn an_exception_is_a_name_and_what_lies_below_it() {
        let url = "https://updates.example/x";
        for exception in [
            "updates.example",
            ".example",
            "example",
            "UPDATES.example",
            "*",
            "*.example",
            "updates.example:443",
            "*:443",
            "example.",
        ] {
            assert!(goes_around(exception, url), "{exception}");
        }
        for exception in
            ["tes.example", "updates.example:80", "updates.example.org", "10.0.0.0/8", "10.0.0.1"]
        {
            assert!(!goes_around(exception, url), "{exception}");
        }
    }

    #[test]
    fn an_exception_is_an_address_or_a_network() {
        assert!(
            goes_around("10.0.0.0/8", "http://10.1.2.3/") && goes_around("0.0.0.0/0", "http://10.1.2.3/")
        );
        assert!(
            !goes_around("10.0.0.0/8", "http://11.1.2.3/") && !goes_around("10.0.0.0/8", "http://[::1]/")
        );
        assert!(goes_around("::1", "http://[::1]:8080/") && goes_around("[::1]:8080", "http://[::1]:8080/"));
        assert!(
            goes_around("fd00::/8", "http://[fd12::1]/") && !goes_around("fd00::/8", "http://[fe80::1]/")
        );
        assert!(
            goes_around("127.0.0.1:80", "http://127.0.0.1/")
                && !goes_around("127.0.0.1:80", "http://127.0.0.1:81/")
        );
    }

    #[test]
    fn what_could_never_match_is_no_exception() {
        for text in [
            "",
            "http://host",
            "a/b",
            "host:port",
            "host:0",
            "10.0.0.0/33",
            "*x",
            "a*.b",
            "a..b",
            "a b",
            "[x]",
        ] {
            assert!(Exception::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_login_and_only_where_it_is_spoken() {
        let proxy = ProxyAddress::parse("corp:s3cret@proxy.example:3128").expect("a proxy");
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        assert!(!format!("{proxy:?}").contains("s3cret"));
        for scheme in ["socks5", "socks5h", "socks4", "ftp", "file"] {
            let refused =
                ProxyAddress::parse(&format!("{scheme}://me:s3cret@host:1")).expect_err(scheme).to_string();
            assert!(refused.contains(scheme) && !refused.contains("s3cret"), "{refused}");
        }
        assert!(ProxyAddress::parse("http://").is_err());
    }

    #[test]
    fn a_proxy_stands_before_its_scheme_and_not_before_exceptions() {
        let proxy = Proxy {
            https_proxy: Some(ProxyAddress::parse("proxy:1").expect("a proxy")),
            http_proxy: None,
            no_proxy: vec![Exception::parse(".local").expect("an exception")],
        };
        let route = Route::new(&proxy);
        let before = |url: &str| route.before(&Url::parse(url).expect("valid")).is_some();
        assert!(
            before("https://updates.example/")
                && !before("http://updates.example/")
                && !before("https://a.local/")
        );
    }
}
