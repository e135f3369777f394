//! Where things are: device paths, node by node.

use alloc::vec::Vec;

use uefi::Handle;
use uefi::proto::device_path::media::{HardDrive, PartitionSignature};
use uefi::proto::device_path::{DevicePath, DevicePathNode, DevicePathNodeEnum};
use uuid::Uuid;

use super::protocol;

/// The nodes of a device path, without its end.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place(Vec<Vec<u8>>);

/// A partition as its node tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) guid: Uuid,
    pub(super) start: u64,
}

impl Place {
    /// Where `handle` is, if it is anywhere.
    pub(super) fn of(handle: Handle) -> Option<Self> {
        let path = protocol::open::<DevicePath>(handle).ok()?;
        Some(Self(path.node_iter().map(bytes).collect()))
    }

    /// The partition at its end, and the disk that it lies on.
    pub(super) fn split(&self) -> Option<(Self, Partition)> {
        let (last, disk) = self.0.split_last()?;
        let node = <&DevicePathNode>::try_from(&last[..]).ok()?;
        let Ok(DevicePathNodeEnum::MediaHardDrive(drive)) = node.as_enum() else { return None };
        Some((Self(disk.to_vec()), partition(drive)?))
    }

    /// A file's device path below this place, as bytes with their end.
    pub(super) fn file(&self, name: &str) -> Vec<u8> {
        let mut path: Vec<u8> = self.0.concat();
        let units: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let len = u16::try_from(4 + units.len()).unwrap_or(u16::MAX).to_le_bytes();
        path.extend([0x04, 0x04, len[0], len[1]]);
        path.extend(units);
        path.extend([0x7f, 0xff, 4, 0]);
        path
    }
}

fn partition(drive: &HardDrive) -> Option<Partition> {
    match drive.partition_signature() {
        PartitionSignature::Guid(guid) => {
            Some(Partition { guid: Uuid::from_bytes_le(guid.to_bytes()), start: drive.partition_start() })
        }
        _ => None,
    }
}

fn bytes(node: &DevicePathNode) -> Vec<u8> {
    let (kind, sub_kind, len) = (node.device_type().0, node.sub_type().0, node.length().to_le_bytes());
    [&[kind, sub_kind, len[0], len[1]], node.data()].concat()
}
