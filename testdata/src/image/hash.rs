//! HASH: the dm-verity tree of a root, by the product's own `verity` crate.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use verity::{BLOCK_SIZE, HashImage, Salt, TreeBuilder};

/// The same for all releases, so that equal blocks have equal leaves in each.
const SALT: &str = "5f7365656420666f7220746573747320616e64206e6f7468696e6720656c7365";

/// The tree over the whole file at `root`, whose length is a multiple of 4096.
///
/// # Errors
/// When the file cannot be read.
pub fn build(root: &Path) -> io::Result<HashImage> {
    let file = File::open(root)?;
    let blocks = file.metadata()?.len() / BLOCK_SIZE as u64;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    // Not a secret and not random: the same root has the same tree.
    let mut tree = TreeBuilder::new(salt(), *b"testdata\0\0\0\0root");
    let mut block = vec![0; BLOCK_SIZE];
    for _ in 0..blocks {
        reader.read_exact(&mut block)?;
        tree.push(&block).expect("a whole block");
    }
    Ok(tree.finish())
}

/// The salt of every tree that is made here.
#[must_use]
pub fn salt() -> Salt {
    SALT.parse().expect("hexadecimal")
}
