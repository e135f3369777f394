//! Wrong usage, and no server.

use crate::golden;
use crate::host::client;

#[test]
fn wrong_usage_is_told_on_stderr_with_exit_2() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["frobnicate"],
        &["raw"],
        &["-u", "/os", "get"],
        &["get", "os.", "/settings"],
        &["set"],
        &["set", "motd"],
        &["set", "-j", "{"],
        &["update", "frobnicate"],
    ];
    for args in wrong {
        let stderr = client(args).failed(2);
        assert!(stderr.contains("error: "), "{args:?}: {stderr}");
    }
    assert!(client(&["frobnicate"]).failed(2).contains("frobnicate"));
}

#[test]
fn help_goes_to_stderr_with_exit_2() {
    for args in [&["--help"][..], &["-h"], &["set", "--help"], &["update", "apply", "-h"]] {
        assert!(client(args).failed(2).contains("Usage: apiclient"), "{args:?}");
    }
    golden::assert("help.txt", &client(&["--help"]).failed(2));
    let version = client(&["--version"]);
    assert!(version.code == 0 && version.stdout.starts_with("apiclient "), "{version:?}");
}

#[test]
fn without_a_server_every_command_says_how_to_look_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let commands: [&[&str]; 7] = [
        &["-u", "/os"],
        &["get"],
        &["set", "motd=x"],
        &["update", "check"],
        &["update", "apply"],
        &["update", "cancel"],
        &["reboot"],
    ];
    for args in commands {
        let stderr = client(&[&["-s", socket.to_str().unwrap()], args].concat()).failed(1);
        assert!(stderr.contains("Status 503 when "), "{stderr}");
        assert!(
            stderr.contains(&format!("no answer from the server at {}: No such file", socket.display())),
            "{stderr}"
        );
        assert!(stderr.contains("help: see whether the server runs"), "{stderr}");
    }
}
