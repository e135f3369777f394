//! The partitions that are wanted, as a person writes them down.
//!
//! ```toml
//! [[partition]]              # in the order of their numbers and of their places on the disk
//! type = "boot"              # bios-boot, efi, efi-backup, boot, root, hash, reserved, private, data, or a GUID
//! label = "MY-BOOT-A"        # optional
//! size = "20 MiB"            # or "rest", once on a disk: what the others leave
//! guid = "…"                 # optional: its PARTUUID; a random one otherwise
//!
//! [[data-partition]]         # the same for a second disk
//! type = "data"
//! size = "rest"
//! ```
//!
//! Which set a partition belongs to follows from the order, as everywhere: the first of a type belongs to A, the second
//! to B.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use uuid::Uuid;

use super::size::Mebibytes;
use crate::bits::{DATA_TYPE, PRIVATE_TYPE, Role};

/// As many as a table of the usual length has entries.
const MOST: usize = 128;
/// What the label's field in an entry holds, in UTF-16 units.
const LABEL_UNITS: usize = 36;

/// The partitions that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// Those of the disk with the sets.
    pub partitions: Vec<Wanted>,
    /// Those of a second disk; empty when there is none.
    pub data_partitions: Vec<Wanted>,
}

/// One partition that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is for.
    pub kind: Kind,
    /// Its label; may be empty.
    pub label: String,
    /// How long it is to be.
    pub length: Length,
    /// Its identifier, when it is to be a certain one.
    pub guid: Option<Uuid>,
}

/// How long a partition is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// This long.
    Fixed(Mebibytes),
    /// What the others of its disk leave, at least a mebibyte.
    Rest,
}

/// What a partition is for, as far as its type says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Where GRUB keeps its second stage on machines with a BIOS.
    BiosBoot,
    /// An EFI system partition.
    Efi,
    /// Room for another one, of a type that no firmware looks for.
    EfiBackup,
    /// A partition of a set.
    Set(Role),
    /// Kept free.
    Reserved,
    /// What both sets share.
    Private,
    /// The workloads' own.
    Data,
    /// Any other type.
    Other(Uuid),
}

impl Kind {
    const NAMED: [Self; 9] = [
        Self::BiosBoot,
        Self::Efi,
        Self::EfiBackup,
        Self::Set(Role::Boot),
        Self::Set(Role::Root),
        Self::Set(Role::Hash),
        Self::Reserved,
        Self::Private,
        Self::Data,
    ];

    /// The kind that a type marks.
    #[must_use]
    pub fn of(type_guid: Uuid) -> Self {
        Self::NAMED.into_iter().find(|kind| kind.type_guid() == type_guid).unwrap_or(Self::Other(type_guid))
    }

    /// The partition type that marks it.
    #[must_use]
    pub const fn type_guid(self) -> Uuid {
        match self {
            Self::BiosBoot => Uuid::from_u128(0x21686148_6449_6e6f_744e_656564454649),
            Self::Efi => Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b),
            Self::EfiBackup => Uuid::from_u128(0xb39ce39c_0a00_b4ab_2d11_f18f8237a21c),
            Self::Set(role) => role.type_guid(),
            Self::Reserved => Uuid::from_u128(0x0c5d99a5_d331_4147_baef_08e2b855bdc9),
            Self::Private => PRIVATE_TYPE,
            Self::Data => DATA_TYPE,
            Self::Other(guid) => guid,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BiosBoot => f.write_str("bios-boot"),
            Self::Efi => f.write_str("efi"),
            Self::EfiBackup => f.write_str("efi-backup"),
            Self::Set(role) => role.fmt(f),
            Self::Reserved => f.write_str("reserved"),
            Self::Private => f.write_str("private"),
            Self::Data => f.write_str("data"),
            Self::Other(guid) => guid.fmt(f),
        }
    }
}

impl FromStr for Kind {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let named = Self::NAMED.into_iter().find(|kind| kind.to_string() == text);
        match named.or_else(|| Uuid::try_parse(text).ok().map(Self::of)) {
            // An entry of the nil type is an unused one.
            Some(Self::Other(guid)) if guid.is_nil() => Err(Wrong::Type(text.to_owned())),
            Some(kind) => Ok(kind),
            None => Err(Wrong::Type(text.to_owned())),
        }
    }
}

/// What is wrong with a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// It cannot be read at all.
    #[error("{0}")]
    Unreadable(String),
    /// It is no TOML, or has keys that mean nothing here.
    #[error("{0}")]
    Syntax(String),
    /// A type that is not known.
    #[error("{0:?} is no partition type: write boot, root, hash, private, … or a GUID")]
    Type(String),
    /// It names no partition.
    #[error("it names no partition")]
    Empty,
    /// More partitions than a table holds.
    #[error("it names {0} partitions, and a table holds {MOST}")]
    TooMany(usize),
    /// A label that does not fit into an entry, or cannot be printed.
    #[error("the label {0:?} is longer than {LABEL_UNITS} characters, or cannot be printed")]
    Label(String),
    /// More than one partition is to take the rest of a disk.
    #[error("two partitions of one disk are to take the rest of it")]
    TwoRests,
    /// Two partitions are to have one identifier.
    #[error("two partitions are to have the identifier {0}")]
    SameGuid(Uuid),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    partition: Vec<Row>,
    #[serde(default)]
    data_partition: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "type", deserialize_with = "parsed")]
    kind: Kind,
    #[serde(default)]
    label: String,
    #[serde(deserialize_with = "length")]
    size: Length,
    #[serde(default, deserialize_with = "guid")]
    guid: Option<Uuid>,
}

