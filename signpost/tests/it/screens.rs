//! What people read: each screen whole.

use crate::cli::signpost;
use crate::disks;

#[test]
fn status_shows_each_set_with_its_own_devices() {
    let image = disks::factory();
    let disk = image.path.display();
    for active in ["A", "B"] {
        assert_eq!(
            image.run_as(active, &["status"]).ok().stdout,
            format!(
                "OS disk: {disk}\n\
                 Set A:   boot={disk}#2 root={disk}#3 hash={disk}#4 priority=1 tries_left=0 successful=true\n\
                 Set B:   boot={disk}#5 root={disk}#6 hash={disk}#7 priority=0 tries_left=0 successful=false\n\
                 Active:  Set {active}\n\
                 Next:    Set A\n"
            )
        );
    }
}

#[test]
fn status_tells_what_it_knows_when_nobody_can_say_what_runs() {
    let image = disks::factory();
    let ran = image.run(&["status"]).refused("tell which partition set of");
    assert!(ran.stdout.contains("Active:  unknown\nNext:    Set A\n"), "{ran:?}");
    assert!(ran.stderr.contains("--active A"), "{ran:?}");
}

#[test]
fn a_wrong_command_line_is_exit_code_one_and_help_is_not() {
    assert_eq!(signpost(&["no-such-command"]).code, 1);
    assert_eq!(signpost(&[]).code, 1);
    assert_eq!(signpost(&["--active", "C", "status"]).code, 1);
    let help = signpost(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Examples:"), "{help:?}");
    assert!(!help.stdout.contains("--root"), "{help:?}");
}

#[test]
fn words_without_meaning_are_mentioned_and_ignored() {
    let image = disks::factory();
    let ran = image.run_as("A", &["status", "please"]).ok();
    assert!(ran.stderr.contains("ignored: please"), "{ran:?}");
}
