//! How fast one core of this machine does each thing that an update consists of: a line `NAME BYTES SECONDS` for each.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ring::digest::{SHA256, digest};

/// What is read or written at once.
const PIECE: usize = 1 << 20;
const BLOCK: usize = 4096;

/// Measures how fast one core does each thing that an update consists of.
#[derive(Parser)]
struct Args {
    /// A raw root image
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The same as one LZ4 frame
    #[arg(long, value_name = "FILE")]
    lz4: PathBuf,
    /// The same as zstd frames
    #[arg(long, value_name = "FILE")]
    zstd: Option<PathBuf>,
    /// A file to write, on the disk that counts
    #[arg(long, value_name = "FILE")]
    scratch: PathBuf,
    /// How much is written and read
    #[arg(long, default_value_t = 512 << 20, value_name = "BYTES")]
    bytes: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rates: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut piece = vec![0; 64 * PIECE];
    let mut root = File::open(&args.root)?;
    let filled = fill(&mut root, &mut piece)?;
    let piece = &piece[..filled];
    timed("sha256", || {
        (0..4).for_each(|_| sum(piece));
        Ok(4 * piece.len() as u64)
    })?;
    timed("blocks", || {
        (0..4).for_each(|_| piece.chunks(BLOCK).for_each(sum));
        Ok(4 * piece.len() as u64)
    })?;
    warm(&args.lz4)?;
    timed("lz4", || drain(lz4_flex::frame::FrameDecoder::new(BufReader::new(File::open(&args.lz4)?))))?;
    if let Some(zstd) = &args.zstd {
        warm(zstd)?;
        timed("zstd", || drain(zstd::Decoder::new(File::open(zstd)?)?))?;
    }
    timed("scan", || {
        let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).expect("flags of Linux fit");
        let mut file = OpenOptions::new().read(true).custom_flags(direct).open(&args.root)?;
        let (mut buffer, mut all) = (vec![0; PIECE + BLOCK], 0);
        let aligned = buffer.as_ptr().align_offset(BLOCK);
        let buffer = &mut buffer[aligned..aligned + PIECE];
        loop {
            let count = fill(&mut file, buffer)?;
            buffer[..count].chunks(BLOCK).for_each(sum);
            all += count as u64;
            if count < buffer.len() {
                return Ok(all);
            }
        }
    })?;
    disk(args)
}

/// Writing and reading, buffered and direct. The file is there before, as a partition is.
fn disk(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut source = vec![0; PIECE + BLOCK];
    let aligned = source.as_ptr().align_offset(BLOCK);
    fill(&mut File::open(&args.root)?, &mut source[aligned..aligned + PIECE])?;
    let pieces = args.bytes / PIECE as u64;
    let open = |flags: rustix::fs::OFlags| {
        let flags = i32::try_from(flags.bits()).expect("flags of Linux fit");
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags)
            .open(&args.scratch)
    };
    let write = |mut file: File| -> io::Result<u64> {
        (0..pieces).try_for_each(|_| file.write_all(&source[aligned..aligned + PIECE]))?;
        file.sync_all()?;
        Ok(pieces * PIECE as u64)
    };
    write(open(rustix::fs::OFlags::empty())?)?;
    timed("write-buffered", || write(open(rustix::fs::OFlags::empty())?))?;
    timed("write-direct", || write(open(rustix::fs::OFlags::DIRECT)?))?;
    timed("read-direct", || {
        let mut file = open(rustix::fs::OFlags::DIRECT)?;
        file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; PIECE + BLOCK];
        let aligned = buffer.as_ptr().align_offset(BLOCK);
        (0..pieces).try_for_each(|_| file.read_exact(&mut buffer[aligned..aligned + PIECE]))?;
        Ok(pieces * PIECE as u64)
    })?;
    std::fs::remove_file(&args.scratch)?;
    Ok(())
}

/// A digest that nobody wants, and that is made all the same.
fn sum(bytes: &[u8]) {
    black_box(digest(&SHA256, bytes));
}

/// Reads as much as there is room for, or as there is.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn drain(mut from: impl Read) -> io::Result<u64> {
    let (mut buffer, mut all) = (vec![0; PIECE], 0);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(all),
            count => all += count as u64,
        }
    }
}

/// So that the disk is not measured where it is not meant.
fn warm(path: &Path) -> io::Result<()> {
    drain(File::open(path)?).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is time")]
fn timed(name: &str, work: impl FnOnce() -> io::Result<u64>) -> io::Result<()> {
    let start = Instant::now();
    let bytes = work()?;
    println!("{name} {bytes} {:.6}", start.elapsed().as_secs_f64());
    Ok(())
}
