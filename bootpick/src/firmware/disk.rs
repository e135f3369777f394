//! The disk that we were started from, addressed by sectors.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use signpost::table::{Geometry, Sectors};
use uefi::boot::{self, ScopedProtocol};
use uefi::proto::loaded_image::LoadedImage;
use uefi::proto::media::block::BlockIO;
use uefi::{Result, Status};

use super::place::Place;
use super::{protocol, variables};

/// How much goes to or from the disk in one call: it lies in memory a second time.
const AT_ONCE: usize = 64 << 10;

/// A whole disk.
pub(super) struct FirmwareDisk {
    blocks: ScopedProtocol<BlockIO>,
    /// A place for calls, aligned as the disk wants it.
    buffer: Vec<u8>,
    from: usize,
}

/// The disk that carries the partition that this program came from, and its place.
///
/// # Errors
/// Why there is none.
pub(super) fn own() -> core::result::Result<(FirmwareDisk, Place), String> {
    let image = protocol::open::<LoadedImage>(boot::image_handle());
    let device = image
        .ok()
        .and_then(|image| image.device())
        .ok_or("the firmware does not say where this program came from")?;
    let (place, partition) = Place::of(device)
        .and_then(|place| place.split())
        .ok_or("this program did not come from a partition of a disk with a GUID partition table")?;
    variables::came_from(partition.guid);
    for handle in boot::find_handles::<BlockIO>().unwrap_or_default() {
        if Place::of(handle).as_ref() == Some(&place)
            && let Ok(blocks) = protocol::open::<BlockIO>(handle)
            && !blocks.media().is_logical_partition()
        {
            return Ok((FirmwareDisk::new(blocks), place));
        }
    }
    Err("the firmware does not give out the disk that this program came from".to_string())
}

impl FirmwareDisk {
    fn new(blocks: ScopedProtocol<BlockIO>) -> Self {
        let align = (blocks.media().io_align() as usize).max(1).next_power_of_two();
        let buffer: Vec<u8> = alloc::vec![0; AT_ONCE + align];
        let from = buffer.as_ptr().align_offset(align);
        Self { blocks, buffer, from }
    }
}

impl Sectors for FirmwareDisk {
    type Error = uefi::Error;

    fn geometry(&self) -> Geometry {
        let media = self.blocks.media();
        Geometry { sector_size: media.block_size(), sectors: media.last_block().saturating_add(1) }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result {
        let (id, size) = (self.blocks.media().media_id(), self.geometry().sector_size as usize);
        let room = &mut self.buffer[self.from..][..AT_ONCE / size * size];
        let mut at = lba;
        for part in buf.chunks_mut(room.len()) {
            self.blocks.read_blocks(id, at, &mut room[..part.len()])?;
            part.copy_from_slice(&room[..part.len()]);
            at += (part.len() / size) as u64;
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result {
        if self.blocks.media().is_read_only() {
            return Err(Status::WRITE_PROTECTED.into());
        }
        let (id, size) = (self.blocks.media().media_id(), self.geometry().sector_size as usize);
        let room = &mut self.buffer[self.from..][..AT_ONCE / size * size];
        let mut at = lba;
        for part in bytes.chunks(room.len()) {
            room[..part.len()].copy_from_slice(part);
            self.blocks.write_blocks(id, at, &room[..part.len()])?;
            at += (part.len() / size) as u64;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result {
        self.blocks.flush_blocks()
    }
}
