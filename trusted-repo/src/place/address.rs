//! An address, parsed once: what of it may be shown, what is sent, and what is remembered.
//!
//! The query, the user and the password of an address are secrets: a signature of a store, a token, a login. They go to
//! that address's scheme, host and port and nowhere else, not to a mirror, not where a redirect leads; they are in no
//! message, log, event, status, history or file; and whoever changes them has the same repository as before.

use std::fmt;
use std::str::FromStr;

use host_io::address::{Misread, read_as_written};
use thiserror::Error;
use url::Url;

/// The parameters that every request carries on our behalf.
const OURS: [&str; 4] = ["version", "seed", "target", "migrations"];

/// Parameters by which stores sign one request for one object; there is no such signature for what lies below an address.
const OF_ONE_REQUEST: [&str; 6] = [
    "x-amz-signature",
    "x-goog-signature",
    "x-oss-signature",
    "x-cos-signature",
    "awsaccesskeyid",
    "ossaccesskeyid",
];

/// The address of a directory: `https://`, `http://` or `file://`.
///
/// Printing it, also for debugging, shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Ends in a slash; without query, user, password and fragment.
    bare: Url,
    secrets: Secrets,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Secrets {
    query: Option<String>,
    login: Option<Login>,
}

/// A user and a password, as `Authorization: Basic` takes them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
}

/// Why a text is no address that a repository may have. No variant holds the text: it may have secrets in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadAddress {
    /// It is no address at all.
    #[error("it is no address: {0}")]
    Syntax(#[from] url::ParseError),
    /// It would be read as another one.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// The path of a directory of this host.
    #[error("it is a path; a directory of this host is written file://{path}")]
    Path {
        /// The path.
        path: String,
    },
    /// No address, but what could stand in one.
    #[error("it is no address: one begins with https://, http:// or file:///")]
    NoScheme,
    /// A kind of address that nobody here speaks.
    #[error("{scheme:?} is none of https, http and file")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A directory of this host with too few slashes, or of another host.
    #[error(
        "{host:?} stands where file:// has the name of a host; a directory of this host has three slashes: file:///{host}{path}"
    )]
    FileHost {
        /// What stands there.
        host: String,
        /// What follows.
        path: String,
    },
    /// No path of this host.
    #[error("it is not the path of a directory")]
    NoPath,
    /// A file takes neither query nor login.
    #[error("file:// takes neither a query nor a user")]
    FileSecrets,
    /// The query has a parameter that is ours.
    #[error("its query has {name:?}, which every request carries anyway")]
    OurParameter {
        /// The parameter.
        name: String,
    },
    /// The query is the signature of one request.
    #[error(
        "its query has {name:?}: it signs one request for one object, and not what lies below an address"
    )]
    OneRequest {
        /// The parameter that tells so.
        name: String,
    },
}

