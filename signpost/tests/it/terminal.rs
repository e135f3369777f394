//! Runs the program on a terminal: colours for a person, none for anybody else.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::disks::{self, Image};
use crate::golden;

/// What `signpost ARGS` shows on a terminal, and its exit code.
fn on_a_terminal(args: &[&str], variables: &[(&str, &str)]) -> (String, i32) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).stdout(theirs);
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.spawn().unwrap();
    // The other end closes with the child, and only then does reading end: with an error, as terminals have it.
    drop(command);
    let mut shown = Vec::new();
    let _ = File::from(ours).read_to_end(&mut shown);
    let code = child.wait().unwrap().code().unwrap();
    (String::from_utf8(shown).unwrap().replace("\r\n", "\n"), code)
}

fn status(image: &Image, args: &[&str], variables: &[(&str, &str)]) -> (String, i32) {
    let disk = image.path.to_str().unwrap();
    let root = image.dir.path().to_str().unwrap();
    let args = [&["--root", root, "--disk", disk], args, &["status"]].concat();
    let (shown, code) = on_a_terminal(&args, variables);
    (shown.replace(disk, "DISK"), code)
}

#[test]
fn a_person_sees_colours_and_everybody_else_the_same_words() {
    let image =
        disks::two_sets(512, disks::PROVEN, signpost::BootBits { priority: 2, tries: 1, successful: false });
    let plain = image.run_as("A", &["status"]).ok().stdout.replace(image.path.to_str().unwrap(), "DISK");
    golden::assert("status.txt", &plain);
    let (coloured, code) = status(&image, &["--active", "A"], &[]);
    golden::assert("status-in-colour.txt", &coloured);
    assert_eq!(code, 0);
    for unwanted in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
        assert_eq!(status(&image, &["--active", "A"], &[unwanted]).0, plain, "{unwanted:?}");
    }
    // An empty wish is none.
    assert_eq!(status(&image, &["--active", "A"], &[("NO_COLOR", "")]).0, coloured);
}

#[test]
fn what_is_wrong_stands_out() {
    // Nobody says what runs, and nothing would boot.
    let image = disks::two_sets(512, signpost::BootBits::CLEAR, signpost::BootBits::CLEAR);
    let ran = image.run(&["status"]).refused("tell which partition set of");
    golden::assert("status-unknown.txt", &ran.stdout.replace(image.path.to_str().unwrap(), "DISK"));
    let (coloured, code) = status(&image, &[], &[]);
    golden::assert("status-unknown-in-colour.txt", &coloured);
    assert_eq!(code, 1);
}
