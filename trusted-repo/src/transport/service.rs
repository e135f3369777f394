//! A web service that is no repository, asked with the patience that repositories are: whoever watches a fleet asks its
//! monitoring. What it answers is signed by nobody, and is judged by whoever asked.

use std::sync::Arc;

use bytes::Bytes;
use host_io::SystemFs;

use super::download::{Expected, Size};
use super::{Carrier, Fault, Pacing};
use crate::place::address::Address;
use crate::place::source::{Place, Source};

/// A service below an address, over one client.
#[derive(Debug)]
pub struct Service {
    place: Place,
    carrier: Carrier,
}

impl Service {
    /// A client for the service at `base`. Its login, if it has one, goes along with every question.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: &Address, pacing: Pacing) -> Result<Self, Fault> {
        let source = Source::new(base.clone(), base.clone());
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
}
