//! Stories of one set on disks that fail in every way that disks do.
//!
//! - [`faulty_disk`], [`image`]: what they are played with
//! - [`streams`]: a release that comes as streams
//! - [`frames`]: one that comes in frames
//! - [`pack`]: one that is made by packs
//! - [`scans`]: what is there already
//! - [`faults`]: a disk that refuses in the middle
//! - [`cuts`]: a run that ends in the middle
//! - [`devices`]: on devices of the kernel

mod cuts;
mod devices;
mod faults;
mod faulty_disk;
mod frames;
mod image;
mod pack;
mod scans;
mod streams;

use self::faulty_disk::{EIO, ENOSPC, Fault, FaultyDisk, Shared};
use self::image::{Image, said, target, tree_over};
