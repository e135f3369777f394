//! The HTTP client: its proxy and its limits on waiting.

use super::{Pacing, tls};
use crate::source::Proxy;

/// Redirects that are followed, one after another.
const REDIRECTS: usize = 5;

/// One client for all requests of an opened repository.
pub(super) fn build(proxy: &Proxy, pacing: &Pacing) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("updog/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::config())
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
        .connect_timeout(pacing.connect)
        .read_timeout(pacing.idle);
    let except = || reqwest::NoProxy::from_string(&proxy.no_proxy.join(","));
    if let Some(address) = &proxy.https_proxy {
        builder = builder.proxy(reqwest::Proxy::https(address.as_str())?.no_proxy(except()));
    }
    if let Some(address) = &proxy.http_proxy {
        builder = builder.proxy(reqwest::Proxy::http(address.as_str())?.no_proxy(except()));
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_built_without_a_provider_installed_by_the_program() {
        build(&Proxy::default(), &Pacing::default()).expect("built");
    }

    #[test]
    fn a_proxy_is_a_value() {
        let proxy = Proxy {
            https_proxy: Some("http://proxy:3128".parse().expect("valid")),
            http_proxy: Some("http://proxy:3129".parse().expect("valid")),
            no_proxy: vec!["localhost".to_owned(), ".internal".to_owned()],
        };
        build(&proxy, &Pacing::default()).expect("built");
    }
}
