//! Proxies as values: which one stands before an address, and which addresses are reached without.

use std::fmt;
use std::net::IpAddr;

use host_io::address::{Misread, read_as_written};
use thiserror::Error;
use tracing::warn;
use url::Url;

use crate::place::address::without_secrets;

/// Proxies as values. Without any, the environment's usual variables hold, beside the exceptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy for `https://`.
    pub https_proxy: Option<ProxyAddress>,
    /// The proxy for `http://`.
    pub http_proxy: Option<ProxyAddress>,
    /// What is reached without them.
    pub no_proxy: Vec<Exception>,
}

/// A variable of the environment that names no proxy which could be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the environment variable {variable} names no proxy: {source}")]
pub struct BadVariable {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with what it holds.
    pub source: BadProxy,
}

impl Proxy {
    /// What the usual variables say, each read by `variable`: in small letters before large ones, `all_proxy` where
    /// there is no other. `HTTP_PROXY` is left to web servers, which put a client's header there.
    ///
    /// # Errors
    /// Where one names no proxy that is spoken here: to go without would be to go where nobody wanted. An exception that
    /// could never match is only warned about, as the variable is shared with programs that know other forms.
    pub fn of_variables(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, BadVariable> {
        let first = |names: &[&'static str]| {
            let named = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            let said = named.filter(|(_, text)| !text.trim().is_empty());
            let parse = |(variable, text): (&'static str, String)| {
                ProxyAddress::parse(&text).map_err(|source| BadVariable { variable, source })
            };
            said.map(parse).next().transpose()
        };
        let http = if variable("REQUEST_METHOD").is_some() {
            first(&["http_proxy", "all_proxy", "ALL_PROXY"])
        } else {
            first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
        };
        let exceptions = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        let mut no_proxy = Vec::new();
        for text in exceptions.split([',', ' ']).filter(|text| !text.is_empty()) {
            match Exception::parse(text) {
                Ok(exception) => no_proxy.push(exception),
                Err(BadException) => {
                    warn!("no_proxy has {text:?} in it, which is passed over: {BadException}")
                }
            }
        }
        Ok(Self {
            https_proxy: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            http_proxy: http?,
            no_proxy,
        })
    }
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
    /// It would be read as another one.
    #[error(transparent)]
    Misread(#[from] Misread),
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
        read_as_written(&address)?;
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

/// A text that is no exception: it could never match anything. Whoever tells of it shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is neither a host, a domain, an address nor a network, with or without a port")]
pub struct BadException;

impl Exception {
    /// What `text` means.
    ///
    /// # Errors
    /// [`BadException`] when it could never match.
    pub fn parse(text: &str) -> Result<Self, BadException> {
        let text = text.trim();
        let of = |hosts| Ok(Self { hosts, port: None });
        if let Ok(address) = text.parse() {
            return of(Hosts::Address(address));
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| BadException)?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or(BadException)?;
            return of(Hosts::Network(address, bits));
        }
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an address in brackets.
            _ if text.ends_with(']') => (text, None),
            Some((host, port)) => {
                (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or(BadException)?))
            }
            None => (text, None),
        };
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let hosts = match bracketed.unwrap_or(host).parse() {
            Ok(address) => Hosts::Address(address),
            Err(_) if bracketed.is_some() => return Err(BadException),
            Err(_) if host == "*" => Hosts::All,
            Err(_) => {
                let domain = host.strip_prefix("*.").or(host.strip_prefix('.')).unwrap_or(host);
                let domain = domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase();
                let label = |label: &str| {
                    !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
                };
                // No host's name ends in a number: "10." and "10.0.0.1-9" are networks in the words of others.
                let named = |domain: &String| {
                    let last = domain.rsplit('.').next().unwrap_or_default();
                    domain.split('.').all(label) && !last.chars().all(|c| c.is_ascii_digit())
                };
                // A name in the code for other letters than English ones, which stands for none, is nobody's.
                let is_name = |domain: &String| url::Host::parse(domain).is_ok();
                Hosts::Domain(Some(domain).filter(named).filter(is_name).ok_or(BadException)?)
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
#[derive(Debug, Clone)]
pub(crate) struct Route(Proxy);

impl Route {
    /// As it was said, or as the environment has it.
    pub(crate) fn new(proxy: &Proxy) -> Result<Self, BadVariable> {
        Self::or_of_variables(proxy, |name| std::env::var(name).ok())
    }

    fn or_of_variables(
        proxy: &Proxy,
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, BadVariable> {
        if proxy.https_proxy.is_some() || proxy.http_proxy.is_some() {
            return Ok(Self(proxy.clone()));
        }
        let mut found = Proxy::of_variables(variable)?;
        // What was said to be reached without a proxy is, whoever names the proxy.
        found.no_proxy.extend(proxy.no_proxy.iter().cloned());
        Ok(Self(found))
    }

    /// The proxy before `url`, if there is one.
    pub(crate) fn before(&self, url: &Url) -> Option<ProxyAddress> {
        let Proxy { https_proxy, http_proxy, no_proxy } = &self.0;
        let proxy = match url.scheme() {
            "https" => https_proxy,
            _ => http_proxy,
        };
        proxy.clone().filter(|_| !no_proxy.iter().any(|exception| exception.matches(url)))
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
        assert!(goes_around("[::1]", "http://[::1]:8080/"));
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
            "[::1",
            "10.",
            "10.0.0",
            "127.0.0.1-127.0.0.9",
            "10.0.0.256",
            "xn--zz--zz.example",
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
        for text in ["http://", "http:///proxy:3128", "10.1:3128", "xn--zz--zz.example:3128"] {
            assert!(ProxyAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_stands_before_its_scheme_and_not_before_exceptions() {
        let proxy = Proxy {
            https_proxy: Some(ProxyAddress::parse("proxy:1").expect("a proxy")),
            http_proxy: None,
            no_proxy: vec![Exception::parse(".local").expect("an exception")],
        };
        let route = Route::new(&proxy).expect("it was said");
        let before = |url: &str| route.before(&Url::parse(url).expect("valid")).is_some();
        assert!(
            before("https://updates.example/")
                && !before("http://updates.example/")
                && !before("https://a.local/")
        );
    }

    /// What variables mean.
    fn said(variables: &[(&str, &str)]) -> Result<Proxy, String> {
        let value = |name: &str| {
            let (_, text) = variables.iter().find(|(one, _)| *one == name)?;
            Some((*text).to_owned())
        };
        Proxy::of_variables(value).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_read_as_strictly_as_the_configuration() {
        let proxy =
            said(&[("ALL_PROXY", "corp:s3cret@all:1"), ("HTTP_PROXY", "large:2"), ("http_proxy", "small:3")])
                .expect("proxies");
        let shown = |address: &Option<ProxyAddress>| address.as_ref().map(ToString::to_string);
        assert_eq!(shown(&proxy.http_proxy).as_deref(), Some("http://small:3"));
        assert_eq!(shown(&proxy.https_proxy).as_deref(), Some("http://all:1"));
        let of_a_web_server = said(&[("HTTP_PROXY", "a.client:2"), ("REQUEST_METHOD", "GET")]).expect("none");
        assert_eq!(of_a_web_server.http_proxy, None);
        assert_eq!(said(&[("https_proxy", ""), ("no_proxy", "a")]).expect("none").https_proxy, None);
        let around =
            said(&[("https_proxy", "p:1"), ("NO_PROXY", "10.*, .local,a.example:444")]).expect("exceptions");
        assert_eq!(around.no_proxy.len(), 2, "the first of them could never match");
        for (variable, text, why) in [
            ("https_proxy", "socks5h://me:s3cret@host:1", "\"socks5h\" is no kind of proxy"),
            ("ALL_PROXY", "ftp://me:s3cret@host:1", "\"ftp\" is no kind of proxy"),
            ("HTTP_PROXY", "http://me:s3cret@host:99999", "it is no address: invalid port number"),
        ] {
            let refused = said(&[(variable, text)]).expect_err(text);
            let begins = format!("the environment variable {variable} names no proxy: {why}");
            assert!(refused.starts_with(&begins) && !refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn exceptions_that_were_said_hold_for_a_proxy_of_the_environment_too() {
        let said =
            Proxy { no_proxy: vec![Exception::parse(".local").expect("an exception")], ..Proxy::default() };
        let value = |name| match name {
            "https_proxy" => Some("proxy:1".to_owned()),
            "no_proxy" => Some("a.example".to_owned()),
            _ => None,
        };
        let route = Route::or_of_variables(&said, value).expect("a proxy");
        let before = |url: &str| route.before(&Url::parse(url).expect("valid")).is_some();
        assert!(before("https://b.example/") && !before("https://a.example/") && !before("https://a.local/"));
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (BadProxy::Syntax(url::ParseError::EmptyHost), "it is no address: empty host"),
            (
                BadProxy::Scheme { scheme: "socks5".into() },
                "\"socks5\" is no kind of proxy that is spoken here: they are http and https",
            ),
            (BadProxy::NoHost, "it names no host"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }

    #[test]
    fn bad_exception_is_told_in_these_words() {
        assert_eq!(
            BadException.to_string(),
            "it is neither a host, a domain, an address nor a network, with or without a port"
        );
    }
}
