//! A boot partition's files.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use alloc::{format, vec};

use bootpick::content::{self, Listing};
use signpost::start::Candidate;
use uefi::proto::media::block::BlockIO;
use uefi::proto::media::file::{Directory, File as _, FileAttribute, FileInfo, FileMode, FileType};
use uefi::proto::media::fs::SimpleFileSystem;
use uefi::{CString16, Handle, Status, boot};

use super::place::{Partition, Place};
use super::protocol;

/// As much as a folder can reasonably hold; what lies behind it would not be ours.
const MOST_FILES: usize = 1024;

/// A boot partition with a file system that the firmware reads.
pub(super) struct Volume {
    pub(super) place: Place,
    root: Directory,
}

impl Volume {
    /// The file system of a set's boot partition on the disk at `disk`.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn of(disk: &Place, candidate: &Candidate) -> Result<Self, String> {
        let (handle, place) = partition(disk, candidate).ok_or("the firmware has no such partition")?;
        let Ok(mut files) = protocol::open::<SimpleFileSystem>(handle) else {
            return Err(format!("its boot partition holds {}", content::foreign(&start_of(handle))));
        };
        let root =
            files.open_volume().map_err(|error| format!("its file system cannot be opened: {error}"))?;
        Ok(Self { place, root })
    }

    /// What there is to start.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn listing(&mut self) -> Result<Listing, String> {
        let interface = match self.read_if_there(content::INTERFACE_FILE)? {
            Some(bytes) if bytes.len() > 64 => Some(Vec::new()),
            other => other,
        };
        Ok(Listing { linux: self.files_in(content::UNIFIED_FOLDER)?, top: self.files_in("\\")?, interface })
    }

    /// A whole file.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        self.read_if_there(name)?.ok_or_else(|| format!("{name} is not there"))
    }

    fn read_if_there(&mut self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let fail = |error: &dyn core::fmt::Display| format!("{name} cannot be read: {error}");
        let mut file = match self.open(name).map_err(|error| fail(&error))? {
            Some(FileType::Regular(file)) => file,
            Some(FileType::Dir(_)) => return Err(fail(&"it is a folder")),
            None => return Ok(None),
        };
        let info = file.get_boxed_info::<FileInfo>().map_err(|error| fail(&error))?;
        let len = usize::try_from(info.file_size()).map_err(|_| fail(&"it is too long"))?;
        let mut content = Vec::new();
        content.try_reserve_exact(len).map_err(|_| fail(&"there is not enough memory"))?;
        content.resize(len, 0);
        let read = file.read(&mut content).map_err(|error| fail(&error))?;
        if read == len { Ok(Some(content)) } else { Err(fail(&"it ends early")) }
    }

    fn files_in(&mut self, folder: &str) -> Result<Vec<String>, String> {
        let fail = |error: uefi::Error| format!("{folder} cannot be read: {error}");
        let mut folder = match self.open(folder).map_err(fail)? {
            Some(FileType::Dir(folder)) => folder,
            Some(FileType::Regular(_)) | None => return Ok(Vec::new()),
        };
        let mut names = Vec::new();
        while names.len() < MOST_FILES {
            match folder.read_entry_boxed().map_err(fail)? {
                Some(entry) if entry.is_directory() => {}
                Some(entry) => names.push(entry.file_name().to_string()),
                None => break,
            }
        }
        Ok(names)
    }

    fn open(&mut self, name: &str) -> uefi::Result<Option<FileType>> {
        let name = CString16::try_from(name).map_err(|_| Status::INVALID_PARAMETER)?;
        match self.root.open(&name, FileMode::Read, FileAttribute::empty()) {
            Ok(file) => file.into_type().map(Some),
            Err(error) if error.status() == Status::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn partition(disk: &Place, candidate: &Candidate) -> Option<(Handle, Place)> {
    let wanted = Partition { guid: candidate.guid, start: candidate.first_lba };
    boot::find_handles::<BlockIO>().unwrap_or_default().into_iter().find_map(|handle| {
        let place = Place::of(handle)?;
        let (of, partition) = place.split()?;
        (of == *disk && partition == wanted).then_some((handle, place))
    })
}

/// The first bytes of a partition; empty when it does not give them out.
fn start_of(handle: Handle) -> Vec<u8> {
    let Ok(mut blocks) = protocol::open::<BlockIO>(handle) else { return Vec::new() };
    let (id, size) = (blocks.media().media_id(), blocks.media().block_size() as usize);
    let align = (blocks.media().io_align() as usize).max(1).next_power_of_two();
    let len = 4096_usize.next_multiple_of(size.max(1));
    let mut buffer = vec![0; len + align];
    let from = buffer.as_ptr().align_offset(align);
    match blocks.read_blocks(id, 0, &mut buffer[from..][..len]) {
        Ok(()) => buffer[from..][..len].to_vec(),
        Err(_) => Vec::new(),
    }
}
