//! A host that does not get as far as its programs: what the report of its boot says.

use testdata::{
    BootBits, BootFault, BootReport, Host, HostOptions, Layout, Outcome, Release, Set, Stage, Table, World,
};

fn stages(report: &BootReport) -> Vec<(Set, Stage)> {
    let stage = |outcome: &Outcome| match outcome {
        Outcome::Booted => panic!("it booted: {report:#?}"),
        Outcome::Failed { stage, .. } => *stage,
    };
    report.attempts.iter().map(|attempt| (attempt.set, stage(&attempt.outcome))).collect()
}

fn broken(world: &World, fault: BootFault) -> Host {
    let mut host = world.host_of(&Release::new("1.0.0").boot_fault(fault), HostOptions::default());
    // Two tries and no success, so that the reset loop has an end.
    host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 2, successful: false });
    assert_eq!(host.version(), None);
    let report = host.boot();
    assert_eq!(report.booted(), None);
    assert_eq!(report.stopped.as_deref(), Some("no set is bootable"));
    assert_eq!(host.active_set(), None);
    let stages = stages(&report);
    assert_eq!(stages.len(), 2, "{report:#?}");
    assert_eq!(stages[0], stages[1]);
    host
}

#[test]
fn each_fault_stops_a_boot_where_it_should() {
    let world = World::new();
    for (fault, expected) in [
        (BootFault::MissingKernel, Stage::Load),
        (BootFault::CorruptRoot, Stage::Verify),
        (BootFault::Panic, Stage::Start),
    ] {
        let mut host = broken(&world, fault);
        host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 1, successful: false });
        assert_eq!(stages(&host.boot()), [(Set::A, expected)], "{fault:?}");
    }
}

#[test]
fn one_flipped_bit_of_a_root_is_found() {
    let world = World::new();
    let mut host = world.host("1.0.0");
    host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 1, successful: false });
    let label = Set::A.label("ROOT");
    let byte = host.disk().read(&label, 2_000_001)[2_000_000];
    host.disk().write(&label, 2_000_000, &[byte ^ 1]);
    assert_eq!(stages(&host.boot()), [(Set::A, Stage::Verify)]);
}

#[test]
fn a_set_that_succeeded_once_is_started_again_and_again() {
    let world = World::new();
    let mut host = world.host_of(&Release::new("1.0.0").boot_fault(BootFault::Panic), HostOptions::default());
    let report = host.boot();
    assert_eq!(report.stopped.as_deref(), Some("6 starts failed"));
    assert_eq!(report.attempts.len(), 6);
    assert_eq!(report.attempts[0].version.as_deref(), Some("1.0.0"));
}

#[test]
fn a_root_that_is_known_by_its_hash_is_verified_and_not_read() {
    let world = World::new();
    let release = Release::new("1.0.0");
    let unpacked = world.dir().join("unpacked");
    std::fs::create_dir_all(unpacked.join("usr/lib")).expect("a directory of its own");
    std::fs::write(unpacked.join("usr/lib/os-release"), "VERSION_ID=7.7.7\n").expect("a file of its own");
    let known_roots = vec![(world.images(&release).root_hash, unpacked)];
    let mut host = world.host_of(&release, HostOptions { known_roots, ..HostOptions::default() });
    assert_eq!(host.boot().attempts[0].version.as_deref(), Some("7.7.7"));
    host.disk().write(&Set::A.label("ROOT"), 0, b"other");
    assert_eq!(stages(&host.boot())[0], (Set::A, Stage::Verify));
}

#[test]
fn a_disk_without_a_table_boots_nothing() {
    let world = World::new();
    let layout = Layout { table: Table::None, ..Layout::default() };
    let mut host = world.host_with("1.0.0", HostOptions { layout, ..HostOptions::default() });
    let report = host.boot();
    assert!(report.attempts.is_empty());
    assert!(report.stopped.expect("a reason").contains("no readable partition table"));
}
