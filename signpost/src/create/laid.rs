//! The new table, made and judged before anything is written. gptman makes it; our own reader, which everything else
//! here goes by, has to find in it what was wanted.

use gptman::{GPT, GPTPartitionEntry};
use uuid::Uuid;

use super::blueprint::{Kind, Wanted};
use super::ends::Ends;
use super::error::CreateError;
use super::place::{TooSmall, place};
use super::size::MIB;
use crate::bits::{BootBits, Role};
use crate::idle::FROM_THE_FACTORY;
use crate::table::{Copies, Geometry};

/// What the boot program is to find on a new disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstBoot {
    /// No set that boots.
    Nothing,
    /// Set A as a factory leaves it: proven.
    SetA,
}

/// A table as it is to lie on a disk.
#[derive(Debug)]
pub struct Laid {
    ends: Ends,
    copies: Copies,
}

impl Laid {
    /// Makes the table of a disk of this shape. `fresh` makes up an identifier that nobody has.
    ///
    /// # Errors
    /// When the partitions do not fit or the table cannot be made.
    pub fn make(
        wanted: &[Wanted],
        geometry: Geometry,
        first_boot: FirstBoot,
        fresh: &mut dyn FnMut() -> Result<Uuid, CreateError>,
    ) -> Result<Self, CreateError> {
        let sector = u64::from(geometry.sector_size);
        let bytes = geometry.sectors.saturating_mul(sector);
        let places = place(wanted, bytes)?;
        let mut ends = Ends::blank(geometry).ok_or(TooSmall { needed: 2, there: bytes / MIB })?;
        let disk_guid = fresh()?.to_bytes_le();
        let mut table = GPT::new_from(&mut ends, sector, disk_guid).map_err(refused)?;
        let mut set_a = match first_boot {
            FirstBoot::Nothing => BootBits::CLEAR,
            FirstBoot::SetA => FROM_THE_FACTORY,
        };
        for ((number, wanted), place) in (1u32..).zip(wanted).zip(places) {
            let guid = wanted.guid.map_or_else(&mut *fresh, Ok)?;
            let bits = match wanted.kind {
                // The first one only: the others are not set A.
                Kind::Set(Role::Boot) => std::mem::replace(&mut set_a, BootBits::CLEAR),
                _ => BootBits::CLEAR,
            };
            table[number] = GPTPartitionEntry {
                partition_type_guid: wanted.kind.type_guid().to_bytes_le(),
                unique_partition_guid: guid.to_bytes_le(),
                starting_lba: place.start * MIB / sector,
                ending_lba: (place.start + place.len) * MIB / sector - 1,
                attribute_bits: bits.patch(0),
                partition_name: wanted.label.as_str().into(),
            };
        }
        GPT::write_protective_mbr_into(&mut ends, sector).map_err(refused)?;
        table.write_into(&mut ends).map_err(refused)?;
        let copies = Copies::read(&mut ends);
        let laid = Self { ends, copies };
        laid.holds(wanted).then_some(laid).ok_or_else(|| {
            CreateError::Table("what was made is not what was wanted; this is a bug".to_owned())
        })
    }

    /// Both copies, as they will be read.
    #[must_use]
    pub const fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The bytes of the disk's two ends.
    #[must_use]
    pub const fn ends(&self) -> &Ends {
        &self.ends
    }

    fn holds(&self, wanted: &[Wanted]) -> bool {
        let Ok((table, _)) = self.copies.current() else { return false };
        let made: Vec<_> = table.entries().used().collect();
        self.copies.are_equal()
            && made.len() == wanted.len()
            && made
                .iter()
                .zip(wanted)
                .all(|(made, wanted)| made.type_guid == wanted.kind.type_guid() && made.name == wanted.label)
    }
}

fn refused(error: gptman::Error) -> CreateError {
    CreateError::Table(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::standard::{Data, Sets, Standard};
    use super::*;
    use crate::layout::Layout;
    use crate::set::SetName;

    fn counted() -> impl FnMut() -> Result<Uuid, CreateError> {
        let mut last = 0;
        move || {
            last += 1;
            Ok(Uuid::from_u128(last))
        }
    }

    fn standard(sector_size: u32, first_boot: FirstBoot) -> Laid {
        let wanted = Standard::new(1, Sets::Two, Data::SameDisk).unwrap().blueprint().partitions;
        let geometry = Geometry { sector_size, sectors: (2 << 30) / u64::from(sector_size) };
        Laid::make(&wanted, geometry, first_boot, &mut counted()).unwrap()
    }

    #[test]
    fn a_set_that_is_not_there_has_no_state_to_change() {
        let laid = standard(512, FirstBoot::SetA);
        let (table, _) = laid.copies().current().unwrap();
        let one_set = Layout { b: None, ..Layout::find(table).unwrap() };
        assert!(one_set.state(table.entries(), SetName::A).is_some());
        assert_eq!(one_set.state(table.entries(), SetName::B), None);
    }

    #[test]
    fn only_set_a_of_a_factory_disk_boots_and_only_when_asked_for() {
        for sector_size in [512, 4096] {
            for (first_boot, next) in [(FirstBoot::Nothing, None), (FirstBoot::SetA, Some(SetName::A))] {
                let laid = standard(sector_size, first_boot);
                let (table, _) = laid.copies().current().unwrap();
                let layout = Layout::find(table).unwrap();
                let state = layout.state(table.entries(), SetName::A).unwrap();
                assert_eq!(state.next(), next);
                assert_eq!(state.b, Some(BootBits::CLEAR));
                assert!(!state.boot_has_ever_succeeded);
            }
        }
    }

    #[test]
    fn partitions_start_on_mebibytes_and_the_data_ends_before_the_last_one() {
        let laid = standard(4096, FirstBoot::Nothing);
        let (table, _) = laid.copies().current().unwrap();
        let used: Vec<_> = table.entries().used().collect();
        assert!(used.iter().all(|entry| entry.first_lba % 256 == 0 && (entry.last_lba + 1) % 256 == 0));
        assert_eq!(used[0].first_lba, 256);
        assert_eq!(used.last().unwrap().last_lba, (2 << 30) / 4096 - 257);
    }

    #[test]
    fn an_identifier_that_occurs_twice_is_refused() {
        let wanted = Standard::new(1, Sets::One, Data::SameDisk).unwrap().blueprint().partitions;
        let geometry = Geometry { sector_size: 512, sectors: 4 << 20 };
        let mut always = || Ok(Uuid::from_u128(7));
        let refused = Laid::make(&wanted, geometry, FirstBoot::Nothing, &mut always).unwrap_err();
        assert!(refused.to_string().contains("GUID"), "{refused}");
    }
}
