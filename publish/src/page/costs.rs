//! What a host fetches to get from one release to another, by each way that there is.

use std::collections::HashSet;
use std::io::Read as _;

use blocks::Index;
use host_io::report::chain;
use lz4_flex::frame::FrameDecoder;
use semver::Version;
use trusted_repo::Repository;
use update_metadata::Update;
use verity::{BLOCK_SIZE, HashTree};

/// So many of the newest releases are reached from others in this table.
pub const NEWEST: usize = 5;
/// The longest hash image that is unpacked: that of a root image of 16 GiB.
const LONGEST_HASH: u64 = 144 << 20;

/// Images only: the manifest, migrations and metadata come on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// From this release,
    pub from: Version,
    /// to this one.
    pub to: Version,
    /// Bytes of the whole images.
    pub whole: u64,
    /// Bytes of the frames that the older release does not have, of their indexes and of the hash image; the failure says
    /// why that is not known.
    pub frames: Result<u64, String>,
    /// Bytes of the pack, and of the hash image where it is fetched; `None` where there is none.
    pub pack: Option<u64>,
}

/// A release as far as its cost goes.
pub(super) struct Weighed<'a> {
    update: &'a Update,
    tree: Result<HashTree, String>,
    root: Result<Index, String>,
    boot: Result<Index, String>,
    sizes: Sizes,
}

/// Bytes as they are fetched.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    whole: u64,
    hash: u64,
    indexes: u64,
}

impl<'a> Weighed<'a> {
    /// Fetches what says what an image is made of. What cannot be had is told where it would have been used.
    pub(super) async fn of(repository: &Repository, update: &'a Update) -> Self {
        let images = &update.images;
        let mut sizes = Sizes::default();
        for (role, name) in images.named() {
            let length = length(repository, name).await;
            sizes.whole += length;
            if role == "hash" {
                sizes.hash = length;
            }
        }
        let frames = update.extensions.frames.as_ref();
        let (root, boot) =
            (frames.and_then(|all| all.root.as_ref()), frames.and_then(|all| all.boot.as_ref()));
        for framed in [root, boot].into_iter().flatten() {
            sizes.indexes += length(repository, &framed.index).await;
        }
        Self {
            update,
            tree: tree(repository, &images.hash).await,
            root: index(repository, root.map(|framed| framed.index.as_str())).await,
            boot: index(repository, boot.map(|framed| framed.index.as_str())).await,
            sizes,
        }
    }

    /// What it costs to get here from another release.
    pub(super) async fn from(&self, repository: &Repository, other: &Self) -> Cost {
        let base = other.tree.as_ref().ok().map(|tree| tree.root_hash().to_string());
        let packs = self.update.extensions.packs.iter().find(|packs| Some(&packs.base) == base.as_ref());
        let pack = match packs {
            Some(packs) => {
                let mut bytes = 0;
                for (_, packed) in packs.named() {
                    bytes +=
                        length(repository, &packed.header).await + length(repository, &packed.body).await;
                }
                Some(bytes)
            }
            None => None,
        };
        Cost {
            from: other.update.version.clone(),
            to: self.update.version.clone(),
            whole: self.sizes.whole,
            frames: self.frames(other),
            pack,
        }
    }

    fn frames(&self, other: &Self) -> Result<u64, String> {
        let (ours, theirs) =
            (self.tree.as_ref().map_err(String::clone)?, other.tree.as_ref().map_err(String::clone)?);
        if ours.superblock().salt != theirs.superblock().salt {
            return Err("their hash trees have different salts".to_owned());
        }
        let root = self.root.as_ref().map_err(String::clone)?;
        let there: HashSet<_> = theirs.leaves().collect();
        let leaves: Vec<_> = ours.leaves().collect();
        let block = BLOCK_SIZE as u64;
        let is_new = |number: usize| {
            let raw = root.raw_range(number);
            let blocks = raw.start / block..raw.end.div_ceil(block);
            blocks.filter_map(|at| leaves.get(usize::try_from(at).ok()?)).any(|leaf| !there.contains(leaf))
        };
        let new_root = root.frames().enumerate().filter(|(number, _)| is_new(*number));
        let of_root: u64 = new_root.map(|(_, frame)| u64::from(frame.length)).sum();
        let boot = self.boot.as_ref().map_err(String::clone)?;
        // BOOT has no tree: a frame is there where the older release has the same one.
        let old_boot: HashSet<[u8; 32]> = match &other.boot {
            Ok(index) => index.frames().map(|frame| frame.sha256).collect(),
            Err(_) => HashSet::new(),
        };
        let new_boot = boot.frames().filter(|frame| !old_boot.contains(&frame.sha256));
        let of_boot: u64 = new_boot.map(|frame| u64::from(frame.length)).sum();
        Ok(of_root + of_boot + self.sizes.indexes + self.sizes.hash)
    }
}

async fn length(repository: &Repository, name: &str) -> u64 {
    repository.target(name).await.map_or(0, |info| info.length)
}

async fn index(repository: &Repository, name: Option<&str>) -> Result<Index, String> {
    let name = name.ok_or_else(|| "it has no frames".to_owned())?;
    let bytes = repository.fetch(name, blocks::index::MAX_LEN).await.map_err(|error| chain(&error))?;
    Index::parse(bytes.bytes()).map_err(|error| chain(&error))
}

async fn tree(repository: &Repository, name: &str) -> Result<HashTree, String> {
    let bytes = repository.fetch(name, LONGEST_HASH).await.map_err(|error| chain(&error))?;
    let mut raw = Vec::new();
    let unpacked = FrameDecoder::new(bytes.bytes()).take(LONGEST_HASH).read_to_end(&mut raw);
    unpacked.map_err(|error| format!("failed to unpack {name}: {error}"))?;
    HashTree::parse_vec(raw).map_err(|error| chain(&error))
}
