//! Disks and partitions as nodes that are opened.

use std::path::Path;

use host_io::{Access, Disk as _, FileDisk, Medium};

use crate::error::Error;
use crate::sectors::DiskSectors;
use crate::table::Copies;

/// The sector sizes that an image file is tried with.
const IMAGE_SECTOR_SIZES: [u32; 2] = [512, 4096];

/// Reads both copies of a disk that need not carry sets.
///
/// # Errors
/// When the disk cannot be opened.
pub(crate) fn read_table(path: &Path, sector_size: Option<u32>) -> Result<Copies, Error> {
    let disk = open(path, Access::Read, sector_size)?;
    Ok(Copies::read(&mut DiskSectors::cached(&disk)))
}

/// Opens a disk. An image file does not tell its sector size; the one with which there is a table is taken.
pub(crate) fn open(path: &Path, access: Access, sector_size: Option<u32>) -> Result<FileDisk, Error> {
    let disk = open_as_is(path, access)?;
    if disk.medium() == Medium::Device {
        return Ok(disk);
    }
    if let Some(bytes) = sector_size {
        return Ok(disk.with_sector_size(bytes));
    }
    for bytes in IMAGE_SECTOR_SIZES {
        let tried = open_as_is(path, access)?.with_sector_size(bytes);
        if Copies::read(&mut DiskSectors::cached(&tried)).current().is_ok() {
            tracing::debug!("{} has sectors of {bytes} bytes", path.display());
            return Ok(tried);
        }
    }
    Ok(disk)
}

/// Opens a node as what it says it is.
pub(crate) fn open_as_is(path: &Path, access: Access) -> Result<FileDisk, Error> {
    FileDisk::open(path, access).map_err(|source| Error::Open { path: path.to_owned(), source })
}
