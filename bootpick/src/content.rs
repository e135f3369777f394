//! What a boot partition holds, and how that is started.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// The version of what `bootpick` and a set agree on: the files' names, what is added to a command line, the variables.
/// It rises only when an older `bootpick` could not start a newer set.
pub const INTERFACE: u32 = 1;

/// The folder of unified kernel images.
pub const UNIFIED_FOLDER: &str = "\\EFI\\Linux";
/// The kernel of a set without a unified image.
pub const KERNEL: &str = "vmlinuz";
/// Its initramfs.
pub const INITRD: &str = "initrd";
/// What it is told.
pub const COMMAND_LINE: &str = "cmdline";
/// Which interface a set needs, as a number; without this file the first one.
pub const INTERFACE_FILE: &str = "\\signpost\\interface";

/// What was found on a boot partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The files of the unified images' folder.
    pub linux: Vec<String>,
    /// The files at the top.
    pub top: Vec<String>,
    /// What the interface file says.
    pub interface: Option<Vec<u8>>,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A unified kernel image, by its name in its folder. It carries its own command line, which stays as it is.
    Unified(String),
    /// A kernel with its initramfs and its command line.
    Plain,
}

impl Content {
    /// The entry's id, as boot programs tell it: the file's name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Unified(name) => name,
            Self::Plain => KERNEL,
        }
    }
}

/// Whether the firmware checks signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureBoot {
    /// It starts only what is signed.
    Enforced,
    /// It starts anything.
    Off,
}

/// What to start of a listing.
///
/// # Errors
/// Why nothing of it can be started.
pub fn choose(listing: &Listing, secure_boot: SecureBoot) -> Result<Content, String> {
    if let Some(bytes) = &listing.interface {
        let text = core::str::from_utf8(bytes).map(str::trim).unwrap_or_default();
        match text.parse::<u32>() {
            Ok(needed) if needed <= INTERFACE => {}
            Ok(needed) => {
                return Err(format!(
                    "it needs interface {needed} and this bootpick has {INTERFACE}: run \"signpost install-bootpick\" with a newer one"
                ));
            }
            Err(_) => return Err(format!("{INTERFACE_FILE} holds no number")),
        }
    }
    let mut unified: Vec<&String> = listing.linux.iter().filter(|name| is_unified(name)).collect();
    unified.sort();
    match unified[..] {
        [name] => return Ok(Content::Unified(name.to_string())),
        [] => {}
        [one, two, ..] => {
            return Err(format!(
                "{} unified images lie in {UNIFIED_FOLDER}, {one} and {two} among them, and only one can be meant",
                unified.len()
            ));
        }
    }
    let missing = [KERNEL, INITRD, COMMAND_LINE].into_iter().find(|wanted| !has(&listing.top, wanted));
    match (missing, secure_boot) {
        (None, SecureBoot::Off) => Ok(Content::Plain),
        // Nobody would check the initramfs and the command line.
        (None, SecureBoot::Enforced) => {
            Err("Secure Boot is on, and it holds no unified image but a loose kernel".to_string())
        }
        (Some(missing), _) => {
            Err(format!("it has neither a unified image in {UNIFIED_FOLDER} nor \\{missing}"))
        }
    }
}

fn is_unified(name: &str) -> bool {
    // FAT tells no case apart. A name that starts with a dot is an editor's or a copy's leftover.
    name.len() > 4 && !name.starts_with('.') && name.is_char_boundary(name.len() - 4) && {
        name[name.len() - 4..].eq_ignore_ascii_case(".efi")
    }
}

fn has(names: &[String], wanted: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
}

/// What a partition that the firmware has no file system for holds, from its first sectors: a name for it.
#[must_use]
pub fn foreign(start: &[u8]) -> &'static str {
    let at = |offset: usize, magic: &[u8]| start.get(offset..offset + magic.len()) == Some(magic);
    if at(1024 + 56, &[0x53, 0xef]) {
        "an ext4 file system, which GRUB reads and firmware does not"
    } else if at(1024, &[0xe2, 0xe1, 0xf5, 0xe0]) {
        "an EROFS file system, which firmware does not read"
    } else if at(0, b"hsqs") {
        "a squashfs file system, which firmware does not read"
    } else if start.iter().all(|&byte| byte == 0) {
        "nothing"
    } else {
        "nothing that this firmware reads; it must be FAT"
    }
}
