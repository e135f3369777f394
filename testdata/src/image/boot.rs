//! BOOT: a FAT file system with a kernel, an initrd and the command line that names the root hash.

use std::io::{self, Cursor, Read, Seek, Write};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use verity::RootHash;

use super::Size;
use super::content::{BLOCK, Change, Content, Texture};

/// The kernel's file name.
pub const KERNEL: &str = "vmlinuz";
/// The initial file system's file name.
pub const INITRD: &str = "initrd";
/// The command line's file name.
pub const COMMAND_LINE: &str = "cmdline";

/// What one BOOT holds.
#[derive(Debug, Clone)]
pub struct Boot<'a> {
    /// The version, which decides what kernel and initrd hold.
    pub version: &'a str,
    /// The root hash that the command line names.
    pub root_hash: RootHash,
    /// How large kernel and initrd are.
    pub size: Size,
    /// Whether there is a kernel at all.
    pub kernel: Kernel,
}

/// Whether a BOOT has a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// As it should.
    Present,
    /// The file is not there.
    Missing,
}

/// The file system, as the bytes of its image.
///
/// # Errors
/// When the files do not fit.
pub fn build(boot: &Boot<'_>) -> io::Result<Vec<u8>> {
    let (image, kernel, initrd) = match boot.size {
        Size::Small => (1 << 20, 128, 256),
        Size::Demo => (8 << 20, 2048, 4096),
    };
    let mut disk = Cursor::new(vec![0u8; image]);
    format_volume(
        &mut disk,
        FormatVolumeOptions::new()
            .bytes_per_cluster(4096)
            .volume_id(0x0b00_7000)
            .volume_label(*b"BOOT       "),
    )?;
    {
        // Without a clock every file is from 1980, so that the same release is the same bytes.
        let fat = FileSystem::new(&mut disk, FsOptions::new())?;
        let root = fat.root_dir();
        let put = |name: &str, mut bytes: Box<dyn Read>| -> io::Result<()> {
            let mut file = root.create_file(name)?;
            io::copy(&mut bytes, &mut file)?;
            file.flush()
        };
        let generated = |path: &str, kib: u64| -> Box<dyn Read> {
            let content = Content {
                path: path.to_owned(),
                texture: Texture::Binary,
                blocks: kib * 1024 / BLOCK as u64,
                change: Change::OneIn(4),
            };
            Box::new(content.reader(boot.version))
        };
        if boot.kernel == Kernel::Present {
            put(KERNEL, generated(KERNEL, kernel))?;
        }
        put(INITRD, generated(INITRD, initrd))?;
        let command_line = format!("console=ttyS0 gpt panic=1 roothash={}\n", boot.root_hash);
        put(COMMAND_LINE, Box::new(Cursor::new(command_line.into_bytes())))?;
    }
    Ok(disk.into_inner())
}

/// What a boot loader takes from BOOT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The kernel's size in bytes.
    pub kernel_len: u64,
    /// The initial file system's size in bytes.
    pub initrd_len: u64,
    /// The command line without its line break.
    pub command_line: String,
}

/// Loads kernel, initrd and command line from a BOOT image.
///
/// # Errors
/// When it is no FAT, or one of the files is missing or empty; the error names the file.
pub fn load<T: Read + Write + Seek>(image: T) -> io::Result<Loaded> {
    let fat = FileSystem::new(image, FsOptions::new())?;
    let root = fat.root_dir();
    let read = |name: &str| -> io::Result<Vec<u8>> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("read {name} from BOOT: {error}"));
        let mut bytes = Vec::new();
        root.open_file(name).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(named)?;
        if bytes.is_empty() {
            return Err(named(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    };
    Ok(Loaded {
        kernel_len: read(KERNEL)?.len() as u64,
        initrd_len: read(INITRD)?.len() as u64,
        command_line: String::from_utf8_lossy(&read(COMMAND_LINE)?).trim().to_owned(),
    })
}
