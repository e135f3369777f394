//! The firmware's interfaces, opened beside whoever else has them open.

use uefi::boot::{OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::ProtocolPointer;
use uefi::{Handle, Result, boot};

/// An interface of `handle`. It is not opened exclusively: that would take disks away from the firmware's own drivers of
/// partitions and file systems.
#[expect(unsafe_code, reason = "the firmware does not track who uses an interface")]
pub(super) fn open<P: ProtocolPointer + ?Sized>(handle: Handle) -> Result<ScopedProtocol<P>> {
    let params = OpenProtocolParams { handle, agent: boot::image_handle(), controller: None };
    // SAFETY: nothing is connected or disconnected while the interface is in use, so it stays where it is.
    unsafe { boot::open_protocol::<P>(params, OpenProtocolAttributes::GetProtocol) }
}
