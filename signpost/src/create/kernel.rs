//! Telling the kernel about new partitions. That is an extra: the table is on the disk either way.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use host_io::Paths;

use super::listing::Listing;
use crate::discover::sysfs::{DeviceNumber, Sysfs};

/// Asks the kernel to read the table of a block device again. Answers with what a person should know when it does not
/// show the partitions afterwards.
#[must_use]
pub fn tell(paths: &Paths, disk: &Path, listing: &Listing) -> Option<String> {
    let reread = File::open(disk).map_err(|error| error.to_string()).and_then(|mut file| {
        gptman::linux::reread_partition_table(&mut file).map_err(|error| error.to_string())
    });
    if let Err(why) = reread {
        tracing::debug!("the kernel did not read the table again: {why}");
    }
    if shows(paths, disk, listing) {
        return None;
    }
    Some(format!(
        "the kernel does not show the new partitions of {} yet: run \"partx --update {0}\", or reboot",
        disk.display()
    ))
}

fn shows(paths: &Paths, disk: &Path, listing: &Listing) -> bool {
    let Ok(metadata) = std::fs::metadata(disk) else { return false };
    let known = Sysfs::of(paths).partitions_of(DeviceNumber::from_dev(metadata.rdev()));
    let Ok(known) = known else { return false };
    let mut wanted = listing.extents();
    wanted.all(|(number, start, len)| {
        known.iter().any(|known| known.number == number && known.has_extent(start, len))
    })
}
