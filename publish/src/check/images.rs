//! Images streamed, decoded and held against their hash tree, in bounded memory: as a host would write them.

use std::io::{self, Read, Write as _};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use tempfile::NamedTempFile;
use trusted_repo::lz4::Lz4Reader;
use trusted_repo::{Error as RepoError, TargetReader};
use verity::{BLOCK_SIZE, HashTree};

use crate::progress::Progress;

/// The longest hash image that is held in memory: that of a root image of 16 GiB.
const LONGEST_HASH: u64 = 144 << 20;

/// What is read at once.
const PIECE: usize = 64 * BLOCK_SIZE;

/// Reads a target to its end and verifies it.
pub(crate) fn drain(mut target: TargetReader, progress: &Arc<dyn Progress>) -> Result<(), String> {
    let name = target.name().to_owned();
    let mut piece = vec![0; PIECE];
    loop {
        match read(&mut target, &mut piece) {
            Ok(0) => break,
            Ok(count) => progress.done(count as u64),
            Err(error) => return Err(told(&name, error)),
        }
    }
    target.finish().map(|_| ()).map_err(|error| host_io::report::chain(&error))
}

/// A target decoded into memory, where it has no more than `limit` bytes.
pub(crate) fn decoded(target: TargetReader, limit: u64) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    each(target, |piece| {
        raw.extend_from_slice(piece);
        if raw.len() as u64 > limit { Err(format!("it has more than {limit} bytes")) } else { Ok(()) }
    })?;
    Ok(raw)
}

/// A target decoded into a file of its own.
pub(crate) fn unpacked(target: TargetReader) -> Result<NamedTempFile, String> {
    let failed = |error: io::Error| format!("failed to unpack it: {error}");
    let mut file = NamedTempFile::new().map_err(failed)?;
    each(target, |piece| file.write_all(piece).map_err(failed))?;
    file.flush().map_err(failed)?;
    Ok(file)
}

/// The raw length of an image that has no tree over it, and its digest.
pub(crate) fn measure(target: TargetReader) -> Result<([u8; 32], u64), String> {
    let mut length = 0;
    let mut digest = Context::new(&SHA256);
    each(target, |piece| {
        length += piece.len() as u64;
        digest.update(piece);
        Ok(())
    })?;
    Ok((digest.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes"), length))
}

/// The tree of a hash image, and its raw length.
pub(crate) fn tree(target: TargetReader) -> Result<(HashTree, u64), String> {
    let mut raw = Vec::new();
    each(target, |piece| {
        raw.extend_from_slice(piece);
        if raw.len() as u64 > LONGEST_HASH {
            return Err(format!("it has more than {LONGEST_HASH} bytes"));
        }
        Ok(())
    })?;
    let tree = HashTree::parse(&raw).map_err(|error| host_io::report::chain(&error))?;
    Ok((tree, raw.len() as u64))
}

/// Holds a root image against its tree. The answer is its raw length.
pub(crate) fn against(target: TargetReader, tree: &HashTree) -> Result<u64, String> {
    let mut block = Vec::with_capacity(BLOCK_SIZE);
    let mut index = 0;
    each(target, |mut piece| {
        while !piece.is_empty() {
            let (taken, rest) = piece.split_at(piece.len().min(BLOCK_SIZE - block.len()));
            block.extend_from_slice(taken);
            piece = rest;
            if block.len() == BLOCK_SIZE {
                tree.check_block(index, &block).map_err(|error| host_io::report::chain(&error))?;
                index += 1;
                block.clear();
            }
        }
        Ok(())
    })?;
    if index != tree.data_blocks() || !block.is_empty() {
        return Err(format!("its hash image covers {} blocks, and it has {index}", tree.data_blocks()));
    }
    Ok(index * BLOCK_SIZE as u64)
}

/// Decodes a target piece by piece and verifies it at its end.
fn each(target: TargetReader, mut take: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    let name = target.name().to_owned();
    let mut reader = Lz4Reader::new(target);
    let mut piece = vec![0; PIECE];
    loop {
        match read(&mut reader, &mut piece) {
            Ok(0) => break,
            Ok(count) => take(&piece[..count])?,
            Err(error) => return Err(told(&name, error)),
        }
    }
    reader.finish().map(|_| ()).map_err(|error| host_io::report::chain(&error))
}

fn read(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn told(name: &str, error: io::Error) -> String {
    host_io::report::chain(&RepoError::from_read(name, error))
}
