//! What a pack says of itself, from bytes and back (`docs/formats.md`, "Packs").

use ring::digest::{SHA256, digest};
use verity::layout::Layout;
use verity::{BLOCK_SIZE, BlockHasher, DIGEST_SIZE, RootHash, Superblock};

pub use super::error::{HeaderError, VERSION};
use super::runs::{CopyRun, Numbers, Run, put, put_signed, total};
use super::{GROUP_BLOCKS, GROUP_LEN, MAX_PREFIX_BLOCKS, MAX_SPAN_BLOCKS};
use crate::index::longest_frame;

/// What a header begins with.
pub const MAGIC: [u8; 8] = *b"ABPACKED";
/// The longest header that is read, in bytes.
pub const MAX_LEN: u64 = 16 << 20;
/// The most blocks of an image: 64 GiB.
pub const MAX_BLOCKS: u64 = 1 << 24;

/// The kind of an image with a hash tree.
const TREE: u16 = 1;
/// The kind of an image without one.
const FLAT: u16 = 2;
/// How much of a superblock's block is written; what follows is zero.
const SUPERBLOCK: usize = 512;

/// What a pack says of itself. One that was parsed fits together; whether it tells the truth is seen group by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The length of the base in bytes.
    pub old_len: u64,
    /// The length of the new image in bytes.
    pub new_len: u64,
    /// What the groups are held against.
    pub shape: Shape,
    /// Which blocks are copied, in the order of the new image.
    pub copies: Vec<CopyRun>,
    /// Where the others come from. The spans follow one another and cover all groups.
    pub spans: Vec<Span>,
}

/// What says which image the base is, and what each group of the new one must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Both have hash trees.
    Tree {
        /// The root hash of the base.
        old_root: RootHash,
        /// The root hash of the new image.
        new_root: RootHash,
        /// How the new tree is made.
        superblock: Superblock,
        /// The length of the new hash image in bytes, and its SHA-256.
        hash_image: (u64, [u8; 32]),
        /// The digest of each block of digests in the new tree: one for each group.
        level1: Vec<[u8; 32]>,
    },
    /// Neither has one.
    Flat {
        /// The SHA-256 of each group of the base.
        old_groups: Vec<[u8; 32]>,
        /// The SHA-256 of the whole new image.
        new_sha256: [u8; 32],
        /// The SHA-256 of each of its groups.
        new_groups: Vec<[u8; 32]>,
    },
}

/// Groups that follow one another, and the frame with those of their blocks that are not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first group.
    pub first_group: u32,
    /// How many groups, at least one.
    pub groups: u32,
    /// How many of their blocks the frame has. There is no frame if it is none.
    pub new_blocks: u32,
    /// Where the frame begins in the body.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u32,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// What of the base stood before it when it was compressed, one run behind the other, in the base's order.
    pub prefix: Vec<Run>,
}

