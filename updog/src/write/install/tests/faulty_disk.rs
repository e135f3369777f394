//! A disk in memory that fails on request.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use host_io::{Disk, Medium};

pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;

/// A disk in memory that fails on request.
pub(super) struct FaultyDisk {
    /// What reads see.
    pub(super) cache: Mutex<Vec<u8>>,
    /// What read-backs see.
    pub(super) medium: Mutex<Vec<u8>>,
    /// How many bytes were read.
    read: AtomicU64,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A write that covers this offset stops before it, with this error.
    Write(u64, i32),
    /// Sync fails.
    Sync,
    /// What is written to this offset never reaches the medium.
    Lie(u64),
    /// Reading this offset fails.
    Read(u64),
    /// Reading this offset back fails.
    ReadBack(u64),
}

impl FaultyDisk {
    pub(super) fn new(content: Vec<u8>, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            cache: Mutex::new(content.clone()),
            medium: Mutex::new(content),
            read: AtomicU64::new(0),
            fault,
        })
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.cache.lock().unwrap().clone()
    }

    /// What is left when the power goes.
    pub(super) fn durable_bytes(&self) -> Vec<u8> {
        self.medium.lock().unwrap().clone()
    }
}

fn range(offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap();
    start..start + len
}

fn covers(offset: u64, len: usize, at: u64) -> bool {
    (offset..offset + len as u64).contains(&at)
}

impl Disk for FaultyDisk {
    fn len(&self) -> u64 {
        self.cache.lock().unwrap().len() as u64
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if matches!(self.fault, Fault::Read(at) if covers(offset, buf.len(), at)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        buf.copy_from_slice(&self.cache.lock().unwrap()[range(offset, buf.len())]);
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(offset + bytes.len() as u64 <= self.len(), "a write past the partition");
        let (kept, result) = match self.fault {
            Fault::Write(at, errno) if covers(offset, bytes.len(), at) => {
                (usize::try_from(at - offset).unwrap(), Err(io::Error::from_raw_os_error(errno)))
            }
            _ => (bytes.len(), Ok(())),
        };
        self.cache.lock().unwrap()[range(offset, kept)].copy_from_slice(&bytes[..kept]);
        let mut medium = self.medium.lock().unwrap();
        for (at, byte) in (offset..).zip(&bytes[..kept]) {
            if self.fault != Fault::Lie(at) {
                medium[usize::try_from(at).unwrap()] = *byte;
            }
        }
        result
    }

    fn sync(&self) -> io::Result<()> {
        if self.fault == Fault::Sync { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if matches!(self.fault, Fault::ReadBack(at) if covers(offset, buf.len(), at)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        buf.copy_from_slice(&self.medium.lock().unwrap()[range(offset, buf.len())]);
        Ok(())
    }

    fn medium(&self) -> Medium {
        Medium::Device
    }
}

/// So that a test keeps its disk while the installer owns the partition.
pub(super) struct Shared(pub(super) Arc<FaultyDisk>);

impl Disk for Shared {
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn sector_size(&self) -> u32 {
        self.0.sector_size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn read_back_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_back_at(offset, buf)
    }
    fn medium(&self) -> Medium {
        self.0.medium()
    }
}
