//! How much is free on the partition that both sets share.

use std::sync::Arc;

use host_io::Advise as _;
use host_io::explore::CutFs;
use testdata::{BootBits, Host, Set};
use updog::context::{Context, Run};
use updog::error::Error;
use updog::tell::events::Format;
use updog::update::{self, Asked, Finish, Outcome};

use crate::support::{Snapshot, offered, offered_again};

/// `updog update-image` on a host that has so many bytes left.
fn update_image(host: &Host, free: u64) -> Result<Outcome, Box<Error>> {
    let root = Some(host.paths().root().to_owned());
    let run = Run { command: "update-image", format: Format::Text, root, at: None };
    let mut context = Context::new(run).unwrap();
    context.fs = Arc::new(CutFs::counting().with_free_bytes(free));
    update::run(&context, &Asked::default(), Finish::Staged).map_err(Box::new)
}

fn refused(host: &Host, free: u64) -> u64 {
    let error = update_image(host, free).unwrap_err();
    assert_eq!(error.code(), "no_room", "{error}");
    assert!(error.help().unwrap().starts_with("nothing was changed"));
    let Error::NoRoom(no_room) = *error else { panic!("{error}") };
    assert_eq!((no_room.path, no_room.have), (host.paths().cache(), free));
    no_room.need
}

#[test]
fn a_full_partition_is_refused_before_anything_changes_and_one_with_just_enough_is_not() {
    let (_world, mut host) = offered();
    let before = Snapshot::of(&host);
    let need = refused(&host, 0);
    assert_eq!(refused(&host, need - 1), need);
    before.assert_disk_unchanged(&host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    assert!(matches!(update_image(&host, need), Ok(Outcome::Installed { .. })));
}

#[test]
fn what_is_staged_already_needs_no_room_a_second_time() {
    let (_world, mut host) = offered();
    let _ = host.run("updog", &["update-image"]).expect_ok();
    let staged = host.bits(Set::B);
    assert!(matches!(update_image(&host, 0), Ok(Outcome::Installed { .. })));
    assert_eq!(host.bits(Set::B), staged);
    // Its images and its migrations are there, and the set has to be marked valid once more.
    let _ = host.run("signpost", &["clear-inactive"]).expect_ok();
    assert_eq!(host.bits(Set::B), BootBits::default());
    assert!(matches!(update_image(&host, 0), Ok(Outcome::Installed { .. })));
    assert_eq!(host.bits(Set::B), staged);
    let _ = host.run("updog", &["update-apply"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn what_cut_updates_left_gives_way_and_what_is_live_does_not() {
    let (_world, mut host) = offered_again();
    let (before, cache) = (Snapshot::of(&host), host.paths().cache());
    // One that never became current, and one that was half written.
    for left in ["0123", ".4567.new"] {
        std::fs::create_dir_all(cache.join(left).join("targets")).unwrap();
        std::fs::write(cache.join(left).join("targets/migration"), vec![7; 100_000]).unwrap();
    }
    refused(&host, 0);
    // They are gone, and nothing else is.
    before.assert_disk_unchanged(&host);
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}
