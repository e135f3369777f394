//! `updog`, and what the server sent it for.

use std::error::Error;

use serde::Serialize;

use crate::bench::field::host::Host;
use crate::bench::field::web::Web;
use crate::bench::field::wire::Wire;
use crate::bench::measure::{Spent, measured};

/// What one update took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Ours {
    pub(super) wire: Wire,
    pub(super) requests: usize,
    pub(super) spent: Spent,
    /// Its own account of bytes fetched, copied, skipped and written.
    pub(super) bytes: serde_json::Value,
    /// What a second run asks for: images only.
    pub(super) again: u64,
}

/// Updates the host once, and once more.
pub(super) fn update(host: &Host, web: &Web) -> Result<Ours, Box<dyn Error>> {
    host.reset()?;
    web.forget()?;
    let (_, spent) = measured(&mut host.updog(&["update-image", "--json"]))?;
    let sent = web.sent()?;
    let bytes = host.evidence()?["bytes"].clone();
    web.forget()?;
    measured(&mut host.updog(&["update-image", "--json"]))?;
    let again = Wire::of(&web.sent()?).images();
    Ok(Ours { wire: Wire::of(&sent), requests: sent.len(), spent, bytes, again })
}
