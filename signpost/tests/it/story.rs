//! An update's life through the program, on an image file. The boot program is played by hand here: it is not ours.

use signpost::{BootBits, pick};

use crate::disks::{self, Image, PROVEN};

const BOOT_A: u32 = 2;
const BOOT_B: u32 = 5;
const PRIVATE: u32 = 8;

/// What a boot program does: picks, spends a try, writes the table. Answers with the set that it starts.
fn boot(image: &Image) -> &'static str {
    let (a, b) = (image.bits(BOOT_A), image.bits(BOOT_B));
    let index = pick::pick([a, b]).expect("some set boots");
    let number = [BOOT_A, BOOT_B][index];
    let mut gpt = image.gptman();
    let attributes = gpt[number].attribute_bits;
    gpt[number].attribute_bits = pick::spend_try([a, b][index]).patch(attributes);
    gpt.write_into(&mut std::fs::OpenOptions::new().read(true).write(true).open(&image.path).unwrap())
        .unwrap();
    ["A", "B"][index]
}

fn stage(image: &Image, active: &str) {
    image.run_as(active, &["clear-inactive"]).ok();
    image.run_as(active, &["mark-inactive-valid"]).ok();
    image.run_as(active, &["upgrade-to-inactive"]).ok();
}

#[test]
fn a_good_update_is_tried_once_and_then_proven() {
    let image = disks::factory();
    assert_eq!(boot(&image), "A");
    stage(&image, "A");
    assert_eq!(image.bits(BOOT_A), BootBits { priority: 1, ..PROVEN });
    assert_eq!(image.bits(BOOT_B), BootBits { priority: 2, tries: 1, successful: false });
    image.judged_whole_by_others();
    assert_eq!(boot(&image), "B");
    assert_eq!(image.run_as("B", &["has-boot-ever-succeeded"]).ok().stdout, "");
    image.run_as("B", &["mark-successful-boot"]).ok();
    assert_eq!(image.run_as("B", &["has-boot-ever-succeeded"]).ok().stdout, "true\n");
    assert_eq!(image.gptman()[PRIVATE].attribute_bits, 1 << 57);
    image.judged_whole_by_others();
    assert_eq!(boot(&image), "B");
    assert_eq!(image.bits(BOOT_B), BootBits { priority: 2, tries: 0, successful: true });
}

#[test]
fn a_bad_boot_returns_to_the_old_set() {
    let image = disks::factory();
    stage(&image, "A");
    assert_eq!(boot(&image), "B");
    // It panics: nothing marks it good.
    assert_eq!(boot(&image), "A");
    assert_eq!(boot(&image), "A");
}

#[test]
fn a_boot_that_nobody_marks_good_is_reset_when_its_time_is_over() {
    let image = disks::factory();
    let asked = |active: &str, more: &[&str]| image.run_as(active, &[&["boot-deadline"], more].concat());
    let reset = image.dir.path().join("run/reboot-request");
    stage(&image, "A");
    assert_eq!(boot(&image), "B");
    assert!(
        asked("B", &["--dry-run"]).ok().stdout.contains("not marked good in time: reset, and set A boots")
    );
    assert!(!reset.exists());
    asked("B", &[]).ok();
    assert!(reset.exists());
    std::fs::remove_file(&reset).unwrap();
    assert_eq!(boot(&image), "A");
    assert_eq!(asked("A", &[]).ok().stdout, "set A is marked good\n");
    assert!(!reset.exists());
}

#[test]
fn a_boot_that_nobody_marks_good_stays_up_where_nothing_else_boots() {
    let spent = BootBits { priority: 2, tries: 0, successful: false };
    let image = disks::two_sets(512, BootBits { priority: 0, ..PROVEN }, spent);
    image.run_as("B", &["boot-deadline"]).refused("prove set B in time: the system is degraded");
}