impl Header {
    /// Reads a header. What it takes in memory is bounded by `bytes`, and these by [`MAX_LEN`].
    ///
    /// # Errors
    /// When anything in it is not exactly as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() as u64 > MAX_LEN {
            return Err(HeaderError::Field { field: "length" });
        }
        let mut numbers = Numbers(bytes.strip_prefix(&MAGIC).ok_or(HeaderError::NotPack)?);
        let fixed: [u8; 24] = numbers.bytes(24)?.try_into().expect("so many were asked for");
        let version = u16::from_le_bytes([fixed[0], fixed[1]]);
        if version != VERSION {
            return Err(HeaderError::Version { version });
        }
        let kind = u16::from_le_bytes([fixed[2], fixed[3]]);
        let flags = u32::from_le_bytes(fixed[4..8].try_into().expect("four bytes"));
        if flags != 0 {
            return Err(HeaderError::Flags { flags });
        }
        let old_len = image_len(&fixed[8..16], "length of the base")?;
        let new_len = image_len(&fixed[16..24], "length of the image")?;
        let shape = match kind {
            TREE => tree(&mut numbers, old_len, new_len)?,
            FLAT => flat(&mut numbers, old_len, new_len)?,
            _ => return Err(HeaderError::Field { field: "kind" }),
        };
        let copies = copies(&mut numbers, old_len, new_len)?;
        let spans = spans(&mut numbers, old_len, new_len, &copies)?;
        match numbers.0.len() {
            0 => Ok(Self { old_len, new_len, shape, copies, spans }),
            count => Err(HeaderError::Trailing { count }),
        }
    }

    /// The header as it is published.
    ///
    /// # Panics
    /// When the parts do not fit together, as they do in one that was parsed or made.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let kind = if matches!(self.shape, Shape::Tree { .. }) { TREE } else { FLAT };
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(&self.old_len.to_le_bytes());
        bytes.extend_from_slice(&self.new_len.to_le_bytes());
        match &self.shape {
            Shape::Tree { old_root, new_root, superblock, hash_image, level1 } => {
                bytes.extend_from_slice(old_root.as_bytes());
                bytes.extend_from_slice(new_root.as_bytes());
                bytes.extend_from_slice(&superblock.encode()[..SUPERBLOCK]);
                bytes.extend_from_slice(&hash_image.0.to_le_bytes());
                bytes.extend_from_slice(&hash_image.1);
                bytes.extend(level1.iter().flatten());
            }
            Shape::Flat { old_groups, new_sha256, new_groups } => {
                bytes.extend(old_groups.iter().flatten());
                bytes.extend_from_slice(new_sha256);
                bytes.extend(new_groups.iter().flatten());
            }
        }
        put(&mut bytes, self.copies.len() as u64);
        let (mut new, mut old) = (0, 0);
        for run in &self.copies {
            put(&mut bytes, u64::from(run.new - new));
            put(&mut bytes, u64::from(run.blocks));
            put_signed(&mut bytes, i64::from(run.old) - i64::from(old));
            (new, old) = (run.new + run.blocks, run.old + run.blocks);
        }
        put(&mut bytes, self.spans.len() as u64);
        for span in &self.spans {
            put(&mut bytes, u64::from(span.groups));
            if span.new_blocks == 0 {
                continue;
            }
            put(&mut bytes, u64::from(span.length));
            bytes.extend_from_slice(&span.sha256);
            put(&mut bytes, span.prefix.len() as u64);
            let mut end = 0;
            for run in &span.prefix {
                put(&mut bytes, u64::from(run.first - end));
                put(&mut bytes, u64::from(run.blocks));
                end = run.first + run.blocks;
            }
        }
        bytes
    }

    /// How many groups the new image has.
    #[must_use]
    pub fn groups(&self) -> u32 {
        groups(self.new_len)
    }

    /// How many blocks the new image has; the last one may be shorter in an image without a tree.
    #[must_use]
    pub fn new_blocks(&self) -> u32 {
        blocks(self.new_len)
    }

    /// Which bytes of the new image a group has.
    #[must_use]
    pub fn group_range(&self, group: u32) -> std::ops::Range<u64> {
        let start = u64::from(group) * GROUP_LEN as u64;
        start..(start + GROUP_LEN as u64).min(self.new_len)
    }

    /// How many bytes the body has.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.spans.iter().map(|span| u64::from(span.length)).sum()
    }

    /// The copied runs that reach into a group, cut to it, in their order.
    pub fn copies_of(&self, group: u32) -> impl Iterator<Item = CopyRun> + '_ {
        let start = group * GROUP_BLOCKS;
        let end = (start + GROUP_BLOCKS).min(self.new_blocks());
        let first = self.copies.partition_point(|run| run.new + run.blocks <= start);
        self.copies[first..].iter().take_while(move |run| run.new < end).map(move |run| {
            let from = run.new.max(start);
            let to = (run.new + run.blocks).min(end);
            CopyRun { new: from, old: run.old + (from - run.new), blocks: to - from }
        })
    }
}

impl Span {
    /// Whether `compressed` are the bytes of its frame: what has to be known before they reach a decoder.
    #[must_use]
    pub fn is(&self, compressed: &[u8]) -> bool {
        compressed.len() == self.length as usize && digest(&SHA256, compressed).as_ref() == self.sha256
    }

    /// Its groups.
    #[must_use]
    pub fn group_range(&self) -> std::ops::Range<u32> {
        self.first_group..self.first_group + self.groups
    }

