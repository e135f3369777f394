//! `updog`, and what the server sent it for.

use std::error::Error;

use serde::Serialize;

use crate::bench::field::host::Host;
use crate::bench::field::web::Web;
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

/// Bytes that the server sent, by what they were for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Wire {
    pub(super) metadata: u64,
    pub(super) index: u64,
    pub(super) hash: u64,
    pub(super) boot: u64,
    pub(super) root: u64,
    pub(super) other: u64,
}

impl Wire {
    pub(super) fn total(self) -> u64 {
        self.metadata + self.index + self.hash + self.boot + self.root + self.other
    }

    fn of(sent: &[(String, u64)]) -> Self {
        let mut wire = Self::default();
        for (path, bytes) in sent {
            *wire.class(path) += bytes;
        }
        wire
    }

    fn class(&mut self, path: &str) -> &mut u64 {
        let Some((_, target)) = path.split_once("/targets/") else { return &mut self.metadata };
        match target {
            name if name.ends_with("manifest.json") => &mut self.metadata,
            name if name.ends_with(".idx") => &mut self.index,
            name if name.contains("-hash.") => &mut self.hash,
            name if name.contains("-boot.") => &mut self.boot,
            name if name.contains("-root.") => &mut self.root,
            _ => &mut self.other,
        }
    }
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
    let again = Wire::of(&web.sent()?);
    let again = again.index + again.hash + again.boot + again.root;
    Ok(Ours { wire: Wire::of(&sent), requests: sent.len(), spent, bytes, again })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_apart_by_what_they_are_for() {
        let sent = [
            ("/metal/x86_64/timestamp.json", 1),
            ("/targets/00.manifest.json", 2),
            ("/targets/00.ours-a-1.1.0-root.idx", 4),
            ("/targets/00.ours-a-1.1.0-hash.lz4", 8),
            ("/targets/00.ours-a-1.1.0-boot.zst", 16),
            ("/targets/00.ours-a-1.1.0-root.zst", 32),
            ("/targets/00.migrate_v1.1.0_x.lz4", 64),
        ];
        let sent = sent.map(|(path, bytes)| (path.to_owned(), bytes));
        let wire = Wire { metadata: 3, index: 4, hash: 8, boot: 16, root: 32, other: 64 };
        assert_eq!((Wire::of(&sent), wire.total()), (wire, 127));
    }
}
