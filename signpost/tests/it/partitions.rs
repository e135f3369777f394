//! Opening a set's partitions through the library.

use host_io::{Access, Paths};
use signpost::discover::Choice;
use signpost::{OsDisk, Role, SetName};

use crate::disks::{self, Image, MIB};

fn open(image: &Image, active: Option<SetName>) -> OsDisk {
    let choice = Choice { disk: Some(image.path.clone()), active };
    OsDisk::discover_with(&Paths::under(image.dir.path()), &choice).unwrap()
}

#[test]
fn a_partition_of_the_other_set_is_its_range_and_no_more() {
    let image = disks::factory();
    let before = image.bytes();
    let root =
        open(&image, Some(SetName::A)).open_partition(SetName::B, Role::Root, Access::ReadWrite).unwrap();
    assert_eq!(root.len(), 2 * MIB);
    root.write_at(0, &[7; 4096]).unwrap();
    root.write_at(2 * MIB - 4096, &[7; 4096]).unwrap();
    assert!(root.write_at(2 * MIB - 1, &[7; 2]).is_err());
    root.sync().unwrap();
    let after = image.bytes();
    let start = usize::try_from(image.gptman()[6].starting_lba * 512).unwrap();
    let end = start + usize::try_from(2 * MIB).unwrap();
    assert!(before[..start] == after[..start] && before[end..] == after[end..]);
    assert_eq!((after[start], after[end - 1]), (7, 7));
}

#[test]
fn the_running_set_is_never_opened_for_writing() {
    let image = disks::factory();
    let disk = open(&image, Some(SetName::A));
    let refused = disk.open_partition(SetName::A, Role::Root, Access::ReadWrite).err().unwrap();
    assert!(matches!(refused, signpost::Error::Running { set: SetName::A, role: Role::Root }), "{refused}");
    disk.open_partition(SetName::A, Role::Root, Access::Read).unwrap();
}

#[test]
fn while_nobody_can_say_what_runs_no_set_is_opened_for_writing() {
    let image = disks::factory();
    let disk = open(&image, None);
    for set in [SetName::A, SetName::B] {
        let refused = disk.open_partition(set, Role::Boot, Access::ReadWrite).err().unwrap();
        assert!(matches!(refused, signpost::Error::Active { .. }), "{refused}");
        disk.open_partition(set, Role::Boot, Access::Read).unwrap();
    }
}

#[test]
fn a_set_that_is_not_there_is_an_error() {
    let image = disks::image(512, disks::with_the_rest(disks::set('A', disks::PROVEN)));
    let refused = open(&image, None).open_partition(SetName::B, Role::Hash, Access::Read).err().unwrap();
    assert!(matches!(refused, signpost::Error::NoSet { .. }), "{refused}");
}
