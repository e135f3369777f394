//! What a proxy is, and what is reached without one: the rules of those who read these settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use host_io::address::read_as_written;
use url::Host;

/// An address, or `HOST:PORT`. Nobody here speaks to another kind of proxy, and one that is not spoken to would be passed
/// by.
pub(crate) fn is_proxy(text: &str) -> bool {
    let is_misread = read_as_written(text).is_err();
    if is_misread || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return false;
    }
    let authority = match text.split_once("://") {
        Some((scheme, rest)) if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority.rsplit_once('@').map_or(authority, |(_login, place)| place)
        }
        Some(_) => return false,
        None => text,
    };
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an address in brackets.
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host) || host.parse::<Ipv4Addr>().is_ok(),
    };
    is_host && port.is_none_or(is_port)
}

/// What is reached without a proxy: a name and what lies below it, also as `.NAME` and `*.NAME`; an address; a network;
/// `*`. Each but a network with or without a port.
pub(crate) fn is_exception(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    if let Some((address, bits)) = text.split_once('/') {
        let most = match address.parse() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        return is_digits(bits) && bits.parse::<u8>().is_ok_and(|bits| bits <= most);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<IpAddr>().is_ok(),
        None if host == "*" || host.parse::<Ipv4Addr>().is_ok() => true,
        None => {
            host.is_ascii() && is_name(host.strip_prefix("*.").or(host.strip_prefix('.')).unwrap_or(host))
        }
    };
    is_host && port.is_none_or(is_port)
}

/// No name ends in a number: that is an address, or a network in the words of others.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || "-_".contains(c))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_number = last.chars().all(|c| c.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    // In the code for other letters than English ones a label may stand for none.
    name.len() <= 253 && name.split('.').all(label) && !is_number && Host::parse(name).is_ok()
}

/// No sign, as the parser of numbers takes one.
fn is_digits(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit())
}

fn is_port(text: &str) -> bool {
    is_digits(text) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_host_and_a_port_that_there_can_be() {
        for text in [
            "proxy",
            "proxy.example:3128",
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "[::1]",
            "HTTP://me:s3cret@proxy.example./",
            "http://prøxy.example:3128",
            "xn--prxy-hra.example:3128",
            "https://me@[::1]:8080/x?y",
        ] {
            assert!(is_proxy(text), "{text}");
        }
        for text in [
            "",
            "::1:80",
            "[::1",
            "[10.0.0.1]:80",
            "proxy:",
            "proxy:0",
            "proxy:+80",
            "http://proxy:99999",
            "http://",
            "http://me@",
            "http://[::1]x:80",
            "1.2.3",
            "256.0.0.1",
            "a.0x7f",
            "a..b",
            "a b",
            "ftp://proxy",
            "socks5://proxy:1",
            "http:///proxy:3128",
            "http:/proxy:3128",
            "xn--zz--zz:3128",
            "https://xn--zz--zz.example",
        ] {
            assert!(!is_proxy(text), "{text}");
        }
    }

    #[test]
    fn an_exception_could_match_something() {
        for text in [
            "*",
            "*:443",
            "a.example",
            "A.Example.:8080",
            ".example",
            "*.example:1",
            "a_b",
            "10.0.0.1",
            "10.0.0.1:80",
            "10.0.0.0/8",
            "::1",
            "[::1]",
            "[::1]:80",
            "fd00::/8",
        ] {
            assert!(is_exception(text), "{text}");
        }
        for text in [
            "",
            " a",
            "a b",
            "*x",
            "*.*.x",
            "a..b",
            "10.",
            "10.*",
            "10.0.0.256",
            "10.0.0.0/33",
            "10.0.0.0/8:80",
            "fd00::/129",
            "[fd00::]/8",
            "[::1",
            "[x]",
            "a:0",
            "a:+1",
            "10.0.0.0/+8",
            "prøxy.example",
            "a:99999",
            "a:port",
            "a:",
            "http://a",
            "xn--zz--zz.example",
        ] {
            assert!(!is_exception(text), "{text}");
        }
    }
}
