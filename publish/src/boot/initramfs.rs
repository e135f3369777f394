//! Initial file systems in a BOOT image, and what it would save hosts if they were not compressed.
//!
//! One changed byte changes everything that a compressor writes behind it, so that a pack finds nothing of the old one in
//! the new one. A kernel reads a plain cpio archive all the same.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;

use blocks::encode::all_threads;
use blocks::pack::{Image, MakeError, PackOptions, make};

/// The largest file that is looked into, and the most that is unpacked of one.
const LARGEST: u64 = 256 << 20;
/// What an archive begins with, with and without a checksum, and the name of its last entry.
const CPIO: [&[u8]; 2] = [b"070701", b"070702"];
const LAST: &[u8] = b"TRAILER!!!";
/// The length of an entry's header.
const ENTRY: usize = 110;
/// Less than this is worth no word.
const WORTH: u64 = 100_000;

/// How an initial file system is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Zstd,
    Gzip,
    Xz,
    Lzma,
    Bzip2,
    Lz4,
    Lzo,
}

/// How each of them begins: `lib/decompress.c` of the kernel.
const MAGIC: [(&[u8], Compression); 7] = [
    (&[0x28, 0xB5, 0x2F, 0xFD], Compression::Zstd),
    (&[0x1F, 0x8B], Compression::Gzip),
    (&[0xFD, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    (&[0x5D, 0, 0], Compression::Lzma),
    (b"BZh", Compression::Bzip2),
    (&[0x02, 0x21, 0x4C, 0x18], Compression::Lz4),
    (&[0x89, b'L', b'Z', b'O'], Compression::Lzo),
];

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
            Self::Lzo => "lzo",
        })
    }
}

/// An initial file system that is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    /// As it lies there.
    bytes: Vec<u8>,
    compression: Compression,
    /// As it would lie there otherwise, where that can be read here.
    plain: Option<Vec<u8>>,
}

/// The compressed initial file systems in an image, also those within unified images.
///
/// # Errors
/// Where its file system cannot be read; the failure is a fragment.
pub(crate) fn packed(image: &File) -> Result<Vec<Packed>, String> {
    let mut found = Vec::new();
    super::each_file(image, &mut |name, file| {
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= LARGEST {
            let section = section(&bytes, b".initrd\0");
            let is_named = section.is_some() || name.contains("init");
            found.extend(compressed(section.unwrap_or(&bytes), is_named));
        }
        Ok(())
    })?;
    Ok(found)
}

/// What the advice of a release is, from what lies in the image before and in its own.
///
/// # Errors
/// Where packs cannot be made of them.
pub(crate) fn advice(before: &File, after: &File) -> Result<Option<String>, MakeError> {
    let (Ok(before), Ok(after)) = (packed(before), packed(after)) else { return Ok(None) };
    let (Some(old), Some(new)) = (before.first(), after.first()) else { return Ok(None) };
    if old.bytes == new.bytes {
        return Ok(None);
    }
    let what = format!("the initramfs in the boot image is compressed with {}", new.compression);
    let (Some(old_plain), Some(new_plain)) = (&old.plain, &new.plain) else {
        return Ok(Some(format!(
            "{what}, which cannot be read here: as a plain cpio archive it may move much less (docs/packs.md)"
        )));
    };
    let (as_it_is, plain) = (moves(&old.bytes, &new.bytes)?, moves(old_plain, new_plain)?);
    let saved = as_it_is.saturating_sub(plain);
    let more = (new_plain.len() as u64).saturating_sub(new.bytes.len() as u64);
    Ok((saved >= WORTH).then(|| {
        format!(
            "{what}: as a plain cpio archive it would move {plain} bytes instead of {as_it_is}, and take {more} bytes more of BOOT (docs/packs.md)"
        )
    }))
}

/// How many bytes a pack takes from one to the other.
fn moves(old: &[u8], new: &[u8]) -> Result<u64, MakeError> {
    let image = |data, len: usize| Image { data, len: len as u64, tree: None };
    let options = PackOptions::thorough(all_threads());
    let mut body = Counted(0);
    let header = make(&image(&old, old.len()), &image(&new, new.len()), &options, &mut body, &mut |_| {
        ControlFlow::Continue(())
    })?;
    Ok(header.encode().len() as u64 + body.0)
}

