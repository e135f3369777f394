//! The file system of a partition that firmware reads.

use std::io::{self, Read as _, Write as _};

use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions};
use host_io::Disk;

use super::overlay::Overlay;

/// Fewer clusters than this make it another kind of FAT.
const FAT32_CLUSTERS: u64 = 65_525;

/// Makes an empty file system that fills the partition: FAT32, where it is large enough for that with its sectors.
///
/// # Errors
/// When the disk refuses.
pub fn format(disk: &dyn Disk, label: &str, volume_id: u32) -> io::Result<()> {
    let sector = u64::from(disk.sector_size());
    let sectors =
        u32::try_from(disk.len() / sector).map_err(|_| io::Error::other("it is too large for FAT"))?;
    let mut name = [b' '; 11];
    for (place, letter) in name.iter_mut().zip(label.bytes()) {
        *place = letter;
    }
    let options = FormatVolumeOptions::new()
        .bytes_per_sector(
            u16::try_from(sector).map_err(|_| io::Error::other("its sectors are too long for FAT"))?,
        )
        .total_sectors(sectors)
        .volume_id(volume_id)
        .volume_label(name);
    let options = if u64::from(sectors) > FAT32_CLUSTERS + 2048 {
        let per_cluster = (u64::from(sectors) / (2 * FAT32_CLUSTERS)).max(1).next_power_of_two().min(8);
        let per_cluster =
            if u64::from(sectors) / per_cluster < FAT32_CLUSTERS + 2048 { 1 } else { per_cluster };
        options.fat_type(FatType::Fat32).bytes_per_cluster(u32::try_from(per_cluster * sector).unwrap_or(512))
    } else {
        options
    };
    let mut overlay = Overlay::new(disk);
    fatfs::format_volume(&mut overlay, options)?;
    overlay.put().map(drop)
}

/// What of a file was changed so far; each step is on the medium before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It says this already.
    AlreadyThere,
    /// It was written beside, read back, and given its name.
    Written,
}

/// Gives the file `folder\NAME.EFI` of the file system this content. At each instant the name leads to the old content or
/// to the new one, or to nothing where there was nothing. `name` is the part before the dot, at most eight letters.
///
/// # Errors
/// When there is no file system, no room, or the disk refuses.
pub fn replace(disk: &dyn Disk, folder: &[&str], name: &str, content: &[u8]) -> io::Result<Replaced> {
    let [file, beside, old] = ["EFI", "NEW", "OLD"].map(|end| format!("{name}.{end}"));
    if read(disk, folder, &file)?.as_deref() == Some(content) {
        return Ok(Replaced::AlreadyThere);
    }
    // Beside, with its own clusters: nothing that has a name already is touched.
    change(disk, folder, |dir| {
        for leftover in [&beside, &old] {
            remove(dir, leftover)?;
        }
        let mut new = dir.create_file(&beside)?;
        new.truncate()?;
        new.write_all(content)?;
        new.flush()
    })?;
    if read(disk, folder, &beside)?.as_deref() != Some(content) {
        return Err(io::Error::other(format!("{beside} is not what was written")));
    }
    // Only names change, which lie in one sector of the folder: a power cut leaves the old ones or the new ones.
    change(disk, folder, |dir| {
        if has(dir, &file)? {
            dir.rename(&file, dir, &old)?;
        }
        dir.rename(&beside, dir, &file)
    })?;
    change(disk, folder, |dir| remove(dir, &old))?;
    if read(disk, folder, &file)?.as_deref() != Some(content) {
        return Err(io::Error::other(format!("{file} is not what was written")));
    }
    Ok(Replaced::Written)
}

/// A file's content from the medium; `None` when it is not there.
///
/// # Errors
/// When there is no file system, or the disk refuses.
pub fn read(disk: &dyn Disk, folder: &[&str], file: &str) -> io::Result<Option<Vec<u8>>> {
    let mut overlay = Overlay::new(disk);
    let files = open(&mut overlay)?;
    let mut dir = files.root_dir();
    for name in folder {
        if !has(&dir, name)? {
            return Ok(None);
        }
        dir = dir.open_dir(name)?;
    }
    if !has(&dir, file)? {
        return Ok(None);
    }
    let mut content = Vec::new();
    dir.open_file(file)?.read_to_end(&mut content)?;
    Ok(Some(content))
}

fn change<'a>(
    disk: &'a dyn Disk,
    folder: &[&str],
    act: impl FnOnce(&Dir<'_, &mut Overlay<'a>>) -> io::Result<()>,
) -> io::Result<()> {
    let mut overlay = Overlay::new(disk);
    {
        let files = open(&mut overlay)?;
        let mut dir = files.root_dir();
        for name in folder {
            dir = if has(&dir, name)? { dir.open_dir(name)? } else { dir.create_dir(name)? };
        }
        act(&dir)?;
        drop(dir);
        files.unmount()?;
    }
    overlay.put().map(drop)
}

fn open<'o, 'a>(overlay: &'o mut Overlay<'a>) -> io::Result<FileSystem<&'o mut Overlay<'a>>> {
    // Times of access would be writes.
    FileSystem::new(overlay, FsOptions::new().update_accessed_date(false))
}

fn has(dir: &Dir<'_, &mut Overlay<'_>>, name: &str) -> io::Result<bool> {
    for entry in dir.iter() {
        if entry?.file_name().eq_ignore_ascii_case(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn remove(dir: &Dir<'_, &mut Overlay<'_>>, name: &str) -> io::Result<()> {
    if has(dir, name)? { dir.remove(name) } else { Ok(()) }
}
