//! What is wrong with a repository, a disk or a rollout, and what the programs make of it: a refusal in one sentence,
//! nothing changed, and a host that still boots.

use std::sync::OnceLock;

use chrono::Duration;
use host_io::{Clock as _, SystemClock};
use testdata::image::attack::tampered_frame;
use testdata::{Banks, BootBits, Fault, Host, HostOptions, Layout, Ran, Release, Set, World};

/// The bits of a set that boots nothing.
const CLEAR: BootBits = BootBits { priority: 0, tries: 0, successful: false };

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
    let release = Release::new("1.1.0");
    let images = world.images(&release);
    let signed = world.publish(release);
    let spare = BootBits { priority: 1, tries: 0, successful: true };
    // The hash image is checked as a whole before anything is changed; the others while they are written.
    for (role, image, left) in
        [("root", images.root, CLEAR), ("boot", images.boot, CLEAR), ("hash", images.hash, spare)]
    {
        let frame = tampered_frame(&image).expect("readable");
        let target = signed.targets.iter().find(|target| target.name.ends_with(&format!("-{role}.lz4")));
        assert!(frame.len() as u64 <= target.expect("published").length, "only its digest tells");
        let mut host = booted(&world, HostOptions::default());
        host.disk().install(Set::B, &world.images(&Release::new("1.0.0"))).expect("it fits");
        host.disk().set_bits(Set::B, spare);
        world.server().fault(&format!("1.1.0-{role}.lz4"), Fault::Swap(frame));
        let _ = refused(&host.run("updog", &["update"]));
        world.server().heal();
        assert_eq!(host.bits(Set::A), BootBits::FACTORY, "{role}");
        assert_eq!(host.bits(Set::B), left, "{role}");
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

/// Starts an update that cannot get on with its root image, and waits until it has got that far.
fn stalled(world: &World, host: &Host) -> testdata::Running {
    world.server().fault("1.1.0-root.lz4", Fault::Stall);
    let update = host.spawn("updog", &["update"]);
    let asked = world.server().wait_for("1.1.0-root.lz4", std::time::Duration::from_secs(60));
    assert!(asked.is_some(), "{}", update.kill());
    update
}

#[test]
fn an_update_that_dies_half_way_leaves_a_host_that_boots_and_the_next_one_succeeds() {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let mut host = booted(&world, HostOptions::default());
    let killed = stalled(&world, &host).kill();
    assert_eq!(killed.code(), None, "{killed}");
    assert_eq!(host.bits(Set::A), BootBits::FACTORY);
    assert_eq!(host.bits(Set::B), CLEAR);
    still_boots(&mut host);
    world.server().heal();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
}

#[test]
fn a_second_update_is_told_that_the_first_one_runs() {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let host = booted(&world, HostOptions::default());
    let first = stalled(&world, &host);
    let sentence = refused(&host.run("updog", &["update"]));
    assert!(sentence.contains(&format!("process {}", first.id())), "{sentence}");
    let _ = first.kill();
}

/// What may be wrong around one host.
type Case = (&'static str, fn() -> (World, Host));

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

const CASES: [Case; 11] = [
    ("a repository that resets every connection", || with_fault("", Fault::Reset)),
    ("a repository that is not there", || with_fault("", Fault::NotFound)),
    ("a portal that answers HTML", || with_fault("", Fault::Html)),
    ("a truncated root image", || with_fault("1.1.0-root.lz4", Fault::Truncate(1000))),
    ("a manifest that was swapped", || with_fault("manifest.json", Fault::Swap(b"{}".to_vec()))),
    ("metadata that has expired", || with_release(Release::new("1.1.0").published_ago(Duration::days(200)))),
    ("a migration that is not there", || {
        with_release(Release::new("1.1.0").without_migration("migrate_v1.1.0_add-metrics"))
    }),
    ("a root that fits no partition", || with_release(Release::new("1.1.0").oversized_root())),
    ("a repository of somebody else", || {
        static OTHER: OnceLock<Vec<u8>> = OnceLock::new();
        let other = OTHER.get_or_init(|| World::new().trusted_root().to_vec());
        let world = World::new();
        world.publish(Release::new("1.1.0"));
        let mut host = world.host_of(&Release::new("1.0.0").trusting(other), HostOptions::default());
        host.boot();
        (world, host)
    }),
    ("a ROOT partition that is too small", || {
        let layout = Layout { root_mib: Some(3), ..Layout::default() };
        with_options(HostOptions { layout, ..HostOptions::default() })
    }),
    ("a running set that nobody proved", || {
        let (world, mut host) = with_release(Release::new("1.1.0"));
        host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 1, successful: false });
        host.boot_unproven();
        (world, host)
    }),
];

#[test]
fn whatever_is_wrong_an_update_is_refused_and_the_host_still_boots() {
    for (what, make) in CASES {
        println!("{what}");
        let (world, mut host) = make();
        let settings = host.settings();
        let active = host.bits(Set::A);
        let sentence = refused(&host.run("updog", &["update"]));
        println!("  {sentence}");
        assert_eq!(host.bits(Set::A), active, "{what}");
        assert_eq!(host.bits(Set::B), CLEAR, "{what}");
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
