//! The HTTP client: its proxy and its limits on waiting.

use std::sync::Arc;

use super::{Fault, Pacing, tls};
use crate::source::{Proxy, Tls};

/// One client for all requests of an opened repository.
pub(super) fn build(proxy: &Proxy, tls: &Tls, pacing: &Pacing) -> Result<reqwest::Client, Fault> {
    let other = |error| Fault::Other(Arc::new(error));
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("updog/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::config(tls)?)
        // They are followed one by one, see `hops`.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(pacing.connect)
        .read_timeout(pacing.idle);
    let except = || reqwest::NoProxy::from_string(&proxy.no_proxy.join(","));
    if let Some(address) = &proxy.https_proxy {
        builder = builder.proxy(reqwest::Proxy::https(address.as_str()).map_err(other)?.no_proxy(except()));
    }
    if let Some(address) = &proxy.http_proxy {
        builder = builder.proxy(reqwest::Proxy::http(address.as_str()).map_err(other)?.no_proxy(except()));
    }
    builder.build().map_err(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_built_without_a_provider_installed_by_the_program() {
        build(&Proxy::default(), &Tls::default(), &Pacing::default()).expect("built");
    }

    #[test]
    fn a_proxy_is_a_value() {
        let proxy = Proxy {
            https_proxy: Some("http://proxy:3128".parse().expect("valid")),
            http_proxy: Some("http://proxy:3129".parse().expect("valid")),
            no_proxy: vec!["localhost".to_owned(), ".internal".to_owned()],
        };
        build(&proxy, &Tls::default(), &Pacing::default()).expect("built");
    }
}
