//! The partitions that are wanted when nobody writes anything down: those of a Bottlerocket disk, scaled by the size of
//! the system (`docs/compatibility.md`, "Disk layout").

use super::blueprint::{Blueprint, Kind, Length, Wanted};
use super::size::Mebibytes;
use crate::bits::Role;
use crate::set::SetName;

/// The EFI system partition and its backup, in MiB.
const EFI: u64 = 5;
/// On a host that starts `bootpick`: room for it, several times over, and as little as FAT32 takes with a margin.
const UEFI_ESP: u64 = 64;
/// A generic kernel with its initramfs, and room to grow.
const UEFI_BOOT: u64 = 128;
/// Where larger systems than any would make numbers overflow.
const MOST_GIB: u32 = 1 << 20;

/// What may differ between disks of the standard layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// The size of the system in GiB: everything but the data, both copies of the table included.
    gib: u32,
    /// How many sets there are.
    pub sets: Sets,
    /// Where the data lies.
    pub data: Data,
    /// What starts it.
    pub host: Hosts,
}

/// What kind of host the disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// One that boots with GRUB as a Bottlerocket host does: the layout of such a disk.
    Contract,
    /// One whose firmware starts `bootpick`: two partitions to start from, with a file system each, and boot partitions
    /// with room for a kernel and its initramfs.
    Uefi,
}

/// How many sets a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// A and B.
    Two,
    /// A alone, with the room of both: a host that is never updated in place.
    One,
}

/// Where the data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// On the disk with the system, after it.
    SameDisk,
    /// On a disk of its own.
    SecondDisk,
}

impl Standard {
    /// A system of `gib` GiB; `None` when no system has that size.
    #[must_use]
    pub const fn new(gib: u32, sets: Sets, data: Data) -> Option<Self> {
        if gib == 0 || gib > MOST_GIB { None } else { Some(Self { gib, sets, data, host: Hosts::Contract }) }
    }

    /// The same system for another kind of host.
    #[must_use]
    pub const fn on(self, host: Hosts) -> Self {
        Self { host, ..self }
    }

    /// The size of the system that suits a disk when nobody says one: 2 GiB or what the disk has; all of the disk where
    /// the data lies elsewhere. At least 1 GiB.
    #[must_use]
    pub fn suited(disk: u64, sets: Sets, data: Data) -> Self {
        let whole = u32::try_from(disk >> 30).unwrap_or(MOST_GIB).clamp(1, MOST_GIB);
        match data {
            Data::SameDisk => Self { gib: whole.min(2), sets, data, host: Hosts::Contract },
            Data::SecondDisk => Self { gib: whole, sets, data, host: Hosts::Contract },
        }
    }

    /// The partitions.
    #[must_use]
    pub fn blueprint(self) -> Blueprint {
        match self.host {
            Hosts::Contract => self.contract(),
            Hosts::Uefi => self.uefi(),
        }
    }

    fn uefi(self) -> Blueprint {
        let gib = u64::from(self.gib);
        let (boot, hash, private) = (UEFI_BOOT.max(20 * gib), 5 * gib, 24 * gib);
        // The table's two places, and the least of data.
        let roots = 1024 * gib - 3 - private - 2 * (UEFI_ESP + boot + hash);
        let root = roots / 2;
        let mut partitions = vec![wanted(Kind::Efi, "EFI-A", UEFI_ESP), wanted(Kind::Efi, "EFI-B", UEFI_ESP)];
        let names: &[(SetName, u64)] = match self.sets {
            Sets::Two => &[(SetName::A, 1), (SetName::B, 1)],
            Sets::One => &[(SetName::A, 2)],
        };
        for &(name, times) in names {
            for (role, what, size) in
                [(Role::Boot, "BOOT", boot), (Role::Root, "ROOT", root), (Role::Hash, "HASH", hash)]
            {
                partitions.push(wanted(
                    Kind::Set(role),
                    &format!("BOTTLEROCKET-{what}-{name}"),
                    times * size,
                ));
            }
        }
        partitions.push(wanted(Kind::Private, "BOTTLEROCKET-PRIVATE", private + roots % 2));
        self.with_data(partitions)
    }

    fn contract(self) -> Blueprint {
        let gib = u64::from(self.gib);
        let mut partitions = vec![wanted(Kind::BiosBoot, "BIOS-BOOT", 4)];
        match self.sets {
            Sets::Two => {
                partitions.push(wanted(Kind::Efi, "EFI-SYSTEM", EFI));
                partitions.extend(set(SetName::A, gib, EFI));
                partitions.push(wanted(Kind::EfiBackup, "EFI-BACKUP", EFI));
                partitions.extend(set(SetName::B, gib, EFI));
            }
            Sets::One => {
                partitions.push(wanted(Kind::Efi, "EFI-SYSTEM", 2 * EFI));
                partitions.extend(set(SetName::A, 2 * gib, 2 * EFI));
            }
        }
        // The table's two places, BIOS-BOOT and the least of data come out of the private partition's share.
        partitions.push(wanted(Kind::Private, "BOTTLEROCKET-PRIVATE", 24 * gib - 7));
        self.with_data(partitions)
    }

