//! One image, from the stream to the disk.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::str::FromStr;

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tough::{Repository, TargetName};

/// What is done beyond writing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing.
    None,
    /// It is synced, dropped from the cache, read again and compared.
    SyncedAndReadBack,
}

/// Where a target goes.
#[derive(Clone)]
pub(crate) struct Place {
    name: String,
    offset: u64,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, offset) = text.rsplit_once('@').ok_or("there is no @ in it")?;
        let offset = offset.parse().map_err(|error| format!("{offset:?} is no offset ({error})"))?;
        Ok(Self { name: name.to_owned(), offset })
    }
}

/// Fetches, decodes and writes one target.
pub(crate) fn image(
    runtime: &Runtime,
    repository: &Repository,
    disk: &Path,
    place: &Place,
    durability: Durability,
) -> Result<(), Box<dyn Error>> {
    let name = TargetName::new(&place.name)?;
    let stream = runtime
        .block_on(repository.read_target(&name))?
        .ok_or_else(|| format!("there is no target {}", place.name))?;
    let reader = StreamReader::new(Box::pin(stream.map_err(io::Error::other)));
    let _inside = runtime.enter();
    let mut decoder = lz4::Decoder::new(SyncIoBridge::new(reader))?;
    let mut file = OpenOptions::new().read(true).write(true).open(disk)?;
    file.seek(SeekFrom::Start(place.offset))?;
    let mut writer =
        Tee { inner: BufWriter::with_capacity(1 << 20, file.try_clone()?), digest: None, length: 0 };
    if durability == Durability::SyncedAndReadBack {
        writer.digest = Some(Sha256::new());
    }
    io::copy(&mut decoder, &mut writer)?;
    writer.inner.flush()?;
    let (length, digest) = (writer.length, writer.digest);
    drop(writer.inner);
    if let Some(digest) = digest {
        file.sync_all()?;
        read_back(&mut file, place.offset, length, &digest.finalize())?;
    }
    Ok(())
}

fn read_back(file: &mut File, offset: u64, length: u64, digest: &[u8]) -> Result<(), Box<dyn Error>> {
    let whole = std::num::NonZeroU64::new(length);
    rustix::fs::fadvise(&*file, offset, whole, rustix::fs::Advice::DontNeed)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut there = Sha256::new();
    let mut reader = file.take(length);
    let mut piece = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut piece)?;
        if count == 0 {
            break;
        }
        there.update(&piece[..count]);
    }
    if there.finalize()[..] != *digest {
        return Err("what is read back is not what was written".into());
    }
    Ok(())
}

/// A writer that knows what went through it.
struct Tee<W> {
    inner: W,
    digest: Option<Sha256>,
    length: u64,
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buf)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&buf[..count]);
        }
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
