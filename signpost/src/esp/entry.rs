//! The firmware's own list of what it starts: the variables `Boot####` and `BootOrder` (UEFI specification, "Boot Manager"),
//! as Linux shows them.

use std::io;
use std::path::{Path, PathBuf};

use host_io::Paths;
use uuid::{Uuid, uuid};

const VARIABLES: &str = "/sys/firmware/efi/efivars";
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
const LOADER: Uuid = uuid!("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f");
/// Lasting, and readable at boot and afterwards.
const LASTING: u32 = 7;
/// An entry that is tried.
const ACTIVE: u32 = 1;

/// A program on a partition, as firmware names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people see in the firmware's menu.
    pub description: String,
    /// The partition's number.
    pub number: u32,
    /// Its PARTUUID.
    pub guid: Uuid,
    /// Its first sector.
    pub first_lba: u64,
    /// How many sectors it has.
    pub sectors: u64,
    /// The file on it, with backslashes.
    pub file: String,
}

/// The firmware's variables of a host.
#[derive(Debug, Clone)]
pub struct Variables {
    dir: PathBuf,
}

impl Variables {
    /// Those of the host that `paths` describes; `None` where there are none, as without UEFI.
    #[must_use]
    pub fn of(paths: &Paths) -> Option<Self> {
        let dir = paths.resolve(Path::new(VARIABLES));
        dir.is_dir().then_some(Self { dir })
    }

    /// Whether the firmware starts only what is signed.
    #[must_use]
    pub fn secure_boot(&self) -> bool {
        let is_one = |name: &str| self.read(name, GLOBAL).is_ok_and(|value| value == Some(vec![1]));
        is_one("SecureBoot") && !is_one("SetupMode")
    }

    /// The partition that the boot program of this boot came from, where it says so.
    #[must_use]
    pub fn started_from(&self) -> Option<Uuid> {
        let value = self.read("LoaderDevicePartUUID", LOADER).ok().flatten()?;
        Uuid::try_parse(text(&value)?.as_str()).ok()
    }

    /// Makes the firmware start these, in this order, before anything else. Entries that are right stay as they are, and
    /// nothing is written that is there already: the firmware's memory wears out.
    ///
    /// # Errors
    /// When a variable cannot be read or written.
    pub fn prefer(&self, targets: &[Target]) -> io::Result<Vec<u16>> {
        let mut known = self.entries()?;
        let mut ours = Vec::new();
        for target in targets {
            let wanted = target.to_bytes();
            let number = match known.iter().find(|(_, value)| target.is_meant_by(value)) {
                Some((number, value)) if *value == wanted => *number,
                Some(&(number, _)) => {
                    self.write(&format!("Boot{number:04X}"), &wanted)?;
                    number
                }
                None => {
                    let free = (0..=u16::MAX).find(|number| known.iter().all(|(taken, _)| taken != number));
                    let number = free.ok_or_else(|| io::Error::other("the firmware's list is full"))?;
                    self.write(&format!("Boot{number:04X}"), &wanted)?;
                    known.push((number, wanted));
                    number
                }
            };
            ours.push(number);
        }
        let before = self.read("BootOrder", GLOBAL)?.unwrap_or_default();
        let others = before.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        let order: Vec<u16> =
            ours.iter().copied().chain(others.filter(|number| !ours.contains(number))).collect();
        let after: Vec<u8> = order.iter().flat_map(|number| number.to_le_bytes()).collect();
        if after != before {
            self.write("BootOrder", &after)?;
        }
        Ok(ours)
    }

    fn entries(&self) -> io::Result<Vec<(u16, Vec<u8>)>> {
        let mut entries = Vec::new();
        for file in std::fs::read_dir(&self.dir)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let digits = name.strip_prefix("Boot").and_then(|rest| rest.strip_suffix(&format!("-{GLOBAL}")));
            let number = digits
                .filter(|digits| digits.len() == 4)
                .and_then(|digits| u16::from_str_radix(digits, 16).ok());
            if let Some(number) = number
                && let Some(value) = self.read(&format!("Boot{number:04X}"), GLOBAL)?
            {
                entries.push((number, value));
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn path(&self, name: &str, vendor: Uuid) -> PathBuf {
        self.dir.join(format!("{name}-{vendor}"))
    }

    fn read(&self, name: &str, vendor: Uuid) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(name, vendor)) {
            Ok(bytes) => Ok(bytes.get(4..).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, value: &[u8]) -> io::Result<()> {
        // One write is one change of the variable: it is the old or the new one.
        std::fs::write(self.path(name, GLOBAL), [&LASTING.to_le_bytes()[..], value].concat())
    }
}

impl Target {
    /// The entry as firmware keeps it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let wide =
            |text: &str| -> Vec<u8> { text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() };
        let file = wide(&self.file);
        let mut path = self.hard_drive().to_vec();
        path.extend([0x04, 0x04]);
        path.extend(u16::try_from(4 + file.len()).unwrap_or(u16::MAX).to_le_bytes());
        path.extend(file);
        path.extend([0x7f, 0xff, 4, 0]);
        let len = u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes();
        [&ACTIVE.to_le_bytes()[..], &len, &wide(&self.description), &path].concat()
    }

    /// The node of a device path that names a partition by its identifier.
    fn hard_drive(&self) -> [u8; 42] {
        let mut node = [0; 42];
        node[..4].copy_from_slice(&[0x04, 0x01, 42, 0]);
        node[4..8].copy_from_slice(&self.number.to_le_bytes());
        node[8..16].copy_from_slice(&self.first_lba.to_le_bytes());
        node[16..24].copy_from_slice(&self.sectors.to_le_bytes());
        node[24..40].copy_from_slice(&self.guid.to_bytes_le());
        // A GUID table, and a GUID in it.
        node[40..].copy_from_slice(&[2, 2]);
        node
    }

    /// Whether an entry is ours for this partition: our description, and the partition's identifier.
    fn is_meant_by(&self, entry: &[u8]) -> bool {
        let guid = self.guid.to_bytes_le();
        let named = entry.get(6..).and_then(text).is_some_and(|found| found == self.description);
        named && entry.windows(guid.len()).any(|window| window == guid)
    }
}

/// The text up to its end mark.
fn text(bytes: &[u8]) -> Option<String> {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    String::from_utf16(&units.take_while(|&unit| unit != 0).collect::<Vec<_>>()).ok()
}
