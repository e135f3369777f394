//! What the firmware's variables say of the set that was started, as Linux shows them: one file each, four bytes of
//! attributes before the content.

use std::path::Path;

use host_io::{Fs as _, Paths, SystemFs};
use uuid::{Uuid, uuid};

use super::command_line::Named;
use crate::handover::{self, Handover};

/// Where Linux shows the variables.
const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// The vendor of the variables of the Boot Loader Interface.
const LOADER: Uuid = uuid!("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f");
/// The partition that a unified kernel image was started from. It is the set's boot partition where the image lies there.
const STUB: &str = "StubDevicePartUUID";

/// The variables that name a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// The boot partition that our own boot program has started from.
    pub boot: Named,
    /// The partition that a unified image found itself on.
    pub stub: Named,
    /// All that our own boot program has left.
    pub handover: Option<Handover>,
}

impl Firmware {
    /// Reads the variables of a host. Where there are none, as on a host without UEFI, nothing is said.
    #[must_use]
    pub fn read(paths: &Paths) -> Self {
        let (boot, handover) = match variable(paths, handover::NAME, handover::VENDOR) {
            None => (Named::No, None),
            Some((attributes, content)) => match Handover::parse(attributes, &content) {
                Ok(handover) => (Named::Partition(handover.boot), Some(handover)),
                Err(why) => (Named::Unclear(format!("{}: {why}", handover::NAME)), None),
            },
        };
        let stub = match variable(paths, STUB, LOADER) {
            None => Named::No,
            Some((attributes, _)) if attributes != handover::ATTRIBUTES => {
                Named::Unclear(format!("{STUB}: {}", handover::Unreadable::Attributes(attributes)))
            }
            Some((_, content)) => match utf16(&content).and_then(|text| Uuid::try_parse(&text).ok()) {
                Some(guid) => Named::Partition(guid),
                None => Named::Unclear(format!("{STUB}: it names no partition")),
            },
        };
        Self { boot, stub, handover }
    }
}

/// A variable's attributes and content. One that cannot be read says nothing: it may be gone by now.
fn variable(paths: &Paths, name: &str, vendor: Uuid) -> Option<(u32, Vec<u8>)> {
    let path = paths.resolve(&Path::new(VARIABLES).join(format!("{name}-{vendor}")));
    let bytes = match SystemFs.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("{} cannot be read: {error}", path.display());
            return None;
        }
    };
    let (attributes, content) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*attributes), content.to_vec()))
}

fn utf16(content: &[u8]) -> Option<String> {
    let units: Vec<u16> =
        content.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(units.strip_suffix(&[0]).unwrap_or(&units)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::Why;

    const A: Uuid = uuid!("11111111-2222-3333-4444-555555555555");

    fn with(files: &[(&str, Uuid, u32, &[u8])]) -> Firmware {
        let dir = tempfile::tempdir().unwrap();
        let variables = dir.path().join(VARIABLES.trim_start_matches('/'));
        std::fs::create_dir_all(&variables).unwrap();
        for (name, vendor, attributes, content) in files {
            let bytes = [&attributes.to_le_bytes()[..], content].concat();
            std::fs::write(variables.join(format!("{name}-{vendor}")), bytes).unwrap();
        }
        Firmware::read(&Paths::under(dir.path()))
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn what_the_boot_program_left_is_read() {
        let left = Handover { boot: A, why: Why::Attempts, detail: String::new() };
        let read = with(&[(handover::NAME, handover::VENDOR, 6, left.to_text().as_bytes())]);
        assert_eq!(read, Firmware { boot: Named::Partition(A), handover: Some(left), ..Firmware::default() });
        assert_eq!(with(&[]), Firmware::default());
    }

    #[test]
    fn the_stub_names_its_partition_in_any_case() {
        for text in [A.to_string(), A.to_string().to_uppercase()] {
            assert_eq!(with(&[(STUB, LOADER, 6, &wide(&text))]).stub, Named::Partition(A));
        }
        assert!(matches!(with(&[(STUB, LOADER, 6, &wide("x"))]).stub, Named::Unclear(_)));
    }

    #[test]
    fn a_variable_that_outlives_a_reset_is_nobodys_word() {
        let left = Handover { boot: A, why: Why::Priority, detail: String::new() };
        let read = with(&[
            (handover::NAME, handover::VENDOR, 7, left.to_text().as_bytes()),
            (STUB, LOADER, 7, &wide(&A.to_string())),
        ]);
        for (named, variable) in [(read.boot, handover::NAME), (read.stub, STUB)] {
            assert!(matches!(named, Named::Unclear(why) if why.contains(variable) && why.contains("0x7")));
        }
        assert_eq!(read.handover, None);
    }
}
