//! Bytes that the server sent, by what they were for.

use serde::Serialize;

/// Bytes that the server sent, by what they were for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Wire {
    pub(crate) metadata: u64,
    pub(crate) index: u64,
    pub(crate) hash: u64,
    pub(crate) boot: u64,
    pub(crate) root: u64,
    pub(crate) other: u64,
}

impl Wire {
    /// Sums up what was asked for.
    pub(crate) fn of(sent: &[(String, u64)]) -> Self {
        let mut wire = Self::default();
        for (path, bytes) in sent {
            *wire.class(path) += bytes;
        }
        wire
    }

    /// Everything.
    pub(crate) fn total(self) -> u64 {
        self.metadata + self.other + self.images()
    }

    /// What images are made of.
    pub(crate) fn images(self) -> u64 {
        self.index + self.hash + self.boot + self.root
    }

    fn class(&mut self, path: &str) -> &mut u64 {
        let Some((_, target)) = path.split_once("/targets/") else { return &mut self.metadata };
        match target {
            name if name.ends_with("manifest.json") => &mut self.metadata,
            name if name.ends_with(".idx") => &mut self.index,
            name if name.contains("-hash.") => &mut self.hash,
            // Frames, the plain stream, or a pack with its header.
            name if name.contains("-boot.") || name.contains("-boot-from-") => &mut self.boot,
            name if name.contains("-root.") || name.contains("-root-from-") => &mut self.root,
            _ => &mut self.other,
        }
    }
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
            ("/targets/00.ours-a-1.1.0-root-from-1.0.0.body", 128),
            ("/targets/00.ours-a-1.1.0-boot-from-1.0.0.pack", 256),
        ];
        let sent = sent.map(|(path, bytes)| (path.to_owned(), bytes));
        let wire = Wire { metadata: 3, index: 4, hash: 8, boot: 272, root: 160, other: 64 };
        assert_eq!((Wire::of(&sent), wire.total(), wire.images()), (wire, 511, 444));
    }
}