    fn with_data(self, mut partitions: Vec<Wanted>) -> Blueprint {
        let rest = Wanted { kind: Kind::Data, label: String::new(), length: Length::Rest, guid: None };
        match self.data {
            Data::SameDisk => {
                partitions.push(rest);
                Blueprint { partitions, data_partitions: Vec::new() }
            }
            Data::SecondDisk => {
                partitions.push(wanted(Kind::Data, "", 1));
                Blueprint { partitions, data_partitions: vec![rest] }
            }
        }
    }
}

/// One set and the room beside it.
fn set(name: SetName, gib: u64, efi: u64) -> [Wanted; 4] {
    let label = |what: &str| format!("BOTTLEROCKET-{what}-{name}");
    [
        wanted(Kind::Set(Role::Boot), &label("BOOT"), 20 * gib),
        wanted(Kind::Set(Role::Root), &label("ROOT"), 460 * gib),
        wanted(Kind::Set(Role::Hash), &label("HASH"), 5 * gib),
        wanted(Kind::Reserved, &label("RESERVED"), 15 * gib - efi),
    ]
}

fn wanted(kind: Kind, label: &str, mebibytes: u64) -> Wanted {
    let size = Mebibytes::new(mebibytes).expect("no part of a system of a GiB and more is empty");
    Wanted { kind, label: label.to_owned(), length: Length::Fixed(size), guid: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(standard: Standard) -> Vec<Option<u64>> {
        standard
            .blueprint()
            .partitions
            .iter()
            .map(|wanted| match wanted.length {
                Length::Fixed(size) => Some(size.get()),
                Length::Rest => None,
            })
            .collect()
    }

    #[test]
    fn two_sets_share_a_disk_with_the_data() {
        let fixed = [4, 5, 40, 920, 10, 25, 5, 40, 920, 10, 25, 41].map(Some);
        let standard = Standard::new(2, Sets::Two, Data::SameDisk).unwrap();
        assert_eq!(lengths(standard), [&fixed[..], &[None]].concat());
    }

    #[test]
    fn a_system_fills_its_gibibytes_to_the_last_mebibyte() {
        for gib in [1, 2, 7, MOST_GIB] {
            for sets in [Sets::Two, Sets::One] {
                let standard = Standard::new(gib, sets, Data::SecondDisk).unwrap();
                let sum: u64 = lengths(standard).into_iter().map(|length| length.expect("all fixed")).sum();
                // One mebibyte at either end is the table's.
                assert_eq!(sum + 2, u64::from(gib) * 1024, "{standard:?}");
                assert_eq!(standard.blueprint().data_partitions.len(), 1);
            }
        }
    }

    #[test]
    fn a_host_with_bootpick_gets_two_partitions_to_start_from_and_room_for_its_kernels() {
        for gib in [1, 2, 7, 100] {
            for sets in [Sets::Two, Sets::One] {
                let standard = Standard::new(gib, sets, Data::SecondDisk).unwrap().on(Hosts::Uefi);
                let wanted = standard.blueprint().partitions;
                let sum: u64 = lengths(standard).into_iter().map(|length| length.expect("all fixed")).sum();
                assert_eq!(sum + 2, u64::from(gib) * 1024, "{standard:?}");
                let of = |kind| -> Vec<Length> {
                    wanted.iter().filter(|one| one.kind == kind).map(|one| one.length).collect()
                };
                let fixed = |mebibytes| Length::Fixed(Mebibytes::new(mebibytes).unwrap());
                assert_eq!(of(Kind::Efi), [fixed(64); 2]);
                assert_eq!(of(Kind::EfiBackup), []);
                let least = of(Kind::Set(Role::Boot)).into_iter().all(|length| match length {
                    Length::Fixed(size) => size.get() >= 128,
                    Length::Rest => false,
                });
                assert!(least, "{wanted:?}");
                assert_eq!(of(Kind::Set(Role::Root)).len(), if sets == Sets::Two { 2 } else { 1 });
            }
        }
    }

    #[test]
    fn one_set_has_the_room_of_two() {
        let standard = Standard::new(1, Sets::One, Data::SameDisk).unwrap();
        assert_eq!(
            lengths(standard),
            [4, 10, 40, 920, 10, 20, 17].map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        );
        assert!(!standard.blueprint().partitions.iter().any(|wanted| wanted.label.ends_with("-B")));
    }

    #[test]
    fn the_system_takes_what_the_disk_has() {
        let gib = |disk: u64, data| Standard::suited(disk << 20, Sets::Two, data).gib;
        for (disk, same, second) in [(512, 1, 1), (1024, 1, 1), (2047, 1, 1), (2048, 2, 2), (20480, 2, 20)] {
            assert_eq!((gib(disk, Data::SameDisk), gib(disk, Data::SecondDisk)), (same, second), "{disk}");
        }
        assert_eq!(Standard::new(0, Sets::Two, Data::SameDisk), None);
    }
}
