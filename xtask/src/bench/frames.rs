//! `cargo xtask bench frames`: how large frames should be and how hard to compress them. The real ROOT of one release is
//! cut up in several ways, and what a host that runs another one would fetch of each is counted.

use std::collections::HashSet;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use blocks::encode::{Options, all_threads};
use blocks::{Decoder, FrameSize, Index, Level, RawDigests, encode};
use clap::Parser;
use serde::Serialize;
use verity::{BLOCK_SIZE, Salt};

use super::images;
use super::images::catalog::{Catalog, Kind};
use super::images::release::{Extent, Pair};
use super::procfs;
use crate::Outcome;

/// Arguments of `cargo xtask bench frames`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Sizes of frames
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_value = "8KiB,16KiB,24KiB,32KiB,64KiB")]
    sizes: Vec<FrameSize>,
    /// Levels of compression
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_value = "9")]
    levels: Vec<Level>,
    /// Images that are much smaller, for trying this out
    #[arg(long)]
    little: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One way to cut the image up.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    frame_bytes: usize,
    level: i32,
    /// Seconds of processors to make all frames, and to decode them.
    encode: f64,
    decode: f64,
    /// Bytes of all frames, and of the index.
    frames: u64,
    index: u64,
    updates: Vec<Update>,
}

/// What a host fetches that runs another release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Update {
    pair: Pair,
    /// Bytes of frames that have a block which is nowhere in the ROOT that runs; the index comes on top.
    frames: u64,
    /// How many runs of neighbours they are.
    runs: usize,
}

/// Cuts the image up in each way, and prints. The frames of one way are in memory.
pub(crate) fn run(args: &Args) -> Outcome {
    let extent = Extent::little(args.little);
    images::there_or_built(extent)?;
    // Both pairs end with the same release.
    let [root, ..] = Pair::ALL.map(|pair| Catalog::paths(extent, pair.releases().1, Kind::Ext4).root);
    let mut wanted = Vec::new();
    for pair in Pair::ALL {
        let runs = digests(&Catalog::paths(extent, pair.releases().0, Kind::Ext4).root)?;
        let runs: HashSet<_> = runs.into_iter().collect();
        let missing: Vec<bool> = digests(&root)?.iter().map(|block| !runs.contains(block)).collect();
        wanted.push((pair, missing));
    }
    let mut rows = Vec::new();
    for &frame_size in &args.sizes {
        for &level in &args.levels {
            rows.push(row(&root, frame_size, level, &wanted)?);
        }
    }
    println!("{}", if args.json { serde_json::to_string(&rows)? } else { table(&rows) });
    Ok(true)
}

/// The digest of each block.
fn digests(image: &Path) -> Result<Vec<[u8; 32]>, Box<dyn Error>> {
    let mut file = File::open(image).map_err(|error| format!("read {}: {error}", image.display()))?;
    let (salt, mut block, mut digests) = (Salt::default(), vec![0; BLOCK_SIZE], Vec::new());
    loop {
        match file.read_exact(&mut block) {
            Ok(()) => digests.push(salt.digest(&block)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(digests),
            Err(error) => return Err(error.into()),
        }
    }
}

fn row(
    image: &Path,
    frame_size: FrameSize,
    level: Level,
    wanted: &[(Pair, Vec<bool>)],
) -> Result<Row, Box<dyn Error>> {
    let options = Options { frame_size, level, raw_digests: RawDigests::LeaveOut, threads: all_threads() };
    let spent = || procfs::own(std::process::id());
    let (mut file, mut data) = (File::open(image)?, Vec::new());
    let start = spent()?;
    let index = encode(&mut file, &mut data, &options, &mut |_| {})?;
    let encoded = spent()?;
    let (mut decoder, mut piece) = (Decoder::new(), vec![0; frame_size.bytes()]);
    for (number, frame) in index.frames().enumerate() {
        let (raw, range) = (index.raw_range(number), frame.range());
        let compressed = &data[usize::try_from(range.start)?..usize::try_from(range.end)?];
        decoder.decode(&frame, compressed, &mut piece[..usize::try_from(raw.end - raw.start)?])?;
    }
    let seconds = |time: Duration| time.as_secs_f64();
    Ok(Row {
        frame_bytes: frame_size.bytes(),
        level: level.number(),
        encode: seconds(encoded - start),
        decode: seconds(spent()? - encoded),
        frames: index.data_len(),
        index: index.encode().len() as u64,
        updates: wanted.iter().map(|(pair, missing)| update(*pair, &index, missing)).collect(),
    })
}

/// What is fetched if these blocks are missing.
fn update(pair: Pair, index: &Index, missing: &[bool]) -> Update {
    let fetched: Vec<bool> =
        missing.chunks(index.frame_size().blocks() as usize).map(|blocks| blocks.contains(&true)).collect();
    let lengths = index.frames().zip(&fetched).filter(|(_, fetched)| **fetched);
    let begins = |at: usize| fetched[at] && (at == 0 || !fetched[at - 1]);
    Update {
        pair,
        frames: lengths.map(|(frame, _)| u64::from(frame.length)).sum(),
        runs: (0..fetched.len()).filter(|at| begins(*at)).count(),
    }
}

fn table(rows: &[Row]) -> String {
    let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let mut text = "| frame | level | make, decode: processor s | whole ROOT: frames + index |".to_owned();
    let pairs = rows.first().map_or(&[][..], |row| &row.updates);
    for update in pairs {
        text += &format!(" {}: frames + index, runs |", update.pair.name());
    }
    text += &format!("\n{}", "|---".repeat(4 + pairs.len()));
    text += "|";
    for row in rows {
        let Row { frame_bytes, level, encode, decode, frames, index, updates } = row;
        let kib = frame_bytes / 1024;
        text += &format!("\n| {kib} KiB | {level} | {encode:.1}, {decode:.1} |");
        text += &format!(" {} + {} |", mb(*frames), mb(*index));
        for Update { frames, runs, .. } in updates {
            text += &format!(" {} + {} = {}, {runs} |", mb(*frames), mb(*index), mb(frames + index));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use testdata::noise;

    use super::*;

    /// An image of eight blocks that no compressor makes smaller, in frames of two.
    fn image(path: &Path, change: impl Fn(usize) -> u8) {
        let mut bytes = noise(1, 8 * BLOCK_SIZE);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte ^= change(at / BLOCK_SIZE);
        }
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_frame_is_fetched_for_any_block_that_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
        image(&old, |_| 0);
        image(&new, |block| u8::from([1, 2, 7].contains(&block)));
        let known: HashSet<_> = digests(&old).unwrap().into_iter().collect();
        let missing: Vec<bool> = digests(&new).unwrap().iter().map(|block| !known.contains(block)).collect();
        let frame_size = FrameSize::from_blocks(2).unwrap();
        let row = row(&new, frame_size, Level::default(), &[(Pair::Kernel, missing)]).unwrap();
        // Three of four frames, in two runs; noise is stored as it is.
        let [update] = row.updates[..] else { panic!("{row:?}") };
        assert_eq!((update.frames, update.runs, row.index), (row.frames / 4 * 3, 2, 28 + 4 * 36));
        let table = table(&[row]);
        assert!(table.contains("| 8 KiB | 9 |") && table.contains("kernel: frames + index, runs"), "{table}");
    }
}
