//! The tree in a HASH partition, read by its top or from its start to its end in pieces: a second tree in memory, beside the one of an
//! update, would be a good part of all that the update takes.

use std::io;

use host_io::{Buffer, Disk};
use verity::{BLOCK_SIZE, RootHash, Superblock, TreeWalk};

/// Bytes that are read at once.
const PIECE: usize = 64 * BLOCK_SIZE;

/// What begins like a tree, and fits into its partition.
pub struct StoredTree<'a> {
    partition: &'a dyn Disk,
    piece: Buffer,
    walk: TreeWalk,
}

impl<'a> StoredTree<'a> {
    /// Looks for a tree in `partition`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(partition: &'a dyn Disk) -> io::Result<Option<Self>> {
        let mut piece = Buffer::new(PIECE);
        if partition.len() < BLOCK_SIZE as u64 {
            return Ok(None);
        }
        partition.read_at(0, &mut piece[..BLOCK_SIZE])?;
        // A superblock is a claim until the tree was walked through; it must not make us ask for more than the partition has.
        let walk =
            TreeWalk::begin(&piece[..BLOCK_SIZE]).ok().filter(|walk| walk.total_len() <= partition.len());
        Ok(walk.map(|walk| Self { partition, piece, walk }))
    }

    /// How it says that it was made.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        self.walk.superblock()
    }

    /// The root hash that its superblock and its top block have: two blocks are read, whatever its size. It tells which
    /// image was put there, and nothing of what has rotted below. `None` when that is no tree at all.
    ///
    /// # Errors
    /// When the partition cannot be read.
    pub fn top(mut self) -> io::Result<Option<RootHash>> {
        let block = &mut self.piece[..BLOCK_SIZE];
        self.partition.read_at(BLOCK_SIZE as u64, block)?;
        Ok(self.walk.next(block).ok().and_then(|_| self.walk.root_hash_of_top()))
    }

    /// Walks through it. The digests of data blocks go to `leaves` in their order, many at a time; they are worth what the
    /// root hash is that this ends with. `None` when it is no sound tree after all.
    ///
    /// # Errors
    /// When the partition cannot be read.
    pub fn walk(mut self, mut leaves: impl FnMut(&[u8])) -> io::Result<Option<RootHash>> {
        let len = self.walk.total_len();
        let mut at = BLOCK_SIZE as u64;
        while at < len {
            let count = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
            self.partition.read_at(at, &mut self.piece[..count])?;
            for block in self.piece[..count].chunks(BLOCK_SIZE) {
                match self.walk.next(block) {
                    Ok(found) => leaves(found),
                    Err(_) => return Ok(None),
                }
            }
            at += count as u64;
        }
        Ok(self.walk.finish().ok().map(|walked| walked.root_hash))
    }
}