    /// Which bytes of the body are its frame.
    #[must_use]
    pub fn body_range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset + u64::from(self.length)
    }
}

/// How many blocks so many bytes take.
pub(super) fn blocks(len: u64) -> u32 {
    u32::try_from(len.div_ceil(BLOCK_SIZE as u64)).expect("an image has at most 2^24 blocks")
}

/// How many groups so many bytes take.
pub(super) fn groups(len: u64) -> u32 {
    blocks(len).div_ceil(GROUP_BLOCKS)
}

fn image_len(bytes: &[u8], field: &'static str) -> Result<u64, HeaderError> {
    let len = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let fits = (1..=MAX_BLOCKS * BLOCK_SIZE as u64).contains(&len);
    if fits { Ok(len) } else { Err(HeaderError::Field { field }) }
}

fn digests(numbers: &mut Numbers<'_>, count: u32) -> Result<Vec<[u8; 32]>, HeaderError> {
    let bytes = numbers.bytes(count as usize * DIGEST_SIZE)?;
    Ok(bytes.chunks_exact(DIGEST_SIZE).map(|digest| digest.try_into().expect("32 bytes")).collect())
}

fn tree(numbers: &mut Numbers<'_>, old_len: u64, new_len: u64) -> Result<Shape, HeaderError> {
    if !old_len.is_multiple_of(BLOCK_SIZE as u64) {
        return Err(HeaderError::Field { field: "length of the base" });
    }
    let old_root = RootHash::new(numbers.digest()?);
    let new_root = RootHash::new(numbers.digest()?);
    let mut block = [0; BLOCK_SIZE];
    block[..SUPERBLOCK].copy_from_slice(numbers.bytes(SUPERBLOCK)?);
    let superblock = Superblock::parse(&block).map_err(|_| HeaderError::Field { field: "superblock" })?;
    // A tree over a single block has no level, and there would be nothing to hold a group against.
    if superblock.data_blocks < 2 || superblock.data_blocks.checked_mul(BLOCK_SIZE as u64) != Some(new_len) {
        return Err(HeaderError::Field { field: "length of the image" });
    }
    let hash_len = u64::from_le_bytes(numbers.bytes(8)?.try_into().expect("eight bytes"));
    let layout = Layout::over(superblock.data_blocks);
    let shortest = layout.map_err(|_| HeaderError::Field { field: "superblock" })?.total_len();
    if hash_len != shortest {
        return Err(HeaderError::Field { field: "length of the hash image" });
    }
    let hash_image = (hash_len, numbers.digest()?);
    let level1 = digests(numbers, groups(new_len))?;
    if root_over(&level1, &BlockHasher::new(&superblock.salt)) != new_root {
        return Err(HeaderError::Digests { root_hash: new_root });
    }
    Ok(Shape::Tree { old_root, new_root, superblock, hash_image, level1 })
}

fn flat(numbers: &mut Numbers<'_>, old_len: u64, new_len: u64) -> Result<Shape, HeaderError> {
    let old_groups = digests(numbers, groups(old_len))?;
    let new_sha256 = numbers.digest()?;
    let new_groups = digests(numbers, groups(new_len))?;
    Ok(Shape::Flat { old_groups, new_sha256, new_groups })
}

/// The root hash over the digests of a tree's lowest blocks.
pub(super) fn root_over(level1: &[[u8; 32]], hasher: &BlockHasher) -> RootHash {
    let mut digests = level1.to_vec();
    while digests.len() > 1 {
        digests = upper(&digests).map(|block| hasher.digest(&block)).collect();
    }
    RootHash::new(digests.first().copied().unwrap_or_default())
}

/// The blocks that hold some digests, the last one filled up with zeros.
pub(super) fn upper(digests: &[[u8; 32]]) -> impl Iterator<Item = [u8; BLOCK_SIZE]> + '_ {
    digests.chunks(BLOCK_SIZE / DIGEST_SIZE).map(|digests| {
        let mut block = [0; BLOCK_SIZE];
        for (place, digest) in block.chunks_exact_mut(DIGEST_SIZE).zip(digests) {
            place.copy_from_slice(digest);
        }
        block
    })
}

