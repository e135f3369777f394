//! The HTTP client: its proxy and its limits on waiting.

use std::sync::Arc;

use super::reactor::Reactors;
use super::resolver::Resolver;
use super::{Fault, Pacing, tls};
use crate::place::proxy::Route;
use crate::place::source::Tls;

/// What may come over one HTTP/2 connection beyond what was handed out, whatever the number of its answers: a budget is
/// exceeded by no more, and at a tenth of a second to the server and back it lets 80 Mbit/s through.
const READ_AHEAD: u32 = 1 << 20;

/// One client for all requests of an opened repository.
pub(super) fn build(
    route: &Route,
    tls: &Tls,
    pacing: &Pacing,
    reactors: Reactors,
) -> Result<reqwest::Client, Fault> {
    let other = |error| Fault::Other(Arc::new(error));
    let route = route.clone();
    reqwest::Client::builder()
        .user_agent(concat!("updog/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::config(tls)?)
        // They are followed one by one, see `hops`.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(pacing.connect)
        .read_timeout(pacing.idle)
        .http2_initial_stream_window_size(READ_AHEAD)
        .http2_initial_connection_window_size(READ_AHEAD)
        .connector_layer(reactors)
        .dns_resolver(Resolver)
        // One rule decides, and says afterwards whom it chose.
        .proxy(reqwest::Proxy::custom(move |url| Some(route.before(url)?.url().clone())))
        .build()
        .map_err(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::proxy::Proxy;

    fn route(proxy: &Proxy) -> Route {
        Route::new(proxy).expect("a proxy, or none")
    }

    #[test]
    fn a_client_is_built_without_a_provider_installed_by_the_program() {
        build(&route(&Proxy::default()), &Tls::default(), &Pacing::default(), Reactors::default())
            .expect("built");
    }

    #[test]
    fn a_proxy_is_a_value() {
        let address = |text: &str| crate::ProxyAddress::parse(text).ok();
        let proxy = Proxy {
            https_proxy: address("http://proxy:3128"),
            http_proxy: address("http://proxy:3129"),
            no_proxy: vec![crate::Exception::parse("localhost").expect("an exception")],
        };
        build(&route(&proxy), &Tls::default(), &Pacing::default(), Reactors::default()).expect("built");
    }
}
