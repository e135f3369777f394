//! What all requests to web servers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::account::Account;
use super::bucket::Bucket;
use super::client;
use super::exchange::Exchanges;
use super::fault::Fault;
use super::pacing::Pacing;
use super::worn::WornOut;
use crate::place::proxy::Route;
use crate::place::source::Source;

/// What all requests to web servers share.
#[derive(Debug)]
pub(crate) struct Web {
    pub(super) client: reqwest::Client,
    pub(super) exchanges: Exchanges,
    pub(super) pacing: Pacing,
    pub(super) route: Route,
    pub(super) began: Instant,
    pub(super) cap: Option<Mutex<Bucket>>,
    pub(super) query: Mutex<BTreeMap<String, String>>,
    pub(super) account: Account,
    pub(super) worn_out: WornOut,
}

impl Web {
    pub(super) fn new(source: &Source, pacing: Pacing) -> Result<Self, Fault> {
        let route = Route::new(&source.proxy)?;
        let exchanges =
            Exchanges::new(&source.account).map_err(|source| Fault::NoThread(Arc::new(source)))?;
        Ok(Self {
            client: client::build(&route, &source.tls, &pacing, exchanges.reactors())?,
            exchanges,
            pacing,
            route,
            began: Instant::now(),
            cap: source.bandwidth_limit.map(|rate| Mutex::new(Bucket::new(rate))),
            query: Mutex::new(source.query.iter().cloned().collect()),
            account: source.account.clone(),
            worn_out: WornOut::default(),
        })
    }

    /// From now on every request carries this pair.
    pub(crate) fn set_query(&self, name: &str, value: &str) {
        self.query.lock().expect("no panic while held").insert(name.to_owned(), value.to_owned());
    }

    /// How long to wait before more is read, now that `bytes` have come.
    pub(super) fn pause_for(&self, bytes: u64) -> Duration {
        let cap = self.cap.as_ref().map(|cap| cap.lock().expect("no panic while held"));
        cap.map_or_else(Default::default, |mut cap| cap.take(bytes, self.began.elapsed()))
    }
}
