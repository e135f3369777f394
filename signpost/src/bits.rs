//! The bits of one boot partition, and the partition types (`docs/compatibility.md`, "Partition types and bits").

use uuid::Uuid;

/// Where the bits lie in an entry's 64 attribute bits.
const PRIORITY_SHIFT: u32 = 48;
const TRIES_SHIFT: u32 = 52;
const FOUR_BITS: u64 = 0xf;
const SUCCESSFUL: u64 = 1 << 56;
const ATTEMPTS_SHIFT: u32 = 58;
const TWO_BITS: u64 = 0x3;
/// On the private partition: some boot of this disk has succeeded once.
const EVER_SUCCEEDED: u64 = 1 << 57;

/// The type of the partition that both sets share and that survives updates.
pub const PRIVATE_TYPE: Uuid = Uuid::from_u128(0x440408bb_eb0b_4328_a6e5_a29038fad706);
/// The type of the partition that both sets keep their data on.
pub const DATA_TYPE: Uuid = Uuid::from_u128(0x626f7474_6c65_6474_6861_726d61726b73);

/// What a partition of a set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Kernel and command line; its table entry carries the set's boot bits.
    Boot,
    /// The root file system.
    Root,
    /// The hash tree over the root file system.
    Hash,
}

impl Role {
    /// The roles of a set.
    pub const ALL: [Self; 3] = [Self::Boot, Self::Root, Self::Hash];

    /// The partition type that marks this role.
    #[must_use]
    pub const fn type_guid(self) -> Uuid {
        match self {
            Self::Boot => Uuid::from_u128(0x6b636168_7420_6568_2070_6c616e657421),
            Self::Root => Uuid::from_u128(0x5526016a_1a97_4ea4_b39a_b7c8c6ca4502),
            Self::Hash => Uuid::from_u128(0x598f10af_c955_4456_6a99_7720068a6cea),
        }
    }

    /// The role as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Root => "root",
            Self::Hash => "hash",
        }
    }
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the table says of one set's chance to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootBits {
    /// 0 to 15; the higher one boots, and 0 never does.
    pub priority: u8,
    /// 0 to 15: how many more starts are granted. The boot program spends one at each start.
    pub tries: u8,
    /// Proven: a boot of this set was marked successful since it was last cleared.
    pub successful: bool,
}

impl BootBits {
    /// A set that holds nothing to boot.
    pub const CLEAR: Self = Self { priority: 0, tries: 0, successful: false };

    /// The bits as they stand in a boot entry's attributes.
    #[must_use]
    pub const fn from_attributes(attributes: u64) -> Self {
        Self {
            priority: four_bits(attributes, PRIORITY_SHIFT),
            tries: four_bits(attributes, TRIES_SHIFT),
            successful: attributes & SUCCESSFUL != 0,
        }
    }

    /// `attributes` with these bits in place; all other bits stay. Numbers above 15 count as 15.
    #[must_use]
    pub fn patch(self, attributes: u64) -> u64 {
        let kept = attributes & !(FOUR_BITS << PRIORITY_SHIFT | FOUR_BITS << TRIES_SHIFT | SUCCESSFUL);
        let priority = u64::from(self.priority.min(15)) << PRIORITY_SHIFT;
        let tries = u64::from(self.tries.min(15)) << TRIES_SHIFT;
        kept | priority | tries | if self.successful { SUCCESSFUL } else { 0 }
    }

    /// Whether there is anything to boot: a try left, or proven.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.tries > 0 || self.successful
    }

    /// Whether the boot program considers it at all: valid, and with a priority above 0 (`docs/compatibility.md`,
    /// "GRUB").
    #[must_use]
    pub const fn would_boot(self) -> bool {
        self.priority > 0 && self.is_valid()
    }
}

/// How often a boot program that counts has started a proven set without it reaching its root: 0 to 3, where 3 means three
/// or more. An unproven set spends tries instead. The number is the boot program's own, which has nowhere else to keep it;
/// the set's initramfs takes it back to 0 once the root is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempts(u8);

impl Attempts {
    /// None since the set last reached its root.
    pub const NONE: Self = Self(0);
    /// As many as can be counted.
    pub const MOST: Self = Self(3);

