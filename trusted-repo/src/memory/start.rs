//! Which memory counts, and from which root to start.
//!
//! Usually that is this anchor's own memory. An image may also ship a newer root than the one before it, or an older one
//! (after a rollback): then the memory of the other anchor counts, if one chain of roots joins both. Two roots that
//! nothing joins are two repositories, and a host that believes in one of them does not go over to the other by itself.

use std::path::Path;

use host_io::Fs;
use tracing::info;

use super::roots::{Chain, KnownRoot, forgets, verify};
use super::store::{Found, Remembered, Store, all_of, without_secrets};
use crate::Error;
use crate::place::source::Place;
use crate::transport::download::{Expected, Size};
use crate::transport::{Carrier, Fault};

/// More successors than this are not walked in one go.
pub(crate) const MOST_ROOTS: u64 = 64;
/// The longest root role that is accepted.
pub(crate) const LONGEST_ROOT: u64 = 1024 * 1024;

/// What to start from.
#[derive(Debug)]
pub(crate) struct Start {
    /// Where this anchor's memory is kept.
    pub(crate) store: Store,
    /// The newest trusted root.
    pub(crate) root: KnownRoot,
    /// What the store held; `None` on first use.
    pub(crate) before: Option<Found>,
    /// What counts. On first use that is the anchor alone; it may also be the memory of another anchor.
    pub(crate) remembered: Remembered,
}

/// Finds what to start from.
pub(crate) async fn find(
    fs: &dyn Fs,
    carrier: &Carrier,
    place: &Place,
    anchor: &[u8],
    trust_dir: &Path,
    url: &str,
) -> Result<Start, Error> {
    let mut all = all_of(fs, trust_dir, url);
    if all.as_ref().is_ok_and(|found| without_secrets(fs, trust_dir, url, found)) {
        all = all_of(fs, trust_dir, url);
    }
    // A root that was verified on the way is not verified again.
    let known: Vec<KnownRoot> = all.iter().flatten().map(|found| found.newest.clone()).collect();
    let parse = |bytes: &[u8]| match known.iter().find(|root| *root.bytes == *bytes) {
        Some(root) => Ok(root.clone()),
        None => KnownRoot::parse(bytes),
    };
    let shipped = parse(anchor).map_err(|reason| Error::Anchor { reason })?;
    let all = all?;
    let store = Store::new(trust_dir, anchor, url);
    let before = store.among(fs, &all)?;
    let own = before.as_ref().map(|found| found.remembered.clone());
    let all: Vec<Remembered> = all.into_iter().map(|found| found.remembered).collect();
    let most_advanced = all.iter().max_by_key(|memory| memory.advance()).cloned();
    let mut remembered = match (own, most_advanced) {
        (Some(own), Some(other)) if own.advance() >= other.advance() => own,
        (_, Some(other)) => join(carrier, place, trust_dir, &shipped, other).await?,
        (Some(own), None) => own,
        (None, None) => {
            info!(repository = store.url(), "nothing is remembered of this repository: first use");
            Remembered {
                roots: Chain::from([(shipped.version(), shipped.bytes.clone())]),
                ..Remembered::default()
            }
        }
    };
    remembered.roots = lengthened(remembered.roots, &all);
    let newest = remembered.newest_root().expect("a memory has a root");
    let root = parse(newest).map_err(|reason| Error::Memory {
        path: store.dir().to_owned(),
        reason: format!("its newest root is damaged: {reason}"),
    })?;
    Ok(Start { store, root, before, remembered })
}

/// `chain` with the older roots that other memories have in front of it: the set for the next boot may be one that an
/// older image ships the root for, and that image joins the chain where its own root stands.
fn lengthened(chain: Chain, memories: &[Remembered]) -> Chain {
    memories.iter().fold(chain, |chain, memory| {
        let mut longer = memory.roots.clone();
        longer.extend(chain.clone());
        if longer.keys().next() < chain.keys().next() && verify(&longer).is_ok() { longer } else { chain }
    })
}

/// The memory of another anchor, carried over to the shipped one if one chain joins them.
async fn join(
    carrier: &Carrier,
    place: &Place,
    trust_dir: &Path,
    shipped: &KnownRoot,
    mut other: Remembered,
) -> Result<Remembered, Error> {
    let parse = |version: &u64| other.roots.get(version).and_then(|bytes| KnownRoot::parse(bytes).ok());
    let (Some(oldest), Some(newest)) =
        (other.roots.keys().next().and_then(&parse), other.roots.keys().next_back().and_then(&parse))
    else {
        return Err(Error::Memory { path: trust_dir.to_owned(), reason: "it has no root role".to_owned() });
    };
    let refused = || Error::RootsApart {
        shipped: shipped.describe(),
        remembered: newest.describe(),
        place: place.describe(""),
        trust_dir: trust_dir.to_owned(),
    };
    let joined = if let Some(same) = parse(&shipped.version()) {
        if !same.says_the_same_as(shipped) {
            return Err(refused());
        }
        Chain::new()
    } else if shipped.version() > newest.version() {
        let chain = walk(carrier, place, &newest, shipped.version()).await?.ok_or_else(refused)?;
        let last = chain.values().next_back().and_then(|bytes| KnownRoot::parse(bytes).ok());
        if !last.is_some_and(|last| last.says_the_same_as(shipped)) {
            return Err(refused());
        }
        if forgets(&newest.role.signed, &shipped.role.signed) {
            other.roles.clear();
        }
        chain
    } else {
        let mut chain = walk(carrier, place, shipped, oldest.version()).await?.ok_or_else(refused)?;
        let last = chain.values().next_back().and_then(|bytes| KnownRoot::parse(bytes).ok());
        if !last.is_some_and(|last| last.says_the_same_as(&oldest)) {
            return Err(refused());
        }
        chain.insert(shipped.version(), shipped.bytes.clone());
        chain
    };
    info!(shipped = shipped.describe(), remembered = newest.describe(), "one chain joins both roots");
    for (version, bytes) in joined {
        other.roots.entry(version).or_insert(bytes);
    }
    Ok(other)
}

/// The successors of `from` up to version `to`, each vouched for by the one before; `None` when there is no such chain.
async fn walk(carrier: &Carrier, place: &Place, from: &KnownRoot, to: u64) -> Result<Option<Chain>, Error> {
    if to.saturating_sub(from.version()) > MOST_ROOTS {
        return Ok(None);
    }
    let mut chain = Chain::new();
    let mut trusted = from.clone();
    for version in from.version() + 1..=to {
        let name = format!("{version}.root.json");
        let expected = Expected { what: "TUF metadata".to_owned(), size: Size::AtMost(LONGEST_ROOT) };
        let bytes = match carrier.whole(place, &name, expected).await {
            Ok(bytes) => bytes,
            Err(Fault::Denied { status: 403, .. }) => return Ok(None),
            Err(fault) if fault.is_missing() => return Ok(None),
            Err(source) => return Err(Error::Metadata { name, place: place.describe(""), source }),
        };
        match KnownRoot::parse(&bytes) {
            Ok(next) if trusted.vouches_for(&next) => trusted = next,
            _ => return Ok(None),
        }
        chain.insert(version, bytes);
    }
    Ok(Some(chain))
}
