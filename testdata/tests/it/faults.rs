//! What is wrong with a repository, a disk or a rollout, and what the programs make of it: a refusal in one sentence,
//! nothing changed, and a host that still boots.

use chrono::{DateTime, Duration, Utc};
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

/// Whether `text` names the day of one of two moments.
fn names_day(text: &str, one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    [one, other].iter().any(|moment| text.contains(&moment.format("%Y-%m-%d").to_string()))
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
    let when = SystemClock.now() + Duration::hours(22);
    assert!(names_day(&told.stderr, when - Duration::hours(1), when), "{told}");
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

/// A world that offers 1.1.0, and a host on 1.0.0.
fn world_with(release: Release, options: HostOptions) -> (World, Host) {
    let world = World::new();
    world.publish(release);
    let host = booted(&world, options);
    (world, host)
}

/// An update is refused, nothing has changed, and the host still boots with its settings. Returns the sentence.
fn refused_without_a_trace(world: &World, mut host: Host) -> String {
    let settings = host.settings();
    let sentence = refused(&host.run("updog", &["update"]));
    assert_eq!(host.bits(Set::A), BootBits::FACTORY);
    assert_eq!(host.bits(Set::B), CLEAR);
    world.server().heal();
    still_boots(&mut host);
    assert_eq!(host.settings(), settings);
    sentence
}

fn refused_after(pattern: &str, fault: Fault) -> String {
    let (world, host) = world_with(Release::new("1.1.0"), HostOptions::default());
    world.server().fault(pattern, fault);
    refused_without_a_trace(&world, host)
}

#[test]
fn a_repository_that_breaks_every_connection_is_unreachable() {
    let sentence = refused_after("", Fault::Reset);
    assert!(sentence.contains("the connection to 127.0.0.1"), "{sentence}");
}

#[test]
fn a_repository_that_is_not_there_is_missed() {
    let sentence = refused_after("", Fault::NotFound);
    assert!(sentence.contains("timestamp.json"), "{sentence}");
}

#[test]
fn a_portal_that_answers_html_is_recognised() {
    let sentence = refused_after("", Fault::Html);
    assert!(sentence.contains("expected TUF metadata, got text/html"), "{sentence}");
}

#[test]
fn a_truncated_root_image_is_refused() {
    let sentence = refused_after("1.1.0-root.lz4", Fault::Truncate(1000));
    assert!(sentence.contains("root image"), "{sentence}");
}

#[test]
fn a_swapped_manifest_is_refused() {
    let sentence = refused_after("manifest.json", Fault::Swap(b"{}".to_vec()));
    assert!(sentence.contains("manifest.json"), "{sentence}");
}

#[test]
fn metadata_that_has_expired_is_refused_with_its_date() {
    let age = Duration::days(200);
    let (world, host) = world_with(Release::new("1.1.0").published_ago(age), HostOptions::default());
    let sentence = refused_without_a_trace(&world, host);
    // Its timestamp held for a week; an hour either way, so that midnight does not matter.
    let expired = SystemClock.now() - age + Duration::weeks(1);
    assert!(names_day(&sentence, expired - Duration::hours(1), expired), "{sentence}");
}

#[test]
fn a_migration_that_nobody_has_is_missed_before_anything_is_written() {
    let release = Release::new("1.1.0").without_migration("migrate_v1.1.0_add-metrics");
    let (world, host) = world_with(release, HostOptions::default());
    let sentence = refused_without_a_trace(&world, host);
    assert!(sentence.contains("migrate_v1.1.0_add-metrics.lz4"), "{sentence}");
}

#[test]
fn a_root_that_is_larger_than_its_partition_is_refused_before_anything_is_written() {
    let (world, host) = world_with(Release::new("1.1.0").oversized_root(), HostOptions::default());
    let room = host.disk().partition("BOTTLEROCKET-ROOT-B").len;
    let sentence = refused_without_a_trace(&world, host);
    assert!(sentence.contains(&room.to_string()), "{sentence}");
}

#[test]
fn a_repository_of_somebody_else_is_not_trusted() {
    let other = World::new();
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let stranger = Release::new("1.0.0").trusting(other.trusted_root());
    let mut host = world.host_of(&stranger, HostOptions::default());
    host.boot();
    let sentence = refused_without_a_trace(&world, host);
    assert!(sentence.contains("trust"), "{sentence}");
}

#[test]
fn an_update_waits_until_the_running_set_is_proven() {
    let (_world, mut host) = world_with(Release::new("1.1.0"), HostOptions::default());
    let unproven = BootBits { priority: 1, tries: 1, successful: false };
    host.disk().set_bits(Set::A, unproven);
    assert_eq!(host.boot_unproven().version_at_once(), Some("1.0.0"));
    let _ = refused(&host.run("updog", &["update"]));
    assert_eq!(host.bits(Set::A), BootBits { tries: 0, ..unproven });
    assert_eq!(host.bits(Set::B), CLEAR);
    let _ = host.run("signpost", &["mark-successful-boot"]).expect_ok();
    let _ = host.run("updog", &["update"]).expect_ok();
}

#[test]
fn a_disk_with_one_set_cannot_be_updated_in_place() {
    let layout = Layout { banks: Banks::One, ..Layout::default() };
    let options = HostOptions { layout, ..HostOptions::default() };
    let (_world, mut host) = world_with(Release::new("1.1.0"), options);
    let _ = refused(&host.run("updog", &["update"]));
    assert_eq!(host.bits(Set::A), BootBits::FACTORY);
    still_boots(&mut host);
}

#[test]
fn a_disk_that_lost_its_table_is_refused_and_left_alone() {
    let (_world, host) = world_with(Release::new("1.1.0"), HostOptions::default());
    host.disk().wipe_table();
    let before = std::fs::read(host.disk().path()).expect("there");
    let _ = refused(&host.run("updog", &["update"]));
    assert!(std::fs::read(host.disk().path()).expect("there") == before, "nothing was written");
    let status = host.run("signpost", &["status"]).expect_code(1);
    assert!(status.stderr.starts_with("signpost: failed to "), "{status}");
}

#[test]
fn what_a_person_mistypes_is_refused_and_changes_no_setting() {
    let world = World::new();
    let mut host = booted(&world, HostOptions::default());
    let settings = host.settings();
    for (args, code) in [
        (&["set", "no.such.setting=1"][..], 1),
        (&["set", "updates.ignore-waves=perhaps"], 1),
        (&["set", "updates.seed=4096"], 1),
        (&["frobnicate"], 2),
    ] {
        let ran = host.run("apiclient", args).expect_code(code);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran}");
    }
    assert_eq!(host.settings(), settings);
    host.power_off();
    let ran = host.run("apiclient", &["-u", "/settings"]).expect_code(1);
    assert!(ran.stderr.starts_with("apiclient: failed to "), "{ran}");
}
