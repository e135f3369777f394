//! Values for the tests of this crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;
use signpost::discover::Source;
use signpost::{BootBits, Partition, Set, SetName, Status};
use update_metadata::{Images, Seed, Update, UpdateExtensions};
use verity::RootHash;

use crate::decide::machine::Machine;
use crate::decide::standing::ChosenBy;
use crate::decide::withheld::Withheld;
use crate::flip::record::Entry;

/// A host that runs set A with these bits; a second set is there if it has any.
pub(crate) fn status(active: BootBits, inactive: Option<BootBits>) -> Status {
    Status {
        disk: PathBuf::from("/dev/vda"),
        active: SetName::A,
        active_source: Source::BootToken,
        a: set(SetName::A, active),
        b: inactive.map(|bits| set(SetName::B, bits)),
        next: signpost::pick::next(active, inactive),
        boot_has_ever_succeeded: true,
        notes: Vec::new(),
    }
}

fn set(name: SetName, bits: BootBits) -> Set {
    let partition = |number| Partition {
        number,
        guid: uuid::Uuid::from_u128(u128::from(number)),
        start: u64::from(number) << 20,
        len: 1 << 20,
        node: PathBuf::from(format!("/dev/vda{number}")),
    };
    let first = if name == SetName::A { 1 } else { 4 };
    Set { name, boot: partition(first), root: partition(first + 1), hash: partition(first + 2), bits }
}

/// A version.
pub(crate) fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// A release that is open to everybody.
pub(crate) fn update(version: &str, max_version: &str) -> Update {
    Update {
        variant: "metal".to_owned(),
        arch: "x86_64".to_owned(),
        version: v(version),
        max_version: v(max_version),
        waves: BTreeMap::new(),
        images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
        extensions: UpdateExtensions::default(),
    }
}

/// A host in the middle of its fleet, from which nothing is kept.
pub(crate) fn machine(version: &str) -> Machine {
    Machine {
        variant: "metal".to_owned(),
        arch: "x86_64".to_owned(),
        version: v(version),
        seed: Seed::new(1000).unwrap(),
        barred: Vec::new(),
        withheld: Withheld::default(),
    }
}

/// What a set may hold.
pub(crate) fn entry(version: &str, root_hash: RootHash) -> Entry {
    Entry {
        variant: "metal".to_owned(),
        arch: "x86_64".to_owned(),
        version: v(version),
        root_hash,
        recorded: "2024-06-01T00:00:00Z".parse().unwrap(),
        chosen_by: ChosenBy::Rule,
        against: None,
        insisted: Vec::new(),
    }
}

/// A root hash of one digit.
pub(crate) fn hash(digit: char) -> RootHash {
    digit.to_string().repeat(64).parse().unwrap()
}
