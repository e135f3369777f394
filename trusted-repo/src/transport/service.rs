//! A web service that is no repository: whoever watches a fleet asks its monitoring, with the patience that repositories
//! are asked with; whoever reboots one host after another tells a lock, once. What it answers is signed by nobody, and is
//! judged by whoever asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host_io::SystemFs;
use reqwest::header::CONTENT_TYPE;

use super::classify::classify;
use super::download::{Expected, Size};
use super::hops::host_of;
use super::{Carrier, Fault, Pacing};
use crate::place::address::Address;
use crate::place::proxy::Proxy;
use crate::place::source::{Place, Source, Tls};

/// A service below an address, over one client.
#[derive(Debug)]
pub struct Service {
    place: Place,
    carrier: Carrier,
}

/// What a service answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status. A redirect is one as any other.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
}

impl Service {
    /// A client for the service at `base`. Its login, if it has one, goes along with every question.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: &Address, pacing: Pacing) -> Result<Self, Fault> {
        Self::over(base, Proxy::default(), Tls::default(), pacing)
    }

    /// [`Service::new`], through this proxy and with this trust.
    ///
    /// # Errors
    /// As there.
    pub fn over(base: &Address, proxy: Proxy, tls: Tls, pacing: Pacing) -> Result<Self, Fault> {
        let source = Source { proxy, tls, ..Source::new(base.clone(), base.clone()) };
        let place = Place::from(base);
        let carrier = Carrier::new(Arc::new(SystemFs), &source, &[&place], pacing)?;
        Ok(Self { place, carrier })
    }

    /// What the service answers below `name` to one parameter and its value: at most `limit` bytes. `what` says what is
    /// expected, for people.
    ///
    /// # Errors
    /// When no such answer comes.
    pub async fn ask(
        &self,
        name: &str,
        (parameter, value): (&str, &str),
        what: &str,
        limit: u64,
    ) -> Result<Bytes, Fault> {
        self.carrier.set_query(parameter, value);
        let expected = Expected { what: what.to_owned(), size: Size::AtMost(limit) };
        self.carrier.whole(&self.place, name, expected).await
    }

    /// Sends `body`, which is JSON, to `name` with this header, once: no second try, and no redirect is followed, for
    /// what is said here changes something there. All of it has `within`; at most `limit` bytes of the answer are read.
    ///
    /// # Errors
    /// When no answer comes: it may have been done all the same.
    pub async fn post(
        &self,
        name: &str,
        (header, value): (&'static str, &'static str),
        body: Vec<u8>,
        (limit, within): (usize, Duration),
    ) -> Result<Reply, Fault> {
        let (Place::Web(base), Some(web)) = (&self.place, self.carrier.web()) else {
            return Err(Fault::Missing);
        };
        let url = base.below(name, std::iter::empty()).ok_or(Fault::Missing)?;
        let host = host_of(&url);
        let proxy = web.route.before(&url);
        let mut request = web.client.post(url.clone()).header(header, value);
        request = request.header(CONTENT_TYPE, "application/json").body(body);
        if let Some(login) = base.login_for(&url) {
            request = request.basic_auth(&login.user, login.password.as_ref());
        }
        let sent = async {
            let failed = |error| classify(error, host.clone(), 0, &web.pacing, proxy.as_ref());
            let mut answer = request.send().await.map_err(failed)?;
            let mut reply = Reply { status: answer.status().as_u16(), body: Vec::new() };
            while let Some(bytes) = answer.chunk().await.map_err(failed)? {
                let room = limit.saturating_sub(reply.body.len());
                reply.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() >= room {
                    break;
                }
            }
            Ok(reply)
        };
        let late = Fault::Stalled { host: host.clone(), patience: within };
        tokio::time::timeout(within, sent).await.unwrap_or(Err(late))
    }
}
