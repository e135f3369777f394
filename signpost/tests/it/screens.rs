//! What people read: each screen whole.

use signpost::screen::Screen;

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

const COMMANDS: [&str; 17] = [
    "status",
    "running",
    "mark-successful-boot",
    "reached-root",
    "clear-inactive",
    "mark-inactive-valid",
    "upgrade-to-inactive",
    "cancel-upgrade",
    "rollback-to-inactive",
    "boot-deadline",
    "pick",
    "has-boot-ever-succeeded",
    "rewrite-table",
    "verify",
    "repair",
    "install-bootpick",
    "create",
];

#[test]
fn help_lists_every_command_and_each_shows_examples_that_are_understood() {
    let listed = signpost(&["--help"]).ok().stdout;
    let rows = listed.lines().skip_while(|line| *line != "Commands:").skip(1);
    let rows: Vec<&str> =
        rows.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(rows, [&COMMANDS[..], &["help"]].concat());
    for command in COMMANDS.map(Some).into_iter().chain([None]) {
        let help = signpost(&[command.as_slice(), &["--help"]].concat()).ok().stdout;
        assert_eq!(
            command.map(|command| signpost(&["help", command]).ok().stdout),
            command.map(|_| help.clone())
        );
        assert!(!help.contains("--root"), "{help}");
        let examples =
            help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{command:?} has no examples"));
        let mut understood = 0;
        for line in examples.lines().filter_map(|line| line.split("signpost ").nth(1)) {
            let words: Vec<&str> = line.split("  ").next().unwrap().split_whitespace().collect();
            let words: Vec<&str> = words
                .into_iter()
                .take_while(|word| !word.starts_with(')') && !word.ends_with(")\""))
                .collect();
            // Whoever asks for help does nothing else, so a disk that is named is safe.
            if words != ["help", "COMMAND"] {
                signpost(&[&words[..], &["--help"]].concat()).ok();
            }
            assert!(command.is_none_or(|command| line.contains(command)), "{line}");
            understood += 1;
        }
        assert!(understood > 0, "{command:?}: {examples}");
    }
}

#[test]
fn words_without_meaning_are_mentioned_and_ignored() {
    let image = disks::factory();
    let ran = image.run_as("A", &["status", "please"]).ok();
    assert!(ran.stderr.contains("ignored: please"), "{ran:?}");
}

#[test]
fn verify_says_what_was_checked() {
    let image = disks::factory();
    let last = image.bytes().len() / 512 - 1;
    assert_eq!(
        image.run(&["verify"]).ok().stdout,
        format!(
            "primary table:  whole, at sector 1\n\
             backup table:   whole, at sector {last}\n\
             both copies:    equal\n\
             backup's place: the disk's end\n\
             kernel:         does not know this disk: nothing to compare\n"
        )
    );
    image.damage(|bytes| bytes[1024 + 48] ^= 1);
    let ran =
        image.run(&["verify"]).refused("the primary copy is broken: its entries do not match their checksum");
    assert!(ran.stdout.starts_with("primary table:  broken: its entries"), "{ran:?}");
    assert!(ran.stderr.contains("help: run \"signpost repair\""), "{ran:?}");
    image.run_as("A", &["repair"]).ok();
    image.run(&["verify"]).ok();
}

#[test]
fn a_grown_disk_is_repaired_to_its_end() {
    let image = disks::factory();
    let len = image.bytes().len() as u64;
    std::fs::OpenOptions::new().write(true).open(&image.path).unwrap().set_len(len + disks::MIB).unwrap();
    image.run(&["verify"]).refused("the backup copy is not at the end of the disk");
    let ran = image.run_as("A", &["repair"]).ok();
    assert!(ran.stderr.contains("signpost repair --relocate"), "{ran:?}");
    image.run_as("A", &["repair", "--relocate"]).ok();
    image.run(&["verify"]).ok();
    image.judged_whole_by_others();
    assert_eq!(image.bits(2), disks::PROVEN);
    // Once more changes nothing.
    let before = image.bytes();
    image.run_as("A", &["repair", "--relocate"]).ok();
    assert!(image.bytes() == before);
}

