//! What a person sees on a terminal.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use testdata::{Host, Release, program};

use crate::support::{offered, offered_by, reconfigure};

/// What `updog ARGS` writes to a terminal of so many columns.
fn on_a_terminal(host: &Host, args: &[&str], columns: u16, term: &str) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = Command::new(program("updog"));
    command.arg("--root").arg(host.paths().root()).args(args).env("TERM", term).stdin(Stdio::null());
    let mut child = command.stderr(theirs.try_clone().unwrap()).stdout(theirs).spawn().unwrap();
    // The other end closes with the child, and only then does reading end: with an error, as terminals have it.
    drop(command);
    let mut shown = Vec::new();
    let _ends_with_an_error = File::from(ours).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn at_the_end_a_terminal_of_any_width_shows_the_answer_and_no_bar() {
    for (columns, term) in [(100, "xterm"), (40, "xterm"), (12, "xterm"), (80, "dumb"), (80, "")] {
        let (_world, host) = offered();
        let shown = on_a_terminal(&host, &["update"], columns, term);
        let (before, answer) = shown.split_at(shown.rfind("Update applied").unwrap());
        assert!(!answer.contains("\x1b[1A") && !answer.contains("read back"), "{columns} {term}: {answer:?}");
        assert!(answer.starts_with("Update applied: metal-dev 1.1.0"), "{answer:?}");
        let drawn = before.contains("\x1b[K");
        assert_eq!(drawn, term == "xterm", "{before:?}");
        for line in before.split(['\r', '\n']).filter(|line| line.ends_with("\x1b[K")) {
            assert!(line.trim_end_matches("\x1b[K").chars().count() < usize::from(columns), "{line:?}");
        }
    }
}

#[test]
fn words_of_others_do_nothing_to_a_terminal() {
    const ODD: &str = "a\u{202e}b\u{1b}[2Jc\u{9b}1Ad\u{1b}[8me\u{1b}[30mf\u{1b}[32mg";
    const SHOWN: &str = "a\u{fffd}b\u{fffd}[2Jc\u{fffd}1Ad\u{fffd}[8me\u{fffd}[30mf\u{fffd}[32mg";
    let (_world, host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    let dir = host.paths().history();
    let record = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let record = record.filter(|path| path.extension().is_some_and(|ext| ext == "json")).max().unwrap();
    let mut known: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    known["notes"] = json!([ODD]);
    fs::write(&record, known.to_string()).unwrap();
    let shown = on_a_terminal(&host, &["history", "1"], 80, "xterm");
    assert!(shown.contains(SHOWN), "{shown:?}");
    // A program gets it as it is.
    let piped = host.run("updog", &["history", "1"]).expect_ok();
    assert!(piped.stdout.contains(ODD), "{piped}");
    // What is narrated may end in a log.
    reconfigure(&host, |text| format!("\"a\\u202eb\\u001b[2Jc\\u001b[30md\\u001b[32me\" = 1\n{text}"));
    for said in
        [on_a_terminal(&host, &["check-update"], 80, "xterm"), host.run("updog", &["check-update"]).stderr]
    {
        let line = said.lines().find(|line| line.contains("[2Jc")).unwrap_or_else(|| panic!("{said:?}"));
        assert!(!line.contains('\u{202e}'), "{line:?}");
        for odd in ["\u{1b}[2J", "\u{1b}[30m", "\u{1b}[32me"] {
            assert!(!line.contains(odd), "{line:?}");
        }
    }
}

#[test]
fn an_update_has_one_bar_of_one_width_from_its_first_byte_to_its_last() {
    let (_world, host) = offered_by(Release::new("1.1.0").framed());
    let shown = on_a_terminal(&host, &["update"], 80, "xterm");
    let (_, update) = shown.split_at(shown.find("Starting update").unwrap());
    let bars: Vec<&str> = update.split(['\r', '\n']).filter(|line| line.contains(" % [")).collect();
    let percent = |line: &&str| line.split(" % ").next()?.rsplit(' ').next()?.parse::<u8>().ok();
    let percents: Vec<u8> = bars.iter().filter_map(percent).collect();
    assert_eq!(percents.len(), bars.len());
    assert!(percents.is_sorted(), "{percents:?}");
    assert_eq!(percents.last(), Some(&100), "{bars:?}");
    let ends: Vec<_> = bars.iter().map(|line| (line.find('['), line.find(']'))).collect();
    assert!(ends.windows(2).all(|two| two[0] == two[1]), "{bars:?}");
}

#[test]
fn a_plan_does_not_say_that_an_update_begins() {
    let (_world, host) = offered();
    let shown = host.run("updog", &["plan"]).expect_ok();
    assert!(
        !shown.stderr.contains("Starting update") && shown.stdout.contains("From 1.0.0 to 1.1.0:"),
        "{shown}"
    );
}
