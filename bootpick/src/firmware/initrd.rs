//! An initramfs, handed over when the kernel asks for it: a file that the firmware offers at a place that kernels know.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::c_void;

use uefi::proto::device_path::DevicePath;
use uefi::{Guid, Handle, Identify as _, Result, Status, boot, guid};
use uefi_raw::Boolean;
use uefi_raw::protocol::device_path::DevicePathProtocol;
use uefi_raw::protocol::media::LoadFile2Protocol;

/// Where a kernel looks: a vendor's media node with this identifier, and nothing behind it.
const PLACE: Guid = guid!("5568e427-68fc-4f3d-ac74-ca555231cc68");

/// A whole initramfs.
pub(super) struct Initrd(pub(super) Vec<u8>);

/// What the firmware gets: its interface first, so that a pointer to it is one to us.
#[repr(C)]
struct Served {
    interface: LoadFile2Protocol,
    content: Vec<u8>,
    path: Vec<u8>,
}

/// An initramfs that the firmware offers, until this is dropped.
pub(super) struct Offered {
    served: *mut Served,
    handle: Handle,
}

impl Initrd {
    /// Lets the firmware offer it.
    #[expect(unsafe_code, reason = "the firmware keeps pointers to what it offers")]
    pub(super) fn offer(self) -> Result<Offered> {
        let mut path = alloc::vec![0x04, 0x03, 20, 0];
        path.extend(PLACE.to_bytes());
        path.extend([0x7f, 0xff, 4, 0]);
        let served = Served { interface: LoadFile2Protocol { load_file }, content: self.0, path };
        let served = Box::into_raw(Box::new(served));
        // SAFETY: `served` was just made and stays until `Offered` is dropped, which takes both interfaces back first.
        let installed = unsafe {
            let path = (*served).path.as_ptr().cast();
            boot::install_protocol_interface(None, &DevicePath::GUID, path).and_then(|handle| {
                boot::install_protocol_interface(Some(handle), &LoadFile2Protocol::GUID, served.cast())
            })
        };
        match installed {
            Ok(handle) => Ok(Offered { served, handle }),
            // What is offered in part stays in memory: the firmware may hold a pointer to it.
            Err(error) => Err(error),
        }
    }
}

impl Drop for Offered {
    #[expect(unsafe_code, reason = "the firmware is told to forget the pointers")]
    fn drop(&mut self) {
        // SAFETY: both were installed on this handle with these pointers. They are freed only once the firmware has let go.
        unsafe {
            let path = (*self.served).path.as_ptr().cast();
            let file =
                boot::uninstall_protocol_interface(self.handle, &LoadFile2Protocol::GUID, self.served.cast());
            if file
                .and_then(|()| boot::uninstall_protocol_interface(self.handle, &DevicePath::GUID, path))
                .is_ok()
            {
                drop(Box::from_raw(self.served));
            }
        }
    }
}

/// What the kernel calls: first with no room, to learn the length, then with room for all of it.
#[expect(unsafe_code, reason = "called by the kernel with pointers")]
unsafe extern "efiapi" fn load_file(
    this: *mut LoadFile2Protocol,
    path: *const DevicePathProtocol,
    boot_policy: Boolean,
    len: *mut usize,
    buffer: *mut c_void,
) -> Status {
    if this.is_null() || path.is_null() || len.is_null() {
        return Status::INVALID_PARAMETER;
    }
    if bool::from(boot_policy) {
        return Status::UNSUPPORTED;
    }
    // SAFETY: `this` is the start of what was offered, which lives as long as the interface can be found; `len` is the
    // caller's, and `buffer` has room for that many bytes.
    unsafe {
        let content = &(*this.cast::<Served>()).content;
        let room = core::mem::replace(&mut *len, content.len());
        if buffer.is_null() || room < content.len() {
            return Status::BUFFER_TOO_SMALL;
        }
        core::ptr::copy_nonoverlapping(content.as_ptr(), buffer.cast(), content.len());
    }
    Status::SUCCESS
}
