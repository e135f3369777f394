//! Which groups of an image are in place.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use blocks::pack::{GROUP_LEN, GroupCheck, Header};
use host_io::{Buffer, Disk};

use super::header::VerifiedPack;
use super::in_place::InPlace;
use crate::tell::events::{Meter, Phase};
use crate::write::install::crew::{Crew, Queue, lock};
use crate::write::install::error::Error;

/// Groups that are glanced at all over an image.
const SPREAD: u32 = 16;

/// Looks for the groups of the image that `pack` makes in `disk`, on all cores: at all of them only where a glance finds
/// one.
///
/// # Errors
/// [`Error::Stopped`].
pub fn look(disk: &dyn Disk, pack: &VerifiedPack, crew: Crew<'_>) -> Result<InPlace, Error> {
    let header = pack.header();
    let mut there = InPlace::nothing(header);
    let glance = glance(header.groups());
    look_at(disk, pack, &glance, &mut there, None, crew)?;
    if glance.iter().any(|group| there.has(*group)) {
        let rest: Vec<u32> = (0..header.groups()).filter(|group| !glance.contains(group)).collect();
        let total = rest.iter().map(|group| range_len(header, *group)).sum();
        let meter = crew.events.meter(Phase::Scan, pack.image().as_str(), Some(total));
        look_at(disk, pack, &rest, &mut there, Some(meter), crew)?;
    }
    Ok(there)
}

/// Groups that tell whether there are any: an older release shares some of those that are spread over the image, and an
/// install that was cut short left those at its start.
fn glance(groups: u32) -> BTreeSet<u32> {
    let spread = (0..SPREAD).map(|place| u64::from(groups) * u64::from(place) / u64::from(SPREAD));
    let spread = spread.map(|group| u32::try_from(group).unwrap_or(u32::MAX));
    let start = (0..u32::BITS).map(|power| (1u32 << power) - 1);
    spread.chain(start).filter(|group| *group < groups).collect()
}

fn range_len(header: &Header, group: u32) -> u64 {
    let range = header.group_range(group);
    range.end - range.start
}

fn look_at<'a>(
    disk: &dyn Disk,
    pack: &VerifiedPack,
    groups: impl IntoIterator<Item = &'a u32>,
    there: &mut InPlace,
    meter: Option<Meter<'_>>,
    crew: Crew<'_>,
) -> Result<(), Error> {
    let header = pack.header();
    let check = GroupCheck::new(header);
    let found = Mutex::new((there, meter));
    let feed = async |queue: Queue<u32>| {
        for group in groups {
            queue.put(*group).await;
        }
        Ok(())
    };
    let each = |buffer: &mut Buffer, group: u32| {
        let len = range_len(header, group);
        let bytes = &mut buffer[..usize::try_from(len).unwrap_or(GROUP_LEN)];
        // What cannot be read is written again; perhaps the device puts it elsewhere.
        let readable = disk.read_at(header.group_range(group).start, bytes).is_ok();
        let right = if readable { check.check(group, bytes) } else { None };
        let (there, meter) = &mut *lock(&found);
        if let Some(right) = right {
            there.put(group, right.leaves.as_deref());
        }
        if let Some(meter) = meter {
            meter.add(len);
        }
        Ok(())
    };
    crew.work(feed, || Buffer::new(GROUP_LEN), each)?;
    let (_, meter) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(meter) = meter {
        meter.finish();
    }
    Ok(())
}
