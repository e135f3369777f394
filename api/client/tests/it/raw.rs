//! The mode that programs rely on.

use crate::host::Host;
use crate::scripted::{Request, Scripted};

/// The code that the update operator reads: the word after the first "Status" on stderr.
fn operator_reads(stderr: &str) -> &str {
    stderr.split("Status").nth(1).unwrap().split_whitespace().next().unwrap()
}

#[test]
fn the_body_is_printed_as_it_is_with_and_without_the_name() {
    let host = Host::new();
    for args in [&["raw", "-u", "/settings?keys=settings.motd"][..], &["-u", "/settings?keys=settings.motd"]]
    {
        let ran = host.run(args);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "{\"motd\":\"Welcome\"}\n", ""));
    }
    let os = host.run(&["raw", "-u", "/os"]).json();
    assert_eq!(os["version_id"], "1.0.0");
}

#[test]
fn an_answer_without_a_body_prints_nothing() {
    let host = Host::new();
    host.run(&["raw", "-m", "POST", "-u", "/actions/reboot"]).silent();
    assert!(host.paths().reboot_request().exists());
    host.run(&["-X", "PATCH", "-u", "/settings", "-d", r#"{"motd":"set"}"#]).silent();
    assert_eq!(host.run(&["-X", "POST", "-u", "/tx/commit"]).stdout, "[\"settings.motd\"]\n");
}

#[test]
fn a_failure_is_told_by_its_code_first() {
    let host = Host::new();
    let cases = [
        (&["raw", "-u", "/nope"][..], "404", "there is nothing at /nope"),
        (&["raw", "-u", "/updates/status"], "404", "no update command has ended on this host yet"),
        (
            &["raw", "-m", "POST", "-u", "/actions/prepare-update"],
            "409",
            "while the state of updates is Idle",
        ),
        (&["raw", "-m", "PATCH", "-u", "/settings", "-d", "{"], "400", "as JSON"),
        (&["-u", "/settings", "-m", "PUT"], "405", "PUT"),
        (&["-v", "-u", "/nope"], "404", "nothing"),
    ];
    for (args, code, reason) in cases {
        let stderr = host.run(args).failed(1);
        assert_eq!(operator_reads(&stderr), code, "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
        assert_eq!(stderr.matches("Status").count(), 1, "{stderr}");
    }
    let busy = Scripted::new(|_, _| (423, b"busy".to_vec()));
    assert_eq!(operator_reads(&busy.run(&["raw", "-u", "/updates/status"]).failed(1)), "423");
}

#[test]
fn no_answer_is_told_as_503_with_a_way_to_look_after_the_server() {
    let mut host = Host::new();
    host.kill_server();
    let stderr = host.run(&["raw", "-u", "/os"]).failed(1);
    assert_eq!(operator_reads(&stderr), "503", "{stderr}");
    assert!(
        stderr.contains("Connection refused") && stderr.contains("help: see whether the server runs"),
        "{stderr}"
    );
    let hangs_up = Scripted::new(|_, _| (0, Vec::new()));
    assert_eq!(operator_reads(&hangs_up.run(&["-u", "/os"]).failed(1)), "503");
}

#[test]
fn what_is_sent_is_what_was_said() {
    let server = Scripted::new(|_, _| (200, b"{}".to_vec()));
    assert_eq!(server.run(&["-u", "/x?a=b&c=%20d", "-m", "PATCH", "-d", "set"]).stdout, "{}\n");
    let request = Request {
        line: "PATCH /x?a=b&c=%20d".to_owned(),
        content_type: "application/json".to_owned(),
        body: "set".to_owned(),
    };
    assert_eq!(server.seen(), [request]);
}

#[test]
fn a_body_that_is_no_text_is_an_error() {
    let server = Scripted::new(|_, _| (200, b"\xff\xfe".to_vec()));
    assert!(server.run(&["-u", "/x"]).failed(1).contains("the answer makes no sense"));
}

#[test]
fn a_redirect_is_not_followed_and_verbose_tells_the_code() {
    let server = Scripted::new(|_, _| (302, Vec::new()));
    assert_eq!(operator_reads(&server.run(&["-u", "/x"]).failed(1)), "302");
    assert_eq!(server.seen().len(), 1);
    let server = Scripted::new(|_, _| (204, Vec::new()));
    let ran = server.run(&["-v", "-u", "/x"]);
    assert!(ran.code == 0 && ran.stdout.is_empty() && ran.stderr.contains("Status 204"), "{ran:?}");
}
