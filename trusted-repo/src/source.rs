//! Where a repository is, and what goes along with every request.

use std::path::PathBuf;

use url::Url;

/// A repository: two base addresses, each `https://`, `http://` or `file://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the metadata lies. A query in it is not sent and does not count for the memory.
    pub metadata_base_url: Url,
    /// Where the targets lie.
    pub targets_base_url: Url,
    /// Name and value pairs that every HTTP request carries, sorted by name. Files take none.
    pub query: Vec<(String, String)>,
    /// How `https://` is reached.
    pub proxy: Proxy,
}

/// The proxy for `https://`, as values. Without one, the environment's usual variables hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's own address.
    pub https_proxy: Option<Url>,
    /// Hosts, domains and networks that are reached without it.
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