    /// The number in a boot entry's attributes.
    #[must_use]
    pub const fn from_attributes(attributes: u64) -> Self {
        Self((attributes >> ATTEMPTS_SHIFT & TWO_BITS) as u8)
    }

    /// `attributes` with this number in place; all other bits stay.
    #[must_use]
    pub fn patch(self, attributes: u64) -> u64 {
        attributes & !(TWO_BITS << ATTEMPTS_SHIFT) | u64::from(self.0) << ATTEMPTS_SHIFT
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// One more, as far as can be counted.
    #[must_use]
    pub const fn one_more(self) -> Self {
        if self.0 < Self::MOST.0 { Self(self.0 + 1) } else { Self::MOST }
    }
}

/// Whether a private entry's attributes say that some boot has succeeded once.
#[must_use]
pub const fn boot_has_ever_succeeded(private_attributes: u64) -> bool {
    private_attributes & EVER_SUCCEEDED != 0
}

/// A private entry's attributes with that mark set or taken away; all other bits stay.
#[must_use]
pub const fn with_boot_ever_succeeded(private_attributes: u64, succeeded: bool) -> u64 {
    if succeeded { private_attributes | EVER_SUCCEEDED } else { private_attributes & !EVER_SUCCEEDED }
}

const fn four_bits(attributes: u64, shift: u32) -> u8 {
    (attributes >> shift & FOUR_BITS) as u8
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_types_are_stored_as_other_tools_read_them() {
        assert_eq!(Role::Boot.type_guid().to_string(), "6b636168-7420-6568-2070-6c616e657421");
        // Mixed-endian on disk, this type spells a sentence.
        assert_eq!(&Role::Boot.type_guid().to_bytes_le(), b"hack the planet!");
        assert_eq!(Role::Root.type_guid().to_string(), "5526016a-1a97-4ea4-b39a-b7c8c6ca4502");
        assert_eq!(Role::Hash.type_guid().to_string(), "598f10af-c955-4456-6a99-7720068a6cea");
        assert_eq!(PRIVATE_TYPE.to_string(), "440408bb-eb0b-4328-a6e5-a29038fad706");
    }

    #[test]
    fn the_bits_lie_where_the_boot_program_looks() {
        let bits = BootBits { priority: 2, tries: 1, successful: true };
        assert_eq!(bits.patch(0), 0x0112_0000_0000_0000);
        assert_eq!(BootBits::from_attributes(0x0112_0000_0000_0004), bits);
        assert!(boot_has_ever_succeeded(0x0200_0000_0000_0000));
        assert_eq!(Attempts::from_attributes(0x0c12_0000_0000_0000), Attempts::MOST);
        assert_eq!(Attempts::NONE.one_more().patch(0), 0x0400_0000_0000_0000);
    }

    #[test]
    fn attempts_are_counted_up_to_three() {
        let mut attempts = Attempts::NONE;
        let counted: Vec<u8> = (0..5)
            .map(|_| {
                attempts = attempts.one_more();
                attempts.get()
            })
            .collect();
        assert_eq!(counted, [1, 2, 3, 3, 3]);
    }

    proptest! {
        #[test]
        fn only_our_bits_change(before: u64, priority in 0u8..16, tries in 0u8..16, successful: bool) {
            let bits = BootBits { priority, tries, successful };
            let after = bits.patch(before);
            prop_assert_eq!(BootBits::from_attributes(after), bits);
            prop_assert_eq!((before ^ after) & !0x01ff_0000_0000_0000, 0);
            let attempts = Attempts::from_attributes(after);
            prop_assert_eq!(attempts, Attempts::from_attributes(before), "the count is no business of these bits");
            let counted = attempts.one_more().patch(after);
            prop_assert_eq!(Attempts::from_attributes(counted), attempts.one_more());
            prop_assert_eq!((after ^ counted) & !0x0c00_0000_0000_0000, 0);
            prop_assert_eq!((with_boot_ever_succeeded(before, true) ^ before) & !EVER_SUCCEEDED, 0);
        }
    }
}
