//! Runs the program on a terminal: colours for a person, none for anybody else.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::disks::{self, Image};
use crate::golden;

/// What `signpost ARGS` shows on a terminal.
fn on_a_terminal(args: &[&str], no_colour: Option<&str>) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).stdout(theirs).env_remove("NO_COLOR");
    if let Some(value) = no_colour {
        command.env("NO_COLOR", value);
    }
    let mut child = command.spawn().unwrap();
    // The other end closes with the child, and only then does reading end: with an error, as terminals have it.
    drop(command);
    let mut shown = Vec::new();
    let _ = File::from(ours).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

fn status(image: &Image, no_colour: Option<&str>) -> String {
    let disk = image.path.to_str().unwrap();
    let root = image.dir.path().to_str().unwrap();
    on_a_terminal(&["--root", root, "--disk", disk, "--active", "A", "status"], no_colour)
        .replace(disk, "DISK")
}

#[test]
fn a_person_sees_colours_and_everybody_else_the_same_words() {
    let image =
        disks::two_sets(512, disks::PROVEN, signpost::BootBits { priority: 2, tries: 1, successful: false });
    let plain = image.run_as("A", &["status"]).ok().stdout.replace(image.path.to_str().unwrap(), "DISK");
    golden::assert("status.txt", &plain);
    golden::assert("status-in-colour.txt", &status(&image, None));
    assert_eq!(status(&image, Some("1")), plain);
    // An empty wish is none.
    assert_ne!(status(&image, Some("")), plain);
}
