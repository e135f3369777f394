//! The kernel's list of locks.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

/// How often the list is read before a file counts as unlocked. The kernel hands it out in parts, and an entry moves to a
/// part that was read already when somebody lets go of a lock before it. A list of one part is true as it is.
const READINGS: u32 = 8;
/// Room for the list, so that the first part is as large as the kernel makes it.
const ROOM: usize = 64 << 10;

/// Who holds a lock that excludes everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// This process, as the kernel numbers it.
    Process(u32),
    /// Nobody.
    Nobody,
    /// The kernel does not tell.
    Unknown,
}

impl Writer {
    /// The process, where it is known.
    pub(super) fn pid(self) -> Option<u32> {
        match self {
            Self::Process(pid) => Some(pid),
            Self::Nobody | Self::Unknown => None,
        }
    }
}

/// A file as the list names it. Its number alone is that of other files on other file systems as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The device of its file system, `major:minor` in the list's hexadecimal digits.
    pub(super) device: String,
    /// Its number there.
    pub(super) inode: u64,
}

/// Who holds a `flock` on `file` that excludes everybody else.
pub(super) fn writer(file: &File) -> Writer {
    let Ok(place) = place(file) else { return Writer::Unknown };
    for _ in 0..READINGS {
        let Ok((list, parts)) = list() else { return Writer::Unknown };
        match writer_in(&list, &place) {
            Some(pid) => return Writer::Process(pid),
            None if parts <= 1 => return Writer::Nobody,
            None => {}
        }
    }
    Writer::Nobody
}

/// How the list names `file`. What `stat` says may be something else where one file system lies over another: the mount
/// knows the device that the kernel means.
pub(super) fn place(file: &File) -> io::Result<Place> {
    let metadata = file.metadata()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap_or_default();
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let inode = field("ino:").and_then(|inode| inode.parse().ok()).unwrap_or_else(|| metadata.ino());
    let of_the_mount = || -> Option<(u32, u32)> {
        let mount = field("mnt_id:")?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        mounts.lines().find_map(|line| {
            let mut fields = line.split(' ');
            let device = (fields.next() == Some(mount)).then(|| fields.nth(1)).flatten()?;
            let (major, minor) = device.split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
    };
    let (major, minor) = of_the_mount()
        .unwrap_or_else(|| (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev())));
    Ok(Place { device: format!("{major:02x}:{minor:02x}"), inode })
}

/// The list, and in how many parts it came.
fn list() -> io::Result<(String, usize)> {
    let mut file = File::open("/proc/locks")?;
    let (mut list, mut parts) = (Vec::new(), 0);
    let mut part = vec![0; ROOM];
    loop {
        match file.read(&mut part)? {
            0 => return Ok((String::from_utf8_lossy(&list).into_owned(), parts)),
            count => {
                list.extend_from_slice(&part[..count]);
                parts += 1;
            }
        }
    }
}

/// The process that the list names as the only holder of a `flock` on a place; whoever waits for one has a mark more.
pub(super) fn writer_in(list: &str, place: &Place) -> Option<u32> {
    let place = format!("{}:{}", place.device, place.inode);
    list.lines().find_map(|line| {
        // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, at, ..] = fields[..] else { return None };
        (at == place).then(|| pid.parse().ok().filter(|&pid| pid != 0)).flatten()
    })
}
