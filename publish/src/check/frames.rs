//! Frames streamed, decoded and held against what the whole image is, in bounded memory.

use std::io::{self, Read};

use blocks::index::MAX_LEN;
use blocks::{Decoder, Index, seek_table};
use ring::digest::{Context, SHA256};
use trusted_repo::{Error as RepoError, TargetReader};
use verity::{BLOCK_SIZE, HashTree};

/// Reads the index of an image.
pub(crate) fn index(mut target: TargetReader) -> Result<Index, String> {
    let name = target.name().to_owned();
    let mut bytes = Vec::new();
    // One byte more than the longest, to see that it is too long.
    let read = (&mut target).take(MAX_LEN + 1).read_to_end(&mut bytes);
    read.map_err(|error| told(&name, error))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(format!("it has more than {MAX_LEN} bytes"));
    }
    target.finish().map_err(|error| host_io::report::chain(&error))?;
    Index::parse(&bytes).map_err(|error| format!("failed to {}", host_io::report::chain(&error)))
}

/// Holds the frames of root against its tree, block by block.
pub(crate) fn against_tree(target: TargetReader, index: &Index, tree: &HashTree) -> Result<(), String> {
    if index.raw_len() != tree.data_len() {
        let (framed, whole) = (index.raw_len(), tree.data_len());
        return Err(format!(
            "its index is of an image of {framed} bytes, and the hash image of one of {whole}"
        ));
    }
    let mut number = 0;
    each(target, index, |raw| {
        for block in raw.chunks(BLOCK_SIZE) {
            tree.check_block(number, block).map_err(|error| host_io::report::chain(&error))?;
            number += 1;
        }
        Ok(())
    })
}

/// Holds the frames of an image without a tree against the whole image, where that could be read.
pub(crate) fn against_digest(
    target: TargetReader,
    index: &Index,
    whole: Option<[u8; 32]>,
) -> Result<(), String> {
    if !index.has_raw_digests() {
        return Err(
            "its index has no digests of the raw bytes, and nothing else says what these are".to_owned()
        );
    }
    let mut digest = Context::new(&SHA256);
    each(target, index, |raw| {
        digest.update(raw);
        Ok(())
    })?;
    match whole {
        Some(whole) if digest.finish().as_ref() != whole => {
            Err("its frames hold another image than the whole one".to_owned())
        }
        _ => Ok(()),
    }
}

/// Verifies and decodes one frame after another, then the table behind them, and the target at its end.
fn each(
    mut target: TargetReader,
    index: &Index,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let name = target.name().to_owned();
    let mut decoder = Decoder::new();
    let (mut compressed, mut decoded) = (Vec::new(), Vec::new());
    for (number, frame) in index.frames().enumerate() {
        let raw = index.raw_range(number);
        decoded.resize(usize::try_from(raw.end - raw.start).expect("a frame has at most 4 MiB"), 0);
        compressed.resize(frame.length as usize, 0);
        target.read_exact(&mut compressed).map_err(|error| told(&name, error))?;
        if !frame.is(&compressed) {
            return Err(format!("the frame at {} has other bytes than its index says", frame.offset));
        }
        let refused = |error| format!("failed to {}", host_io::report::chain(&error));
        decoder.decode(&frame, &compressed, &mut decoded).map_err(refused)?;
        take(&decoded)?;
    }
    let table = seek_table::seek_table(index);
    let mut rest = Vec::new();
    let read = (&mut target).take(table.len() as u64 + 1).read_to_end(&mut rest);
    read.map_err(|error| told(&name, error))?;
    if rest != table {
        return Err("what follows its frames is not the table that other tools look for".to_owned());
    }
    target.finish().map(|_| ()).map_err(|error| host_io::report::chain(&error))
}

fn told(name: &str, error: io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "it ends before its last frame".to_owned();
    }
    host_io::report::chain(&RepoError::from_read(name, error))
}
