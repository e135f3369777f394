//! The root roles before the first one in hand: the release for the next boot may be an older one, and begins with the root
//! that it ships itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use tracing::warn;

use super::shelf::expected;
use crate::memory::roots::KnownRoot;
use crate::memory::start::LONGEST_ROOT;
use crate::place::source::Place;
use crate::transport::{Carrier, Fault};

/// So many are looked for at most.
const MOST: usize = 64;

/// Those that lead to the oldest root among `files`. One that the repository does not have any more, or that does not lead
/// there, ends the search.
pub(crate) async fn before(
    files: &BTreeMap<String, Bytes>,
    carrier: &Carrier,
    metadata: &Place,
) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let roots = files.iter().filter_map(|(name, bytes)| {
        let version: u64 = name.strip_suffix(".root.json")?.parse().ok()?;
        Some((version, bytes))
    });
    let first = roots.min_by_key(|(version, _)| *version);
    let Some(mut next) = first.and_then(|(_, bytes)| KnownRoot::parse(bytes).ok()) else { return found };
    for version in (1..next.version()).rev().take(MOST) {
        let name = format!("{version}.root.json");
        match carrier
            .whole(metadata, &name, expected(LONGEST_ROOT))
            .await
            .map(|bytes| KnownRoot::parse(&bytes))
        {
            Ok(Ok(older)) if older.vouches_for(&next) => {
                found.insert(name, older.bytes.clone());
                next = older;
            }
            // Some stores deny what is not there.
            Ok(_) | Err(Fault::Denied { .. }) => break,
            Err(fault) if fault.is_missing() => break,
            Err(fault) => {
                warn!(
                    "an older release may not find its way to this metadata: failed to fetch {name}: {fault}"
                );
                break;
            }
        }
    }
    found
}