impl Address {
    /// What `text` means.
    ///
    /// # Errors
    /// [`BadAddress`], without what is secret in `text`.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        read_as_written(text)?;
        match Url::parse(text) {
            Ok(url) => Self::from_url(&url),
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                Err(match text.starts_with('/') && !text.starts_with("//") {
                    true => BadAddress::Path { path: text.to_owned() },
                    false => BadAddress::NoScheme,
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What `url` means.
    ///
    /// # Errors
    /// [`BadAddress`], without what is secret in `url`.
    pub fn from_url(url: &Url) -> Result<Self, BadAddress> {
        match url.scheme() {
            "http" | "https" => {}
            "file" => check_file(url)?,
            other => return Err(BadAddress::Scheme { scheme: other.to_owned() }),
        }
        let query = url.query().filter(|query| !query.is_empty());
        if let Some(query) = query {
            check_query(query)?;
        }
        let decoded = |text: &str| percent_decoded(text);
        let login = (!url.username().is_empty() || url.password().is_some())
            .then(|| Login { user: decoded(url.username()), password: url.password().map(decoded) });
        Ok(Self { bare: bare(url), secrets: Secrets { query: query.map(str::to_owned), login } })
    }

    /// What `text` means where a directory of this host may be written as one: an address, or a path.
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn of_place(text: &str) -> Result<Self, BadAddress> {
        if text.contains("://") {
            return Self::parse(text);
        }
        let path = std::path::absolute(text).map_err(|_| BadAddress::NoPath)?;
        Self::from_url(&Url::from_directory_path(path).map_err(|()| BadAddress::NoPath)?)
    }

    /// The directory `path` below this one, with the same secrets.
    #[must_use]
    pub fn directory(&self, path: &str) -> Self {
        let mut bare = self.bare.clone();
        bare.set_path(&format!("{}{}/", bare.path(), escaped(path.trim_matches('/'))));
        Self { bare, secrets: self.secrets.clone() }
    }

    /// The address without what is secret: to be shown, and to be remembered.
    #[must_use]
    pub fn bare(&self) -> &Url {
        &self.bare
    }

    /// The address of `name` below this one, with its own query and then `pairs`. No part of a name means more than
    /// itself. It is for sending, never for showing.
    pub(crate) fn below<'a>(
        &self,
        name: &str,
        pairs: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Option<Url> {
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return None;
        }
        let mut url = self.bare.clone();
        let path = format!("{}{}", self.bare.path(), escaped(name));
        url.set_path(&path);
        if url.path() != path {
            return None;
        }
        let mut ours = url::form_urlencoded::Serializer::new(String::new());
        let ours = ours.extend_pairs(pairs).finish();
        let query: Vec<&str> = self
            .secrets
            .query
            .as_deref()
            .into_iter()
            .chain(Some(ours.as_str()).filter(|ours| !ours.is_empty()))
            .collect();
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        Some(url)
    }

    /// The login, if `url` is at this address's scheme, host and port.
    pub(crate) fn login_for(&self, url: &Url) -> Option<&Login> {
        let origin = |url: &Url| {
            (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
        };
        self.secrets.login.as_ref().filter(|_| origin(url) == origin(&self.bare))
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<Url> for Address {
    type Error = BadAddress;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        Self::from_url(&url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bare.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("Address");
        shown.field(&self.bare.as_str());
        if self.secrets != Secrets::default() {
            shown.field(&"and secrets");
        }
        shown.finish()
    }
}

/// `url` without what may be secret in it and without fragment, with a final slash: so that names are put below it and
/// not beside it.
pub(crate) fn bare(url: &Url) -> Url {
    let mut bare = without_secrets(url);
    if !bare.path().ends_with('/') {
        let path = format!("{}/", bare.path());
        bare.set_path(&path);
    }
    bare
}

/// `url` as it may be shown: without query, user, password and fragment.
pub(crate) fn without_secrets(url: &Url) -> Url {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let _no_host_no_login = bare.set_username("").and_then(|()| bare.set_password(None));
    bare
}

/// [`bare`] for an address that was written down; anything else stays as it is.
pub(crate) fn bare_text(text: &str) -> String {
    Url::parse(text).map_or_else(|_| text.to_owned(), |url| bare(&url).into())
}

/// `name` as the end of an address: nothing in it means more than itself. A `%` stays: roles arrive here with their
/// escapes.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'%' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| hex::decode(pair).ok()).filter(|_| *first == b'%');
        match pair {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn check_file(url: &Url) -> Result<(), BadAddress> {
    if url.query().is_some_and(|query| !query.is_empty()) || !url.username().is_empty() {
        return Err(BadAddress::FileSecrets);
    }
    if let Some(host) = url.host_str() {
        return Err(BadAddress::FileHost { host: host.to_owned(), path: url.path().to_owned() });
    }
    url.to_file_path().map(|_| ()).map_err(|()| BadAddress::NoPath)
}

fn check_query(query: &str) -> Result<(), BadAddress> {
    let names: Vec<String> =
        url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    if let Some(name) = names.iter().find(|name| OURS.contains(&name.as_str())) {
        return Err(BadAddress::OurParameter { name: name.clone() });
    }
    let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let one = names.iter().find(|name| OF_ONE_REQUEST.contains(&name.to_ascii_lowercase().as_str()));
    // Without a policy a content network's signature is that of one address, and `sr=b` is a token for one blob.
    let canned = (has("Key-Pair-Id") && has("Signature") && !has("Policy")).then(|| "Signature".to_owned());
    let blob = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "sr" && value == "b")
        .then(|| "sr".to_owned());
    match one.cloned().or(canned).or(blob) {
        Some(name) => Err(BadAddress::OneRequest { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn below(address: &str, name: &str) -> String {
        let ours = BTreeMap::from([("seed".to_owned(), "5".to_owned())]);
        let address = Address::parse(address).expect("an address");
        address.below(name, ours.iter()).expect("a name").to_string()
    }

    #[test]
    fn what_is_no_address_says_how_one_is_written() {
        let said = |text: &str| Address::parse(text).expect_err(text).to_string();
        assert_eq!(
            said("/srv/updates"),
            "it is a path; a directory of this host is written file:///srv/updates"
        );
        assert_eq!(said("http:///metal"), Misread::Slashes.to_string());
        assert_eq!(said("file:///srv\\metal"), Misread::Backslash.to_string());
        let unreadable = "it is no address: invalid international domain name";
        assert_eq!(said("https://xn--zz--zz.example/"), unreadable);
        for text in ["updates.example/metal", "//me:s3cret@host/x", "metal", ""] {
            let said = said(text);
            assert_eq!(said, "it is no address: one begins with https://, http:// or file:///");
        }
    }

    #[test]
    fn a_base_with_and_without_slash_query_or_login_is_the_same_place() {
        for text in [
            "http://host/a/b",
            "http://host/a/b/",
            "http://host/a/b?tok=1",
            "http://host/a/b/#x",
            "http://me:pass@host:80/a/b",
        ] {
            let address = Address::parse(text).expect("an address");
            assert_eq!(address.to_string(), "http://host/a/b/");
            assert!(!format!("{address:?}").contains("pass") && !format!("{address:?}").contains("tok"));
        }
    }

    #[test]
    fn the_query_of_an_address_goes_first_and_as_it_is() {
        assert_eq!(below("http://h/a?b=%2F+&c&B=1", "x.json"), "http://h/a/x.json?b=%2F+&c&B=1&seed=5");
        assert_eq!(below("http://h/a", "x.json"), "http://h/a/x.json?seed=5");
    }

    #[test]
    fn a_name_means_nothing_but_itself() {
        assert_eq!(below("http://h/a/", "v1.0+b c:d?e#f"), "http://h/a/v1.0%2Bb%20c%3Ad%3Fe%23f?seed=5");
        assert_eq!(
            below("http://h/", "1.a%2Fb.json"),
            "http://h/1.a%2Fb.json?seed=5",
            "a role's escapes stay"
        );
        let address = Address::parse("http://h/a/").expect("an address");
        for name in ["/etc", "//other/x", "..", "a/../b", ".", "", "a//b", "%2e%2e", "a/.%2E/b"] {
            assert_eq!(address.below(name, std::iter::empty()), None, "{name}");
        }
    }

    #[test]
    fn a_login_goes_to_its_own_scheme_host_and_port_only() {
        let address = Address::parse("https://m%40e:s%3Acret@host/a/").expect("an address");
        let login = |url: &str| address.login_for(&Url::parse(url).expect("valid")).is_some();
        assert!(login("https://host/elsewhere") && login("https://host:443/"));
        for other in
            ["http://host/a/", "http://host:443/a/", "https://host:8443/a/", "https://host.example/a/"]
        {
            assert!(!login(other), "{other}");
        }
        let login = address.login_for(address.bare()).expect("its own");
        assert_eq!((login.user.as_str(), login.password.as_deref()), ("m@e", Some("s:cret")));
        assert_eq!(address.bare().as_str(), "https://host/a/");
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let why = |text: &str| Address::parse(text).expect_err("refused").to_string();
        assert!(why("ftp://host/").contains("\"ftp\" is none of https, http and file"));
        assert!(why("file://x/y").contains("file:///x/y"));
        assert!(why("file:///x?tok=1").contains("neither a query"));
        assert!(why("nothing").contains("no address"));
        for ours in OURS {
            assert!(why(&format!("https://h/?tok=1&{ours}=2")).contains(ours));
        }
        assert!(why("https://h/?se%65d=2").contains("seed"));
        for one in [
            "X-Amz-Signature=a",
            "x-goog-signature=a",
            "AWSAccessKeyId=a&Signature=b&Expires=1",
            "Expires=1&Signature=a&Key-Pair-Id=b",
            "sv=1&sr=b&sig=x",
        ] {
            assert!(why(&format!("https://h/a?{one}")).contains("signs one request"), "{one}");
        }
        for whole in ["sv=1&sr=c&sig=x", "Policy=p&Signature=a&Key-Pair-Id=b", "tok=abc", "sig=a"] {
            Address::parse(&format!("https://h/a?{whole}")).expect(whole);
        }
    }

    #[test]
    fn a_directory_below_has_the_same_secrets() {
        let address =
            Address::of_place("http://me:pass@h/a?tok=1").expect("an address").directory("metal/x86_64/");
        assert_eq!(address.to_string(), "http://h/a/metal/x86_64/");
        assert!(address.login_for(address.bare()).is_some());
        let url = address.below("x", std::iter::empty()).expect("a name");
        assert_eq!(url.as_str(), "http://h/a/metal/x86_64/x?tok=1");
        let path = Address::of_place("/srv/my updates").expect("a path").directory("targets");
        assert_eq!(path.to_string(), "file:///srv/my%20updates/targets/");
        assert!(Address::of_place("https://").is_err());
    }

    #[test]
    fn a_directory_with_a_blank_in_its_name_is_found() {
        let address = Address::parse("file:///media/usb%20stick/repo").expect("a file");
        assert_eq!(address.bare().to_file_path().expect("a path").to_str(), Some("/media/usb stick/repo/"));
    }

    proptest! {
        #[test]
        fn no_secret_survives_printing(user in "[a-z]{6}", password in "[A-Z]{8}", query in "[0-9]{9}") {
            let text = format!("http://{user}:{password}@host/path?q={query}");
            let address = Address::parse(&text).expect("an address");
            for shown in [address.to_string(), format!("{address:?}")] {
                prop_assert!(!shown.contains(&password) && !shown.contains(&query) && !shown.contains(&user));
            }
        }

        #[test]
        fn any_text_is_an_address_or_none_and_never_panics(text in "\\PC{0,60}") {
            let _ = Address::parse(&text);
        }
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (BadAddress::Syntax(url::ParseError::EmptyHost), "it is no address: empty host"),
            (
                BadAddress::FileHost { host: "cdn.example".into(), path: "/dir".into() },
                "\"cdn.example\" stands where file:// has the name of a host; a directory of this host has three slashes: file:///cdn.example/dir",
            ),
            (BadAddress::NoPath, "it is not the path of a directory"),
            (BadAddress::FileSecrets, "file:// takes neither a query nor a user"),
            (
                BadAddress::OurParameter { name: "migrate_v1.1.0_x.lz4".into() },
                "its query has \"migrate_v1.1.0_x.lz4\", which every request carries anyway",
            ),
            (
                BadAddress::OneRequest { name: "migrate_v1.1.0_x.lz4".into() },
                "its query has \"migrate_v1.1.0_x.lz4\": it signs one request for one object, and not what lies below an address",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