/// Bytes that nobody keeps.
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A compressed archive, behind archives that are not, such as microcode. A file without those that is not called like one
/// has to have an archive in it.
fn compressed(bytes: &[u8], is_named: bool) -> Option<Packed> {
    let start = behind_archives(bytes);
    let rest = &bytes[start..];
    let (_, compression) = MAGIC.iter().find(|(magic, _)| rest.starts_with(magic))?;
    let plain = match compression {
        Compression::Zstd => unpacked(zstd::stream::read::Decoder::new(rest).ok()?),
        _ => None,
    };
    let has_archive = plain.as_ref().is_some_and(|plain| CPIO.iter().any(|magic| plain.starts_with(magic)));
    if !(has_archive || start > 0 || is_named) {
        return None;
    }
    let plain = plain.filter(|_| has_archive).map(|plain| [&bytes[..start], &plain].concat());
    Some(Packed { bytes: bytes.to_vec(), compression: *compression, plain })
}

fn unpacked(from: impl Read) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= LARGEST).then_some(plain)
}

/// How many bytes at the beginning are whole archives, and zeros behind them.
fn behind_archives(bytes: &[u8]) -> usize {
    let mut place = 0;
    let mut whole = 0;
    while let Some(entry) = bytes.get(place..place + ENTRY) {
        if !CPIO.iter().any(|magic| entry.starts_with(magic)) {
            break;
        }
        // Thirteen numbers of eight digits follow: the seventh is the length of the content, the twelfth that of the name.
        let number = |field: usize| {
            let digits = std::str::from_utf8(&entry[6 + 8 * field..14 + 8 * field]).ok()?;
            usize::from_str_radix(digits, 16).ok()
        };
        let (Some(content), Some(name)) = (number(6), number(11)) else { break };
        let named = place + ENTRY;
        let Some(is_last) = bytes.get(named..named.saturating_add(name)).map(|name| name.starts_with(LAST))
        else {
            break;
        };
        let begin = (named + name).next_multiple_of(4);
        place = begin.saturating_add(content).checked_next_multiple_of(4).unwrap_or(usize::MAX);
        if place > bytes.len() {
            break;
        }
        if is_last {
            let zeros = bytes[place..].iter().take_while(|byte| **byte == 0).count();
            place += zeros;
            whole = place;
        }
    }
    whole
}