fn copies(numbers: &mut Numbers<'_>, old_len: u64, new_len: u64) -> Result<Vec<CopyRun>, HeaderError> {
    let field = "list of copies";
    let bad = HeaderError::Field { field };
    let (old_blocks, new_blocks) = (u64::from(blocks(old_len)), u64::from(blocks(new_len)));
    let count = numbers.number(field)?;
    // Each takes three bytes at least, so no count reserves more memory than there are bytes.
    if count > numbers.0.len() as u64 / 3 {
        return Err(HeaderError::Truncated);
    }
    let mut copies = Vec::new();
    let (mut new, mut old) = (0u64, 0u64);
    for _ in 0..count {
        let start = new + numbers.number(field)?.min(new_blocks);
        let length = numbers.number(field)?.min(new_blocks + 1);
        let from = old.checked_add_signed(numbers.signed(field)?).ok_or(bad)?;
        (new, old) = (start + length, from.saturating_add(length));
        if length == 0 || new > new_blocks || old > old_blocks {
            return Err(bad);
        }
        let short = |number: u64| u32::try_from(number).map_err(|_| bad);
        copies.push(CopyRun { new: short(start)?, old: short(from)?, blocks: short(length)? });
    }
    Ok(copies)
}

fn spans(
    numbers: &mut Numbers<'_>,
    old_len: u64,
    new_len: u64,
    copies: &[CopyRun],
) -> Result<Vec<Span>, HeaderError> {
    let bad = HeaderError::Field { field: "list of spans" };
    let (all_groups, new_blocks) = (groups(new_len), blocks(new_len));
    let count = numbers.number("list of spans")?;
    if count > u64::from(all_groups) {
        return Err(bad);
    }
    let mut spans = Vec::new();
    let (mut next, mut offset) = (0u32, 0u64);
    let mut runs = copies.iter().peekable();
    for _ in 0..count {
        let groups = numbers.short("list of spans")?;
        let end = next.checked_add(groups).filter(|end| groups > 0 && *end <= all_groups).ok_or(bad)?;
        let (start, stop) = (next * GROUP_BLOCKS, (end * GROUP_BLOCKS).min(new_blocks));
        let mut copied = 0;
        while let Some(run) = runs.peek() {
            let run_end = run.new + run.blocks;
            copied += run_end.min(stop).saturating_sub(run.new.max(start));
            if run_end > stop {
                break;
            }
            runs.next();
        }
        let fresh = (stop - start) - copied;
        let mut span = Span {
            first_group: next,
            groups,
            new_blocks: fresh,
            offset,
            length: 0,
            sha256: [0; 32],
            prefix: Vec::new(),
        };
        if fresh > 0 {
            if fresh > MAX_SPAN_BLOCKS {
                return Err(bad);
            }
            span.length = numbers.short("length of a frame")?;
            if span.length == 0 || span.length > longest_frame(fresh as usize * BLOCK_SIZE) {
                return Err(HeaderError::Field { field: "length of a frame" });
            }
            span.sha256 = numbers.digest()?;
            span.prefix = prefix(numbers, blocks(old_len))?;
        }
        offset += u64::from(span.length);
        next = end;
        spans.push(span);
    }
    if next == all_groups { Ok(spans) } else { Err(bad) }
}

fn prefix(numbers: &mut Numbers<'_>, old_blocks: u32) -> Result<Vec<Run>, HeaderError> {
    let field = "prefix of a span";
    let bad = HeaderError::Field { field };
    let count = numbers.short(field)?;
    if count > MAX_PREFIX_BLOCKS {
        return Err(bad);
    }
    let mut runs = Vec::new();
    let mut end = 0u32;
    for _ in 0..count {
        let first = end.checked_add(numbers.short(field)?).ok_or(bad)?;
        let blocks = numbers.short(field)?;
        end = first.checked_add(blocks).filter(|end| blocks > 0 && *end <= old_blocks).ok_or(bad)?;
        runs.push(Run { first, blocks });
    }
    if total(&runs) <= u64::from(MAX_PREFIX_BLOCKS) { Ok(runs) } else { Err(bad) }
}