#[test]
fn the_report_says_who_boots_next_and_why() {
    let image =
        disks::two_sets(512, disks::PROVEN, signpost::BootBits { priority: 2, tries: 1, successful: false });
    let report: serde_json::Value =
        serde_json::from_str(&image.run_as("B", &["status", "--json"]).ok().stdout).unwrap();
    assert_eq!(report["active"], "B");
    assert_eq!(report["active_reason"], "--active");
    assert_eq!(report["next"], "B");
    assert_eq!(report["next_reason"], "set B has the highest priority, 2");
    assert_eq!(report["boot_has_ever_succeeded"], false);
    assert_eq!(report["sector_size"], 512);
    let set = &report["sets"][1];
    assert_eq!(
        (
            &set["name"],
            &set["active"],
            &set["priority"],
            &set["tries_left"],
            &set["successful"],
            &set["would_boot"]
        ),
        (&"B".into(), &true.into(), &2.into(), &1.into(), &false.into(), &true.into())
    );
    assert_eq!(set["root"]["number"], 6);
    assert_eq!(set["root"]["len"], 2 * disks::MIB);
    assert_eq!(set["root"]["guid"], disks::partuuid(6).to_string());
    assert_eq!(report["table"]["backup"]["valid"], true);
    assert_eq!(report["table"]["primary"]["counts"], true);
}

#[test]
fn an_upgrade_may_be_granted_more_tries() {
    let image = disks::factory();
    image.run_as("A", &["mark-inactive-valid"]).ok();
    assert_eq!(image.run_as("A", &["upgrade-to-inactive", "--tries", "16"]).code, 1);
    assert_eq!(image.run_as("A", &["upgrade-to-inactive", "--tries", "0"]).code, 1);
    image.run_as("A", &["upgrade-to-inactive", "--tries", "3"]).ok();
    assert_eq!(image.bits(5), signpost::BootBits { priority: 2, tries: 3, successful: false });
}

#[test]
fn colours_change_no_word() {
    let image = disks::factory();
    let choice =
        signpost::discover::Choice { disk: Some(image.path.clone()), active: Some(signpost::SetName::A) };
    let paths = host_io::Paths::under(image.dir.path());
    let found = signpost::OsDisk::discover_with(&paths, &choice).unwrap().inspect().unwrap();
    let coloured = Screen::in_colour(&found).to_string();
    let mut plain = String::new();
    for (index, piece) in coloured.split("\x1b[").enumerate() {
        plain.push_str(if index == 0 { piece } else { piece.split_once('m').unwrap().1 });
    }
    assert_eq!(plain, Screen::new(&found).to_string());
    assert!(coloured.len() > plain.len());
}

#[test]
fn the_name_of_a_disk_image_has_no_colours_beside_ours() {
    let image = disks::factory();
    let odd = image.dir.path().join("a\u{1b}[32mdisk");
    std::fs::rename(&image.path, &odd).unwrap();
    let choice = signpost::discover::Choice { disk: Some(odd), active: Some(signpost::SetName::A) };
    let paths = host_io::Paths::under(image.dir.path());
    let found = signpost::OsDisk::discover_with(&paths, &choice).unwrap().inspect().unwrap();
    let coloured = Screen::in_colour(&found).to_string();
    let first = coloured.lines().next().unwrap();
    assert!(first.ends_with("a\u{fffd}[32mdisk"), "{first:?}");
    assert!(Screen::new(&found).to_string().contains("a\u{1b}[32mdisk"), "as it is, for files");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let image = disks::factory();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_signpost"))
        .args(["--disk", image.path.to_str().unwrap(), "--active", "A", "status"])
        .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to write the answer"), "{output:?}");
}
