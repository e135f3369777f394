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

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(linux: &[&str], top: &[&str]) -> Listing {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        Listing { linux: owned(linux), top: owned(top), interface: None }
    }

    const PLAIN: [&str; 3] = ["VMLINUZ", "initrd", "CmdLine"];

    #[test]
    fn exactly_one_unified_image_goes_before_a_loose_kernel() {
        let one = listing(&["Linux-6.EFI", "readme.txt", ".linux-7.efi", "efi"], &PLAIN);
        for secure_boot in [SecureBoot::Off, SecureBoot::Enforced] {
            let chosen = choose(&one, secure_boot).unwrap();
            assert_eq!((chosen.id(), &chosen), ("Linux-6.EFI", &Content::Unified("Linux-6.EFI".to_string())));
        }
        let two = listing(&["b.efi", "a.efi"], &PLAIN);
        assert!(
            choose(&two, SecureBoot::Off)
                .unwrap_err()
                .contains("2 unified images lie in \\EFI\\Linux, a.efi and b.efi")
        );
    }

    #[test]
    fn a_loose_kernel_needs_all_three_files_and_nobody_who_checks_signatures() {
        assert_eq!(choose(&listing(&[], &PLAIN), SecureBoot::Off), Ok(Content::Plain));
        assert!(
            choose(&listing(&[], &PLAIN), SecureBoot::Enforced).unwrap_err().contains("Secure Boot is on")
        );
        for missing in 0..3 {
            let mut top = PLAIN.to_vec();
            let name = top.remove(missing).to_lowercase();
            let refused = choose(&listing(&[], &top), SecureBoot::Off).unwrap_err();
            assert!(refused.ends_with(&alloc::format!("nor \\{name}")), "{refused}");
        }
    }

    #[test]
    fn a_set_that_needs_a_newer_interface_is_not_guessed_at() {
        let with = |text: &str| Listing { interface: Some(text.as_bytes().to_vec()), ..listing(&[], &PLAIN) };
        assert!(choose(&with("1\n"), SecureBoot::Off).is_ok());
        assert!(
            choose(&with("2"), SecureBoot::Off)
                .unwrap_err()
                .contains("it needs interface 2 and this bootpick has 1")
        );
        assert!(choose(&with("one"), SecureBoot::Off).unwrap_err().contains("holds no number"));
    }

    #[test]
    fn a_foreign_file_system_is_named() {
        let mut ext4 = alloc::vec![0; 4096];
        ext4[1080..1082].copy_from_slice(&[0x53, 0xef]);
        assert!(foreign(&ext4).contains("ext4"));
        assert_eq!(foreign(&[0; 4096]), "nothing");
        assert!(foreign(&[]).contains("nothing"));
    }
}
