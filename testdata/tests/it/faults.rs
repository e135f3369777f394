//! What is wrong with a repository, a disk or a rollout, and what the programs make of it: a refusal in one sentence,
//! nothing changed, and a host that still boots.

use std::io::Write as _;
use std::sync::OnceLock;

use chrono::Duration;
use host_io::{Clock as _, SystemClock};
use testdata::{Banks, BootBits, Fault, Host, HostOptions, Layout, Ran, Release, Set, World};

/// A valid LZ4 frame, shorter than any image.
fn another_frame() -> Vec<u8> {
    let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
    frame.write_all(&[0x5a; 64 << 10]).expect("in memory");
    frame.finish().expect("in memory")
}

fn booted(world: &World, options: HostOptions) -> Host {
    let mut host = world.host_with("1.0.0", options);
    let report = host.boot();
    assert_eq!(report.version_at_once(), Some("1.0.0"), "{report:#?}");
    host
}

/// One failure, said once: exit code 1, one sentence that starts with the program's name.
fn refused(ran: &Ran) -> String {
    assert_eq!(ran.code(), Some(1), "{ran}");
    let sentence = ran.stderr.lines().find(|line| line.contains("failed to")).unwrap_or_default().to_owned();
    assert!(sentence.starts_with("updog: failed to "), "{ran}");
    sentence
}

fn still_boots(host: &mut Host) {
    let report = host.reboot();
    assert_eq!(report.version_at_once(), Some("1.0.0"), "{report:#?}");
}

#[test]
fn a_swapped_image_is_refused_and_the_inactive_set_stays_cleared() {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    for role in ["root", "boot", "hash"] {
        let mut host = booted(&world, HostOptions::default());
        world.server().fault(&format!("1.1.0-{role}.lz4"), Fault::Swap(another_frame()));
        let _ = refused(&host.run("updog", &["update"]));
        world.server().heal();
        assert_eq!(host.bits(Set::A), BootBits::FACTORY, "{role}");
        assert_eq!(host.bits(Set::B), BootBits::default(), "{role}");
        still_boots(&mut host);
    }
}

#[test]
fn waves_offer_an_update_to_one_host_now_and_tell_the_other_when() {
    let world = World::new();
    let policy = "[[waves]]\nstart_after = \"1 hours\"\nfleet_percentage = 50\n\n\
                  [[waves]]\nstart_after = \"25 hours\"\nfleet_percentage = 100\n";
    world.publish(Release::new("1.1.0").waves(policy, SystemClock.now() - Duration::hours(3)));
    let early = booted(&world, HostOptions { seed: Some(10), ..HostOptions::default() });
    let late = booted(&world, HostOptions { seed: Some(2000), ..HostOptions::default() });
    assert_eq!(early.run("updog", &["check-update"]).expect_ok().stdout.trim(), "metal-dev 1.1.0");
    let told = late.run("updog", &["check-update"]).expect_code(1);
    let when = (SystemClock.now() + Duration::hours(22)).format("%Y-%m-%d").to_string();
    assert!(told.stderr.contains(&when), "{told}");
    let now = late.run("updog", &["check-update", "--ignore-waves"]).expect_ok();
    assert_eq!(now.stdout.trim(), "metal-dev 1.1.0");
}

/// What may be wrong around one host, and the bits that set B has afterwards.
type Case = (&'static str, fn() -> (World, Host), BootBits);

fn with_fault(pattern: &str, fault: Fault) -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let host = booted(&world, HostOptions::default());
    world.server().fault(pattern, fault);
    (world, host)
}

fn with_release(release: Release) -> (World, Host) {
    let world = World::new();
    world.publish(release);
    let host = booted(&world, HostOptions::default());
    (world, host)
}

fn with_options(options: HostOptions) -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let host = booted(&world, options);
    (world, host)
}

/// The bits of a set that an update began to write, and of one that it never touched: the same here, and both boot
/// nothing.
const CLEAR: BootBits = BootBits { priority: 0, tries: 0, successful: false };

const CASES: [Case; 11] = [
    ("a repository that resets every connection", || with_fault("", Fault::Reset), CLEAR),
    ("a repository that is not there", || with_fault("", Fault::NotFound), CLEAR),
    ("a portal that answers HTML", || with_fault("", Fault::Html), CLEAR),
    ("a truncated root image", || with_fault("1.1.0-root.lz4", Fault::Truncate(1000)), CLEAR),
    ("a manifest that was swapped", || with_fault("manifest.json", Fault::Swap(b"{}".to_vec())), CLEAR),
    (
        "metadata that has expired",
        || with_release(Release::new("1.1.0").published_ago(Duration::days(200))),
        CLEAR,
    ),
    (
        "a migration that is not there",
        || with_release(Release::new("1.1.0").without_migration("migrate_v1.1.0_add-metrics")),
        CLEAR,
    ),
    ("a root that fits no partition", || with_release(Release::new("1.1.0").oversized_root()), CLEAR),
    (
        "a repository of somebody else",
        || {
            static OTHER: OnceLock<Vec<u8>> = OnceLock::new();
            let other = OTHER.get_or_init(|| World::new().trusted_root().to_vec());
            let world = World::new();
            world.publish(Release::new("1.1.0"));
            let mut host = world.host_of(&Release::new("1.0.0").trusting(other), HostOptions::default());
            host.boot();
            (world, host)
        },
        CLEAR,
    ),
    (
        "a ROOT partition that is too small",
        || {
            let layout = Layout { root_mib: Some(3), ..Layout::default() };
            with_options(HostOptions { layout, ..HostOptions::default() })
        },
        CLEAR,
    ),
    (
        "a running set that nobody proved",
        || {
            let (world, mut host) = with_release(Release::new("1.1.0"));
            host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 1, successful: false });
            host.boot_unproven();
            (world, host)
        },
        CLEAR,
    ),
];

#[test]
fn whatever_is_wrong_an_update_is_refused_and_the_host_still_boots() {
    for (what, make, inactive) in CASES {
        println!("{what}");
        let (world, mut host) = make();
        let settings = host.settings();
        let active = host.bits(Set::A);
        let sentence = refused(&host.run("updog", &["update"]));
        println!("  {sentence}");
        assert_eq!(host.bits(Set::A), active, "{what}");
        assert_eq!(host.bits(Set::B), inactive, "{what}");
        world.server().heal();
        if !active.successful {
            host.disk().set_bits(Set::A, BootBits::FACTORY);
        }
        still_boots(&mut host);
        assert_eq!(host.settings(), settings, "{what}");
    }
}

#[test]
fn a_disk_with_one_set_cannot_be_updated_in_place() {
    let layout = Layout { banks: Banks::One, ..Layout::default() };
    let (_world, mut host) = with_options(HostOptions { layout, ..HostOptions::default() });
    let _ = refused(&host.run("updog", &["update"]));
    assert_eq!(host.bits(Set::A), BootBits::FACTORY);
    still_boots(&mut host);
}

#[test]
fn a_disk_that_lost_its_table_is_refused_and_left_alone() {
    let (_world, host) = with_options(HostOptions::default());
    host.disk().wipe_table();
    let before = std::fs::read(host.disk().path()).expect("there");
    let _ = refused(&host.run("updog", &["update"]));
    assert!(std::fs::read(host.disk().path()).expect("there") == before, "nothing was written");
    let status = host.run("signpost", &["status"]).expect_code(1);
    assert!(status.stderr.starts_with("signpost: failed to "), "{status}");
}
