//! A kernel, loaded and started.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use uefi::boot::LoadImageSource;
use uefi::proto::BootPolicy;
use uefi::proto::device_path::DevicePath;
use uefi::proto::loaded_image::LoadedImage;
use uefi::{Handle, Status, boot};

use super::initrd::Initrd;
use super::place::Place;
use super::protocol;

/// A program in memory, checked by the firmware where it checks.
pub(super) struct Image {
    handle: Handle,
    /// What it is told, where it stays until the program ends.
    options: Vec<u16>,
    initrd: Option<Initrd>,
}

impl Image {
    /// Loads a file of the volume at `place`. The firmware reads it itself, so that the program knows where it came from.
    ///
    /// # Errors
    /// Why the firmware refuses it.
    pub(super) fn load(place: &Place, name: &str) -> Result<Self, String> {
        let bytes = place.file(name);
        let device_path =
            <&DevicePath>::try_from(&bytes[..]).map_err(|_| format!("{name} has no device path"))?;
        let source = LoadImageSource::FromDevicePath { device_path, boot_policy: BootPolicy::ExactMatch };
        match boot::load_image(boot::image_handle(), source) {
            Ok(handle) => Ok(Self { handle, options: Vec::new(), initrd: None }),
            Err(error) => {
                let why = match error.status() {
                    Status::SECURITY_VIOLATION | Status::ACCESS_DENIED => {
                        "its signature is not one that this firmware trusts"
                    }
                    Status::UNSUPPORTED | Status::LOAD_ERROR => "it is no program for this machine",
                    Status::NOT_FOUND => "it is not there",
                    Status::OUT_OF_RESOURCES => "there is not enough memory",
                    _ => return Err(format!("{name} cannot be loaded: {error}")),
                };
                Err(format!("{name} cannot be loaded: {why}"))
            }
        }
    }

    /// Adds what the program is told and its initramfs.
    pub(super) fn with(mut self, command_line: &str, initrd: Initrd) -> Self {
        self.options = command_line.encode_utf16().chain([0]).collect();
        self.initrd = Some(initrd);
        self
    }

    /// Starts it. When it returns, it did not run; the answer says why.
    #[expect(unsafe_code, reason = "the firmware keeps a pointer to the options")]
    pub(super) fn start(self) -> String {
        let offered = match self.initrd.map(Initrd::offer).transpose() {
            Ok(offered) => offered,
            Err(error) => return format!("its initramfs cannot be handed over: {error}"),
        };
        match protocol::open::<LoadedImage>(self.handle) {
            Ok(mut image) => {
                let len = u32::try_from(2 * self.options.len()).unwrap_or_default();
                let options = if len == 0 { core::ptr::null() } else { self.options.as_ptr().cast() };
                // SAFETY: the options live until this function returns, and so longer than the program runs.
                unsafe { image.set_load_options(options, len) };
            }
            Err(error) => return format!("it cannot be told its command line: {error}"),
        }
        let ended = boot::start_image(self.handle);
        drop(offered);
        match ended {
            Ok(()) => String::from("it ended without taking over"),
            Err(error) => format!("it ended with {error}"),
        }
    }
}