impl Blueprint {
    /// Reads a blueprint.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it depends on a disk.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let file: File =
            toml::from_str(text).map_err(|error| Wrong::Syntax(host_io::report::toml(text, &error)))?;
        let wanted = |rows: Vec<Row>| -> Vec<Wanted> {
            rows.into_iter()
                .map(|row| Wanted { kind: row.kind, label: row.label, length: row.size, guid: row.guid })
                .collect()
        };
        let blueprint =
            Self { partitions: wanted(file.partition), data_partitions: wanted(file.data_partition) };
        blueprint.check().map(|()| blueprint)
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.partitions.is_empty() {
            return Err(Wrong::Empty);
        }
        for disk in [&self.partitions, &self.data_partitions] {
            if disk.len() > MOST {
                return Err(Wrong::TooMany(disk.len()));
            }
            if disk.iter().filter(|wanted| wanted.length == Length::Rest).count() > 1 {
                return Err(Wrong::TwoRests);
            }
        }
        let mut guids = Vec::new();
        for wanted in self.partitions.iter().chain(&self.data_partitions) {
            let too_long = wanted.label.encode_utf16().count() > LABEL_UNITS;
            if too_long || wanted.label.chars().any(char::is_control) {
                return Err(Wrong::Label(wanted.label.clone()));
            }
            if let Some(guid) = wanted.guid {
                if guids.contains(&guid) {
                    return Err(Wrong::SameGuid(guid));
                }
                guids.push(guid);
            }
        }
        Ok(())
    }
}

fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: serde::Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn length<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "rest" {
        return Ok(Length::Rest);
    }
    text.parse().map(Length::Fixed).map_err(serde::de::Error::custom)
}

fn guid<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Uuid::try_parse(&text) {
        Ok(guid) if !guid.is_nil() => Ok(Some(guid)),
        Ok(_) | Err(_) => Err(serde::de::Error::custom(format!("{text:?} is no GUID"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_as_it_is_written() {
        for kind in Kind::NAMED.into_iter().chain([Kind::Other(Uuid::from_u128(7))]) {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(Kind::of(kind.type_guid()), kind);
        }
        // A GUID of a kind that has a name is that kind.
        assert_eq!("6B636168-7420-6568-2070-6C616E657421".parse(), Ok(Kind::Set(Role::Boot)));
    }

    #[test]
    fn a_small_layout_is_read() {
        let blueprint = Blueprint::parse(
            "[[partition]]\ntype = \"boot\"\nlabel = \"A\"\nsize = \"20 MiB\"\n\
             guid = \"11111111-2222-3333-4444-555555555555\"\n\
             [[data-partition]]\ntype = \"data\"\nsize = \"rest\"\n",
        )
        .unwrap();
        assert_eq!(
            blueprint.partitions,
            [Wanted {
                kind: Kind::Set(Role::Boot),
                label: "A".to_owned(),
                length: Length::Fixed(Mebibytes::new(20).unwrap()),
                guid: Some("11111111-2222-3333-4444-555555555555".parse().unwrap()),
            }]
        );
        assert_eq!(blueprint.data_partitions[0].length, Length::Rest);
    }

    #[test]
    fn what_it_cannot_mean_is_refused_in_words() {
        let part = |more: &str| format!("[[partition]]\ntype = \"root\"\nsize = \"1M\"\n{more}");
        let guid = "guid = \"11111111-2222-3333-4444-555555555555\"\n";
        for (text, said) in [
            (String::new(), "names no partition"),
            ("partition = 1".to_owned(), "line 1"),
            ("[[partition]]\ntype = \"root\"\n".to_owned(), "missing field `size`"),
            (
                "[[partition]]\ntype = \"boat\"\nsize = \"1M\"\n".to_owned(),
                "line 2: \"boat\" is no partition type",
            ),
            (part("type = \"x\""), "line 4"),
            (part("flags = 1"), "unknown field `flags`"),
            (part("").replace("1M", "1"), "\"1\" is no size"),
            (part("").replace("root", "00000000-0000-0000-0000-000000000000"), "is no partition type"),
            (part("guid = \"x\""), "\"x\" is no GUID"),
            (part("guid = \"00000000-0000-0000-0000-000000000000\""), "is no GUID"),
            (part(&format!("label = {:?}", "x".repeat(37))), "longer than 36"),
            (part("label = \"a\\nb\""), "cannot be printed"),
            (part("").replace("1M", "rest").repeat(2), "two partitions of one disk"),
            (part(guid).repeat(2), "two partitions are to have the identifier 1111"),
            (part("").repeat(129), "names 129 partitions"),
        ] {
            let wrong = Blueprint::parse(&text).unwrap_err().to_string();
            assert!(wrong.contains(said), "{text}: {wrong}");
        }
        assert!(Blueprint::parse(&part("").repeat(128)).is_ok());
    }

    #[test]
    fn mistakes_are_told_in_these_words() {
        for (failure, words) in [
            (
                Wrong::Type("x".into()),
                "\"x\" is no partition type: write boot, root, hash, private, … or a GUID",
            ),
            (Wrong::Empty, "it names no partition"),
            (Wrong::TooMany(7), "it names 7 partitions, and a table holds 128"),
            (Wrong::Label("x".into()), "the label \"x\" is longer than 36 characters, or cannot be printed"),
            (Wrong::TwoRests, "two partitions of one disk are to take the rest of it"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}