#[test]
fn a_deadline_that_cannot_be_looked_at_is_tried_again() {
    let image = disks::factory();
    std::fs::write(image.disk(), vec![0; 1 << 20]).unwrap();
    let ran = image.run_as("B", &["boot-deadline"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("signpost: failed to use the partition table of "), "{ran:?}");
    // Anything else that fails so ends with 1, as it always did.
    image.run_as("B", &["status"]).refused("use the partition table of ");
}

#[test]
fn a_cancelled_upgrade_can_be_asked_for_again() {
    let image = disks::factory();
    stage(&image, "A");
    image.run_as("A", &["upgrade-to-inactive"]).refused("already marked to boot");
    image.run_as("A", &["cancel-upgrade"]).ok();
    assert_eq!(image.bits(BOOT_A), BootBits { priority: 2, ..PROVEN });
    assert_eq!(image.bits(BOOT_B), BootBits { priority: 0, tries: 1, successful: false });
    image.run_as("A", &["upgrade-to-inactive"]).ok();
    assert_eq!(boot(&image), "B");
}

#[test]
fn a_rollback_returns_to_the_proven_set() {
    let image = disks::factory();
    stage(&image, "A");
    assert_eq!(boot(&image), "B");
    image.run_as("B", &["mark-successful-boot"]).ok();
    image.run_as("B", &["upgrade-to-inactive"]).refused("set A is proven already");
    image.run_as("B", &["rollback-to-inactive"]).ok();
    assert_eq!((image.bits(BOOT_A).priority, image.bits(BOOT_B).priority), (2, 1));
    assert_eq!(boot(&image), "A");
}

#[test]
fn nothing_disables_the_other_set_while_this_boot_is_unproven() {
    let image = disks::factory();
    stage(&image, "A");
    assert_eq!(boot(&image), "B");
    let before = image.bytes();
    for command in ["clear-inactive", "cancel-upgrade"] {
        let ran = image.run_as("B", &[command]).refused("not proven yet");
        assert!(ran.stderr.contains("help: wait for it to be marked good, or reboot"), "{ran:?}");
    }
    assert!(image.bytes() == before, "a refusal writes nothing");
    assert_eq!(boot(&image), "A");
}

#[test]
fn a_set_that_holds_nothing_is_not_flipped_to() {
    let image = disks::factory();
    image.run_as("A", &["upgrade-to-inactive"]).refused("no tries left");
    image.run_as("A", &["rollback-to-inactive"]).refused("no tries left");
    assert_eq!(image.bits(BOOT_A), PROVEN);
}

#[test]
fn a_set_with_priority_zero_can_be_rolled_back_to() {
    // Marked valid, or proven, but cancelled: it never boots before its priority is raised.
    for bits in [
        BootBits { priority: 0, tries: 0, successful: true },
        BootBits { priority: 0, tries: 1, successful: false },
    ] {
        let image = disks::two_sets(512, PROVEN, bits);
        assert_eq!(boot(&image), "A");
        image.run_as("A", &["rollback-to-inactive"]).ok();
        assert_eq!(boot(&image), "B");
    }
}

#[test]
fn rewriting_the_table_changes_no_bit() {
    let image = disks::factory();
    let before = image.bytes();
    image.run_as("A", &["rewrite-table"]).ok();
    assert!(image.bytes() == before);
}

#[test]
fn one_change_touches_only_what_it_must() {
    let image = disks::factory();
    let before = image.bytes();
    image.run_as("A", &["mark-inactive-valid"]).ok();
    let after = image.bytes();
    let changed: Vec<usize> = before
        .chunks(512)
        .zip(after.chunks(512))
        .enumerate()
        .filter_map(|(sector, (before, after))| (before != after).then_some(sector))
        .collect();
    let last = before.len() / 512 - 1;
    // Both headers, and the sector of entries 5 to 8 in each copy.
    assert_eq!(changed, [1, 3, last - 31, last]);
}

#[test]
fn commands_at_the_same_time_lose_nothing_of_each_other() {
    let image = disks::factory();
    for _ in 0..4 {
        image.set_attributes(PRIVATE, 0);
        image.run_as("A", &["clear-inactive"]).ok();
        std::thread::scope(|scope| {
            // Marking good does not wait for an update, so these two meet at the disk lock only.
            scope.spawn(|| image.run_as("A", &["mark-successful-boot"]).ok());
            scope.spawn(|| image.run_as("A", &["mark-inactive-valid"]).ok());
        });
        assert_eq!(image.gptman()[PRIVATE].attribute_bits, 1 << 57);
        assert_eq!(image.bits(BOOT_B), BootBits { priority: 0, tries: 1, successful: false });
        image.judged_whole_by_others();
    }
}

#[test]
fn a_second_writer_waits_for_a_while_and_then_says_who_holds_the_disk() {
    let image = disks::factory();
    let _other = host_io::DiskLock::acquire(&image.path).unwrap();
    let before = image.bytes();
    let ran = image
        .run_as("A", &["mark-successful-boot"])
        .refused(&format!("it is held by process {}", std::process::id()));
    assert!(ran.stderr.contains("wait until it is done"), "{ran:?}");
    assert!(image.bytes() == before);
}

#[test]
fn the_boot_programs_count_is_kept_until_the_root_is_reached_or_another_set_is_meant() {
    // Bits 58 and 59 of both boot entries, and bit 60, which is nobody's.
    let (counted, foreign) = (0b11 << 58, 1 << 60);
    let image = disks::factory();
    for (number, bits) in [(BOOT_A, PROVEN), (BOOT_B, BootBits::CLEAR)] {
        image.set_attributes(number, bits.patch(counted | foreign));
    }
    let left = |number: u32| image.gptman()[number].attribute_bits & (counted | foreign);
    image.run_as("A", &["rewrite-table"]).ok();
    assert_eq!((left(BOOT_A), left(BOOT_B)), (counted | foreign, counted | foreign));
    let report = image.run_as("A", &["status", "--json"]).ok().stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["sets"][0]["attempts"], &report["sets"][1]["attempts"]), (&3.into(), &3.into()));
    for reached in ["reached-root", "mark-successful-boot", "cancel-upgrade"] {
        image.set_attributes(BOOT_A, PROVEN.patch(counted | foreign));
        image.run_as("A", &[reached]).ok();
        assert_eq!((left(BOOT_A), left(BOOT_B)), (foreign, counted | foreign));
        image.judged_whole_by_others();
    }
    // New content, and a set that a person asks for, start from nothing.
    for renewed in ["clear-inactive", "mark-inactive-valid", "upgrade-to-inactive", "rollback-to-inactive"] {
        let bits = BootBits { tries: 1, ..BootBits::CLEAR };
        image.set_attributes(BOOT_B, bits.patch(counted | foreign));
        image.run_as("A", &[renewed]).ok();
        assert_eq!((left(BOOT_A), left(BOOT_B)), (foreign, foreign), "{renewed}");
    }
}