/// A section of a program for UEFI, by its name of eight bytes.
fn section<'a>(program: &'a [u8], name: &[u8; 8]) -> Option<&'a [u8]> {
    let two = |at: usize| Some(u16::from_le_bytes(program.get(at..at + 2)?.try_into().ok()?));
    let four = |at: usize| Some(u32::from_le_bytes(program.get(at..at + 4)?.try_into().ok()?) as usize);
    if !program.starts_with(b"MZ") {
        return None;
    }
    let header = four(0x3C)?;
    if program.get(header..header.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let (sections, optional) = (usize::from(two(header + 6)?), usize::from(two(header + 20)?));
    let table = header + 24 + optional;
    let found = (0..sections).map(|number| table + number * 40);
    let found = found.into_iter().find(|at| program.get(*at..*at + 8) == Some(&name[..]))?;
    let (virtual_len, raw_len, at) = (four(found + 8)?, four(found + 16)?, four(found + 20)?);
    program.get(at..at.checked_add(virtual_len.min(raw_len))?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use testdata::noise;

    use super::*;

    /// One file in an archive of its own.
    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in [(name, content), ("TRAILER!!!", &b""[..])] {
            let mut numbers = [0usize; 13];
            (numbers[6], numbers[11]) = (content.len(), name.len() + 1);
            bytes.extend_from_slice(b"070701");
            bytes.extend(numbers.iter().flat_map(|number| format!("{number:08X}").into_bytes()));
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(bytes, 3).unwrap()
    }

    /// A program with one section.
    fn unified(initrd: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3C] = 0x80;
        bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
        bytes[0x86] = 1;
        let section = 0x80 + 24;
        bytes[section..section + 8].copy_from_slice(b".initrd\0");
        let len = u32::try_from(initrd.len()).unwrap().to_le_bytes();
        bytes[section + 8..section + 12].copy_from_slice(&len);
        bytes[section + 16..section + 20].copy_from_slice(&len);
        bytes[section + 20..section + 24].copy_from_slice(&512u32.to_le_bytes());
        [&bytes[..], initrd].concat()
    }

    fn boot(name: &str, content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(8 << 20).unwrap();
        fatfs::format_volume(&mut file, fatfs::FormatVolumeOptions::new()).unwrap();
        {
            let fat = fatfs::FileSystem::new(&mut file, fatfs::FsOptions::new()).unwrap();
            fat.root_dir().create_file(name).unwrap().write_all(content).unwrap();
        }
        file
    }

    #[test]
    fn a_compressed_archive_is_found_alone_behind_microcode_and_in_a_unified_image() {
        let (microcode, main) =
            (archive("microcode.bin", &noise(1, 5000)), archive("bin/sh", &noise(2, 9000)));
        let behind = [&microcode[..], &zstd(&main)].concat();
        for (name, content, plain) in [
            ("other", zstd(&main), Some(main.clone())),
            ("initrd", behind.clone(), Some([&microcode[..], &main].concat())),
            ("linux.efi", unified(&behind), Some([&microcode[..], &main].concat())),
            ("initrd", [&microcode[..], &[0x1F, 0x8B, 8, 0]].concat(), None),
        ] {
            let found = packed(&boot(name, &content)).unwrap();
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].plain == plain, "{name}");
        }
        let nothing =
            [("initrd", main.clone()), ("linux.efi", unified(&main)), ("notes", zstd(b"no archive"))];
        for (name, content) in nothing {
            assert_eq!(packed(&boot(name, &content)).unwrap(), [], "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_or_absurd_is_no_archive() {
        let whole = archive("bin/sh", &noise(2, 900));
        assert_eq!(behind_archives(&whole), whole.len());
        for len in 0..whole.len() - 512 {
            assert_eq!(behind_archives(&whole[..len]), 0, "{len}");
        }
        let mut absurd = whole.clone();
        absurd[6 + 8 * 6..14 + 8 * 6].copy_from_slice(b"FFFFFFFF");
        assert_eq!(behind_archives(&absurd), 0);
        let program = unified(&whole);
        for len in 0..program.len() - whole.len() {
            assert_eq!(section(&program[..len], b".initrd\0"), None, "{len}");
        }
    }

    #[test]
    fn the_advice_says_how_many_bytes_it_would_save() {
        // A compressor makes it shorter, and finds nothing twice. Some bytes more at its start move all that follows.
        let old: Vec<u8> = noise(3, 400_000).iter().map(|byte| byte & 0x3F).collect();
        let new = [&old[..1000], &[1, 2, 3, 4, 5, 6, 7, 8, 9], &old[1000..]].concat();
        let of = |bytes: &[u8]| boot("initrd", &zstd(&archive("modules", bytes)));
        let told = advice(&of(&old), &of(&new)).unwrap().expect("it is compressed");
        assert!(told.starts_with("the initramfs in the boot image is compressed with zstd: "), "{told}");
        let numbers: Vec<u64> = told.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        assert!(numbers[0] < 10_000 && numbers[1] > 100_000, "{told}");
        assert_eq!(advice(&of(&new), &of(&new)).unwrap(), None, "it is the same one");
        let plain = |bytes: &[u8]| boot("initrd", &archive("modules", bytes));
        assert_eq!(advice(&plain(&old), &plain(&new)).unwrap(), None, "it is plain");
        let unread = |byte: u8| boot("initrd", &[0x1F, 0x8B, 8, byte]);
        let told = advice(&unread(1), &unread(2)).unwrap().expect("it is compressed");
        assert!(told.contains("with gzip, which cannot be read here"), "{told}");
    }
}
