//! One request and the redirects that it meets, followed one by one: so that whoever fails is the one that is named, and
//! nothing that is meant for one server goes to another.

use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};
use tracing::debug;
use url::Url;

use super::Fault;
use super::answer::{Answer, Broken};
use super::classify::classify;
use super::tunnel;
use super::web::Web;
use crate::place::address::Address;

/// Redirects that are followed, one after another.
const MOST: usize = 5;

/// Asks for `url`, which lies below `base`. `host` is always the one that the request is at; `received` counts the bytes that came before.
pub(super) async fn send(
    web: &Arc<Web>,
    base: &Address,
    url: &Url,
    headers: &HeaderMap,
    host: &mut String,
    received: u64,
) -> Result<Answer, Fault> {
    let mut at = url.clone();
    for _ in 0..=MOST {
        *host = host_of(&at);
        let mut request = web.client.get(at.clone()).headers(headers.clone());
        if let Some(login) = base.login_for(&at) {
            request = request.basic_auth(&login.user, login.password.as_ref());
        }
        let proxy = web.route.before(&at);
        let answer = match web.exchanges.send(request).await {
            Ok(answer) => answer.through(proxy.as_ref()),
            Err(Broken::Budget(fault)) => return Err(fault),
            Err(Broken::Off(error)) => {
                let fault = classify(error, host.clone(), received, &web.pacing, proxy.as_ref());
                return Err(tunnel::explained(fault, proxy.as_ref(), &web.client).await);
            }
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (answer.status(), &proxy) {
            answer.discard().await?;
            return Err(tunnel::wants_a_login(proxy, host));
        }
        if !is_redirect(answer.status()) {
            return Ok(answer);
        }
        let location = answer.headers().get(header::LOCATION).and_then(|there| there.to_str().ok());
        let Some(location) = location.map(str::to_owned) else { return Ok(answer) };
        let refused = |reason: String| Fault::Redirect { host: host.clone(), reason };
        let next = at.join(&location).map_err(|error| refused(format!("to no address: {error}")))?;
        if !matches!(next.scheme(), "https" | "http") {
            return Err(refused(format!(
                "to an address of {}, which is neither https nor http",
                next.scheme()
            )));
        }
        answer.discard().await?;
        debug!("{host} redirects to {}", host_of(&next));
        // A login that somebody else has written into an address is none of ours.
        at = without_login(next);
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

fn without_login(mut url: Url) -> Url {
    let _no_host_no_login = url.set_username("").and_then(|()| url.set_password(None));
    url
}

/// Host and port of an address, for people.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
