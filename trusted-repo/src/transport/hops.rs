//! One request and the redirects that it meets, followed one by one: so that whoever fails is the one that is named, and
//! nothing that is meant for one server goes to another.

use std::sync::Arc;

use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use tracing::debug;
use url::Url;

use super::Fault;
use super::download::Web;
use super::fault::classify;

/// Redirects that are followed, one after another.
const MOST: usize = 5;

/// Asks for `url`. `host` is always the one that the request is at; `received` counts the bytes that came before.
pub(super) async fn send(
    web: &Arc<Web>,
    url: &Url,
    headers: &HeaderMap,
    host: &mut String,
    received: u64,
) -> Result<Response, Fault> {
    let mut at = url.clone();
    for _ in 0..=MOST {
        *host = host_of(&at);
        let request = web.client.get(at.clone()).headers(headers.clone());
        let response =
            request.send().await.map_err(|error| classify(error, host.clone(), received, &web.pacing))?;
        if !is_redirect(response.status()) {
            return Ok(response);
        }
        let location = response.headers().get(header::LOCATION).and_then(|there| there.to_str().ok());
        let Some(location) = location.map(str::to_owned) else { return Ok(response) };
        let refused = |reason: String| Fault::Redirect { host: host.clone(), reason };
        let mut next = at.join(&location).map_err(|error| refused(format!("to no address: {error}")))?;
        if !matches!(next.scheme(), "https" | "http") {
            return Err(refused(format!(
                "to an address of {}, which is neither https nor http",
                next.scheme()
            )));
        }
        web.discard(response).await?;
        if origin(&next) != origin(&at) {
            forget_login(&mut next);
        }
        debug!("{host} redirects to {}", host_of(&next));
        at = next;
    }
    Err(Fault::Redirect { host: host.clone(), reason: format!("more than {MOST} times, one after another") })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

fn origin(url: &Url) -> (&str, Option<&str>, Option<u16>) {
    (url.scheme(), url.host_str(), url.port_or_known_default())
}

fn forget_login(url: &mut Url) {
    let _no_host = url.set_username("").and_then(|()| url.set_password(None));
}

/// Host and port of an address, for people.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An address for people: without what may be a signature or a login.
pub(super) fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    forget_login(&mut bare);
    bare.to_string()
}