#[test]
fn a_boot_that_has_counted_nothing_writes_nothing_at_its_root() {
    let image = disks::factory();
    let before = image.bytes();
    image.run_as("A", &["reached-root"]).ok();
    assert!(image.bytes() == before, "not a byte");
}

#[test]
fn a_command_picks_as_the_boot_program_does_and_pays_for_the_start() {
    let image = disks::factory();
    let pick = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&image.run(&[&["pick", "--json"], args].concat()).ok().stdout).unwrap()
    };
    stage(&image, "A");
    let before = image.bytes();
    let asked = pick(&[]);
    assert_eq!(
        (&asked["set"], &asked["why"], &asked["spent"]),
        (&"B".into(), &"priority".into(), &false.into())
    );
    assert!(image.bytes() == before, "asking costs nothing");
    let spent = pick(&["--spend"]);
    assert_eq!((&spent["set"], &spent["spent"]), (&"B".into(), &true.into()));
    let boot = disks::partuuid(5);
    assert_eq!(spent["command_line"], format!("signpost.boot=PARTUUID={boot} gpt"));
    assert_eq!(image.bits(BOOT_B), BootBits { priority: 2, tries: 0, successful: false });
    image.judged_whole_by_others();
    // It does not come up. The proven set is counted, and left only for another proven one.
    for _ in 0..5 {
        assert_eq!(pick(&["--spend"])["set"], "A");
    }
    let report = image.run_as("A", &["status", "--json"]).ok().stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["sets"][0]["attempts"], &report["next"]), (&3.into(), &"A".into()));
    image.set_attributes(BOOT_B, PROVEN.patch(0));
    let taken = pick(&["--spend"]);
    assert_eq!((&taken["set"], &taken["why"]), (&"B".into(), &"attempts".into()));
    assert_eq!(pick(&["--spend", "--aside", "B"])["set"], "A");
    image.run(&["pick", "--spend", "--aside", "A", "--aside", "B"]).refused("pick a set of ");
}

#[test]
fn the_set_that_is_left_for_good_is_not_shown_as_the_next_one() {
    let image = disks::factory();
    let newer = BootBits { priority: 2, ..PROVEN };
    image.set_attributes(BOOT_B, newer.patch(0b11 << 58));
    let status = image.run_as("A", &["status"]).ok();
    assert!(status.stdout.contains("Next:    Set A\n"), "{status:?}");
    let why = "set B is proven and did not reach its root in 3 starts: set A is started instead";
    assert!(status.stderr.contains(why), "{status:?}");
    let report: serde_json::Value =
        serde_json::from_str(&image.run_as("A", &["status", "--json"]).ok().stdout).unwrap();
    assert_eq!(report["next_reason"], "set B did not reach its root in 3 starts, and set A is proven");
    // A person who wants it gets it.
    image.run_as("A", &["rollback-to-inactive"]).ok();
    assert!(image.run_as("A", &["status"]).ok().stdout.contains("Next:    Set B\n"));
}
