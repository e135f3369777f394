//! Requests that are wrong, and what they are told.

use std::io::Write as _;

use serde_json::json;

use crate::host::Host;

#[test]
fn what_is_not_there_is_404_and_another_method_is_405() {
    let host = Host::new();
    let server = host.serve();
    for uri in ["/nope", "/settings/", "/updates", "/actions/reboot/now"] {
        assert!(server.get(uri).refused(404).contains(&format!("there is nothing at {uri}")));
    }
    assert!(
        server.ask("PUT", "/settings", b"{}").refused(405).contains("/settings cannot be asked for with PUT")
    );
    assert!(server.get("/actions/reboot").refused(405).contains("GET"));
    assert!(!host.paths().reboot_request().exists());
}

#[test]
fn a_wrong_change_names_its_setting_and_what_is_allowed_and_changes_nothing() {
    let host = Host::new();
    let server = host.serve();
    let cases = [
        (
            r#"{"motd":"new","updates":{"sed":7}}"#,
            "failed to set settings.updates.sed: there is no such setting; there are settings.updates.",
        ),
        (
            r#"{"motd":"new","updates":{"seed":"7"}}"#,
            "failed to set settings.updates.seed to \"7\": it takes a whole number",
        ),
        (r#"{"motd":"new","updates":{"seed":2049}}"#, "it takes a whole number from 0 to 2048"),
        (
            r#"{"motd":"new","updates":{"version-lock":"newest"}}"#,
            "it takes \"latest\" or a version such as 1.2.3",
        ),
        (r#"{"motd":"new","ntp":{"mode":"iburst"}}"#, "it takes one of burst, pool"),
        (
            r#"{"motd":{"of":"the day"}}"#,
            "failed to set settings.motd to {\"of\":\"the day\"}: it takes a text",
        ),
        (r#"{"updates":"latest"}"#, "failed to set settings.updates: there is no such setting"),
        (r#"{"motd":"new""#, "failed to read the request as JSON: EOF"),
        (r#"["motd"]"#, "it must be an object such as {\"motd\": \"hello\"}"),
        ("", "failed to read the request as JSON"),
    ];
    for (body, expected) in cases {
        let told = server.patch("/settings", body).refused(400);
        assert!(told.contains(expected), "{body}: {told}");
    }
    let told = server.ask("PATCH", "/settings", b"{\"motd\":\"\xff\xfe\"}").refused(400);
    assert!(told.contains("as JSON"), "{told}");
    assert_eq!(server.get("/tx/list").ok(), json!([]), "nothing is pending");
}

#[test]
fn wrong_pairs_are_refused_whole() {
    let host = Host::new();
    let server = host.serve();
    let pairs = |list: &[&str]| {
        server.patch("/settings/keypair", &json!({ "request_payload": list }).to_string()).refused(400)
    };
    assert!(
        pairs(&["motd=new", "mood=high"]).contains("failed to set settings.mood: there is no such setting")
    );
    assert!(pairs(&["motd=new", "updates.ignore-waves=maybe"]).contains("it takes true or false"));
    assert!(pairs(&["motd"]).contains("it must be KEY=VALUE"));
    assert!(pairs(&["a b=c"]).contains("' ' is not allowed"));
    let shape = server.patch("/settings/keypair", r#"{"request_payload":"motd=new"}"#).refused(400);
    assert!(shape.contains("as JSON"), "{shape}");
    assert_eq!(server.get("/tx/list").ok(), json!([]));
}

#[test]
fn empty_and_malformed_queries_are_refused() {
    let host = Host::new();
    let server = host.serve();
    for uri in ["/?prefix=", "/settings?prefix=", "/settings?keys=", "/os?prefix=", "/tx?tx="] {
        assert!(server.get(uri).refused(400).contains("is empty"), "{uri}");
    }
    assert!(server.get("/settings?keys=settings..motd").refused(400).contains("a segment is empty"));
    assert!(server.get("/settings?keys=settings.m%20d").refused(400).contains("not allowed"));
    assert!(
        server.get("/settings?keys=motd&keys=settings..motd").refused(400).contains("a segment is empty")
    );
    let long = format!("/settings?tx={}", "%2F".repeat(200));
    assert!(server.patch(&long, r#"{"motd":"x"}"#).refused(400).contains("file name"));
    server.post("/tx/apply?keys=a..b").refused(400);
}

#[test]
fn committing_nothing_is_422() {
    let host = Host::new();
    let server = host.serve();
    for uri in ["/tx/commit", "/tx/commit_and_apply", "/tx/commit?tx=unknown"] {
        assert!(server.post(uri).refused(422).contains("nothing is pending in it"), "{uri}");
    }
    server.patch("/settings", "{}").done();
    server.post("/tx/commit").refused(422);
}

#[test]
fn a_huge_body_is_refused_and_the_server_goes_on() {
    let host = Host::new();
    let server = host.serve();
    let body = json!({"motd": "x".repeat(2 << 20)}).to_string();
    assert!(server.patch("/settings", &body).refused(413).contains("larger than 1048576 bytes"));
    // Without a length in front, it is counted on the way.
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 19, "x".repeat(1 << 19));
    let chunked = format!(
        "PATCH /settings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(4)
    );
    server.raw(chunked.as_bytes()).refused(413);
    let fits = json!({"motd": "x".repeat(1 << 19)}).to_string();
    server.patch("/settings", &fits).done();
    server.get("/settings").ok();
}

#[test]
fn what_is_no_http_and_who_hangs_up_leaves_others_served() {
    let host = Host::new();
    let server = host.serve();
    server.raw(b"hello\r\n\r\n").refused(400);
    let mut half = server.connect();
    half.write_all(b"PATCH /settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"motd\":")
        .unwrap();
    drop(half);
    let _silent = server.connect();
    let deep = format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    server.patch("/settings", &deep).refused(400);
    server.get("/settings").ok();
    assert_eq!(server.get("/tx/list").ok(), json!([]));
}
