//! Which root hash the command line in a BOOT image names, read from its files.
//!
//! A release whose BOOT names another root than it has does not start on any host. FAT and ext4 are read; of anything
//! else nothing can be told, which is said.
//!
//! - `initramfs`: initial file systems in it, and what it would save if they were not compressed

pub(crate) mod initramfs;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

/// How a root hash is named on a kernel's command line.
const KEY: &[u8] = b"roothash=";
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// The largest file that is looked into: a kernel, or one with its initial file system.
const LARGEST_FILE: u64 = 512 << 20;
/// The most files and folders of one image.
const MOST_FILES: usize = 10_000;

/// What a BOOT image says of its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// These root hashes, as hexadecimal digits in lower case.
    These(BTreeSet<String>),
    /// None: no file in it has a command line that names one.
    None,
    /// Its file system is none that is read here, or is damaged.
    Unreadable(String),
}

/// Looks into the image in `path`.
///
/// # Errors
/// When the file cannot be read at all.
pub(crate) fn named(path: &Path) -> io::Result<Named> {
    let mut found = BTreeSet::new();
    let looked = each_file(&File::open(path)?, &mut |_, file| search(file.take(LARGEST_FILE), &mut found));
    Ok(match looked {
        Err(why) => Named::Unreadable(why),
        Ok(()) if found.is_empty() => Named::None,
        Ok(()) => Named::These(found),
    })
}

/// What is done with each file: its name, and its content.
type Visit<'a> = dyn FnMut(&str, &mut dyn Read) -> io::Result<()> + 'a;

/// Shows all files of an image. The failure is a fragment.
pub(crate) fn each_file(image: &File, visit: &mut Visit<'_>) -> Result<(), String> {
    let failed = |error: io::Error| format!("it cannot be read: {error}");
    let mut file = image.try_clone().map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut head = [0; 2048];
    let length = read_up_to(&mut file, &mut head).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    if length >= 1082 && head[1080..1082] == [0x53, 0xef] {
        ext4(file, visit)
    } else if length >= 512 && head[510..512] == [0x55, 0xaa] {
        fat(file, visit)
    } else {
        Err("it is neither FAT nor ext4".to_owned())
    }
}

fn read_up_to(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// A file that nothing is written to: reading a FAT file system updates access dates otherwise.
struct ReadOnly(File);

impl Read for ReadOnly {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for ReadOnly {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for ReadOnly {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.0.seek(pos)
    }
}

fn fat(file: File, visit: &mut Visit<'_>) -> Result<(), String> {
    let failed = |error: io::Error| format!("its FAT cannot be read: {error}");
    let fat = fatfs::FileSystem::new(ReadOnly(file), fatfs::FsOptions::new()).map_err(failed)?;
    let mut folders = vec![fat.root_dir()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.iter() {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > MOST_FILES {
                return Err(format!("it has more than {MOST_FILES} files"));
            }
            match entry.file_name().as_str() {
                "." | ".." => {}
                _ if entry.is_dir() => folders.push(entry.to_dir()),
                name => visit(name, &mut entry.to_file()).map_err(failed)?,
            }
        }
    }
    Ok(())
}

fn ext4(file: File, visit: &mut Visit<'_>) -> Result<(), String> {
    let failed = |error: ext4_view::Ext4Error| format!("its ext4 cannot be read: {error}");
    let ext4 = ext4_view::Ext4::load(Box::new(file)).map_err(failed)?;
    let mut folders = vec![ext4_view::PathBuf::new("/")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in ext4.read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > MOST_FILES {
                return Err(format!("it has more than {MOST_FILES} files"));
            }
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            if name.as_ref() == b"." || name.as_ref() == b".." {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_regular_file() {
                let mut file = ext4.open(&entry.path()).map_err(failed)?;
                visit(&String::from_utf8_lossy(name.as_ref()), &mut file)
                    .map_err(|error| format!("its ext4 cannot be read: {error}"))?;
            }
        }
    }
    Ok(())
}

/// Finds every root hash that a text in `file` names; a command line may also stand in the middle of a program.
fn search(mut file: impl Read, found: &mut BTreeSet<String>) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    const LONGEST: usize = KEY.len() + DIGITS;
    let mut window = Vec::with_capacity(PIECE + LONGEST);
    let mut piece = vec![0; PIECE];
    loop {
        let count = match file.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if count == 0 {
            return Ok(());
        }
        window.extend_from_slice(&piece[..count]);
        for at in 0..(window.len() + 1).saturating_sub(LONGEST) {
            if window[at] == KEY[0] && window[at..].starts_with(KEY) {
                let digits = &window[at + KEY.len()..at + LONGEST];
                if digits.iter().all(u8::is_ascii_hexdigit) {
                    found.insert(String::from_utf8_lossy(digits).to_ascii_lowercase());
                }
            }
        }
        let keep = window.len().min(LONGEST - 1);
        window.drain(..window.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fat_with(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut disk = Cursor::new(vec![0u8; 1 << 20]);
        fatfs::format_volume(&mut disk, fatfs::FormatVolumeOptions::new()).unwrap();
        {
            let fat = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).unwrap();
            fat.root_dir().create_dir("loader").unwrap();
            for (name, bytes) in files {
                fat.root_dir().create_file(name).unwrap().write_all(bytes).unwrap();
            }
        }
        disk.into_inner()
    }

    fn look(image: &[u8]) -> Named {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), image).unwrap();
        named(file.path()).unwrap()
    }

    #[test]
    fn the_root_hash_of_a_command_line_is_found_in_a_text_and_in_a_program() {
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        let text = format!("root=/dev/dm-0 roothash={} quiet\n", one.to_uppercase());
        let image = fat_with(&[("loader/entry.conf", text.as_bytes())]);
        assert_eq!(look(&image), Named::These(BTreeSet::from([one.clone()])));
        // Across the pieces in which a file is read.
        let mut program = vec![7; (1 << 20) - 9 - 40];
        program.truncate(600_000);
        program.extend_from_slice(format!("roothash={two}").as_bytes());
        let image = fat_with(&[("vmlinuz", &program), ("loader/entry.conf", text.as_bytes())]);
        assert_eq!(look(&image), Named::These(BTreeSet::from([one, two])));
        assert_eq!(look(&fat_with(&[("vmlinuz", b"roothash=abc")])), Named::None);
        assert!(matches!(look(&[7; 100_000]), Named::Unreadable(_)));
        assert!(matches!(look(b""), Named::Unreadable(_)));
    }

    #[test]
    fn a_hash_across_two_pieces_is_found() {
        for before in [0, 1, (1 << 20) - 1, (1 << 20) - 40, (1 << 20) - 72, 1 << 20] {
            let mut found = BTreeSet::new();
            let bytes =
                [vec![b'r'; before], format!("roothash={}", "0f".repeat(32)).into_bytes(), vec![0; 9]]
                    .concat();
            search(&bytes[..], &mut found).unwrap();
            assert_eq!(found, BTreeSet::from(["0f".repeat(32)]), "{before}");
        }
    }
}
