//! The HTTP client: its proxy and its limits on waiting.

use std::sync::Arc;

use super::{Fault, Pacing, tls};
use crate::proxy::{Proxy, Route};
use crate::source::Tls;

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
    if let route @ Route::Said(_) = Route::new(proxy) {
        // One rule decides, and says afterwards whom it chose.
        builder = builder.proxy(reqwest::Proxy::custom(move |url| Some(route.before(url)?.url().clone())));
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
        let address = |text: &str| crate::ProxyAddress::parse(text).ok();
        let proxy = Proxy {
            https_proxy: address("http://proxy:3128"),
            http_proxy: address("http://proxy:3129"),
            no_proxy: vec![crate::Exception::parse("localhost").expect("an exception")],
        };
        build(&proxy, &Tls::default(), &Pacing::default()).expect("built");
    }
}
