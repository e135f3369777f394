//! Stories of looking at disks: what is there is found, and what is not there costs a glance.

use std::sync::Arc;

use testdata::noise;
use verity::{BLOCK_SIZE, HashTree};

use super::{Fault, FaultyDisk, Shared, tree_over};
use crate::look::plan::Lookup;
use crate::tell::events::Events;
use crate::wait::Waiter;
use crate::write::install::{Crew, scan};

const MIB: usize = 1 << 20;
/// What is looked at, in bytes.
const LEN: usize = 16 * MIB;

/// What a look at `disk` finds, and how many bytes it read.
fn look<T>(disk: Vec<u8>, tree: &HashTree, at: impl FnOnce(&Shared, &HashTree, Crew<'_>) -> T) -> (T, u64) {
    let (waiter, events) = (Waiter::new().unwrap(), Events::silent());
    let disk = FaultyDisk::new(disk, Fault::None);
    let found = at(&Shared(Arc::clone(&disk)), tree, Crew::new(&waiter, &events));
    (found, disk.bytes_read())
}

fn lookup(disk: Vec<u8>, tree: &HashTree) -> (Lookup, u64) {
    look(disk, tree, |disk, tree, crew| scan::lookup_over(disk, tree, crew).unwrap())
}

fn in_place(disk: Vec<u8>, tree: &HashTree) -> (usize, u64) {
    look(disk, tree, |disk, tree, crew| {
        let right = scan::blocks_in_place(disk, tree, crew).unwrap();
        assert_eq!(right.len() as u64, tree.data_blocks());
        (0..right.len()).filter(|unit| right.is_in_place(*unit)).count()
    })
}

#[test]
fn a_disk_that_has_nothing_of_the_image_costs_a_glance() {
    // Zeros, which the image has as well, tell nothing.
    let mut image = noise(3, LEN);
    image[2 * MIB..4 * MIB].fill(0);
    let tree = tree_over(&image);
    for strange in [vec![0; LEN], noise(5, LEN)] {
        let (lookup, read) = lookup(strange.clone(), tree.tree());
        assert_eq!(lookup.find(&tree.tree().leaf(0).unwrap(), 0), None);
        assert_eq!(read, LEN as u64 / 2);
        assert_eq!(in_place(strange, tree.tree()), (0, LEN as u64 / 2));
    }
}

#[test]
fn what_is_shared_is_found_wherever_it_begins() {
    let image = noise(3, LEN);
    let tree = tree_over(&image);
    let shared = MIB / 8 + MIB / 16;
    for start in (0..LEN - shared).step_by(MIB + 3 * BLOCK_SIZE) {
        let start = start / BLOCK_SIZE * BLOCK_SIZE;
        let mut disk = noise(5, LEN);
        disk[start..start + shared].copy_from_slice(&image[start..start + shared]);
        assert_eq!(in_place(disk.clone(), tree.tree()).0, shared / BLOCK_SIZE, "from {start} on");
        // The running root may have it at another place.
        disk.rotate_left(5 * BLOCK_SIZE);
        let (lookup, _) = lookup(disk, tree.tree());
        let found = (0..tree.tree().data_blocks())
            .filter(|block| lookup.find(&tree.tree().leaf(*block).unwrap(), *block).is_some());
        assert_eq!(found.count(), shared / BLOCK_SIZE, "from {start} on");
    }
}
